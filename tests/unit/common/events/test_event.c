/* test_event.c - event lines: what they take from a payload, and that they are JSON whatever the
 * payload contains. */
#include "../../table.h"

#include "base/sha2.h"
#include "base/strbuf.h"
#include "events/event.h"
#include "text/json.h"
#include "text/json_compact.h"
#include "text/nested_form.h"
#include "web/serve.h"

/* 2026-11-22T04:19:00Z */
#define NOW 1795321140

/* SHA-256 of "a=1" */
#define ID "c22fea5d7428e5cf47ef6354c97c9223c95d6dcdc3e0d2300ff79056b1ff3d85"

static const char *
write_event(struct ctx *ctx, const char *payload, const char *request_id)
{
	struct event event = {
		.received_at = { NOW, 123999999 },
		.body = "a=1",
		.body_len = 3,
		.payload = event_payload_of(json_slice_of(payload)),
		.request_id = request_id,
	};
	const char *line;

	if (!event_account(ctx, &event, &event.account_id) || !event_write(ctx, &event, &line))
		fail_msg("not written: %s", ctx->reason);
	return line;
}

static void
writes_the_documented_line(void **state)
{
	static const char payload[] = "{\"leads\":{\"status\":[{\"id\":\"1\"}]},\"account\":{"
				      "\"id\":\"31920194\",\"subdomain\":"
				      "\"reforyou\"}}";
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	same_text("the line", write_event(&ctx, payload, "0a1b-2c"),
	    "{\"id\":\"afad1b189467c8eeb7574545542c70171841d729724fda99691cb47c0a3c76f7\","
	    "\"received_at\":\"2026-11-22T04:19:00.123Z\","
	    "\"account_id\":31920194,\"subdomain\":\"reforyou\",\"events\":[\"leads.status\"],"
	    "\"request_id\":\"0a1b-2c\",\"payload\":"
	    "{\"leads\":{\"status\":[{\"id\":\"1\"}]},\"account\":{\"id\":\"31920194\","
	    "\"subdomain\":"
	    "\"reforyou\"}}}");
	ctx_close(&ctx);
}

static void
lists_entities_and_actions(void **state)
{
	static const struct {
		const char *label, *payload, *expected;
	} table[] = {
		{ "nothing", "{}", "\"events\":[]," },
		{ "the account alone", "{\"account\":{\"id\":\"1\",\"_links\":{}}}",
		    "\"events\":[]," },
		{ "in the order of the body",
		    "{\"leads\":{\"update\":[1],\"add\":[2]},\"contacts\":{\"update\":[3]}}",
		    "\"events\":[\"leads.update\",\"leads.add\",\"contacts.update\"]," },
		{ "a scalar for an action", "{\"leads\":{\"delete\":\"5\"}}",
		    "\"events\":[\"leads.delete\"]," },
		{ "two indexes", "{\"task\":{\"update\":[[{\"id\":\"1\"}]]}}",
		    "\"events\":[\"task.update\"]," },
		{ "a list has no action, and a scalar is no entity",
		    "{\"a\":\"1\",\"b\":[{\"c\":1}],\"d\":2,\"e\":{\"f\":1},\"g\":null}",
		    "\"events\":[\"b\",\"e.f\"]," },
		{ "nothing but scalars", "{\"a\":\"1\",\"account_id\":1,\"d\":2}",
		    "\"events\":[\"a\",\"d\"]," },
		{ "a list of a widget", "{\"add\":[{\"text\":\"x\"}]}", "\"events\":[\"add\"]," },
		{ "a Digital Pipeline widget",
		    "{\"event\":{\"type\":\"1\",\"data\":{\"id\":\"2\"}},\"action\":{\"settings\":{"
		    "}}}",
		    "\"events\":[\"event\",\"action.settings\"]," },
		{ "a Salesbot",
		    "{\"token\":\"t\",\"data\":{\"message\":\"hi\"},\"return_url\":\"https://a\"}",
		    "\"events\":[\"salesbot\"]," },
		{ "an entity twice", "{\"a\":{\"b\":1},\"a\":{\"b\":2,\"c\":3}}",
		    "\"events\":[\"a.b\",\"a.c\"]," },
		{ "quotes and escapes stay escaped", "{\"a\\\"\":{\"\\u0062\\\\\":1}}",
		    "\"events\":[\"a\\\".\\u0062\\\\\"]," },
		{ "an account that is not an object", "{\"account\":\"1\",\"a\":{\"b\":1}}",
		    "\"events\":[\"a.b\"]," },
		{ "account one level down", "{\"a\":{\"account\":{\"b\":1}}}",
		    "\"events\":[\"a.account\"]," },
		{ "empty names", "{\"\":{\"\":1}}", "\"events\":[\".\"]," },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *line;
		struct ctx ctx;

		open_ctx(&ctx);
		line = write_event(&ctx, table[i].payload, NULL);
		has_text(table[i].label, line, table[i].expected);
		DEMAND(table[i].label, json_compact_complete(line, strlen(line)));
		ctx_close(&ctx);
	}
}

static void
reads_the_account(void **state)
{
	static const struct {
		const char *label, *payload;
		int64_t id;
		const char *expected;
	} table[] = {
		{ "a number in a string", "{\"account\":{\"id\":\"31920194\"}}", 31920194,
		    "\"account_id\":31920194,\"subdomain\":null," },
		{ "a number", "{\"account\":{\"id\":31920194}}", 31920194,
		    "\"account_id\":31920194," },
		{ "after other members", "{\"account\":{\"_links\":{\"id\":\"7\"},\"id\":\"1\"}}",
		    1, "\"account_id\":1," },
		{ "the largest", "{\"account\":{\"id\":\"9223372036854775807\"}}", INT64_MAX,
		    "\"account_id\":9223372036854775807," },
		{ "one more than the largest", "{\"account\":{\"id\":\"9223372036854775808\"}}", 0,
		    "\"account_id\":null," },
		{ "twenty digits", "{\"account\":{\"id\":\"12345678901234567890\"}}", 0,
		    "\"account_id\":null," },
		{ "no account", "{}", 0, "\"account_id\":null,\"subdomain\":null," },
		{ "no id", "{\"account\":{\"subdomain\":\"x\"}}", 0,
		    "\"account_id\":null,\"subdomain\":\"x\"," },
		{ "an empty id", "{\"account\":{\"id\":\"\"}}", 0, "\"account_id\":null," },
		{ "zero", "{\"account\":{\"id\":\"0\"}}", 0, "\"account_id\":null," },
		{ "a leading zero", "{\"account\":{\"id\":\"01\"}}", 0, "\"account_id\":null," },
		{ "negative", "{\"account\":{\"id\":-1}}", 0, "\"account_id\":null," },
		{ "a fraction", "{\"account\":{\"id\":1.0}}", 0, "\"account_id\":null," },
		{ "an exponent", "{\"account\":{\"id\":1e3}}", 0, "\"account_id\":null," },
		{ "an object", "{\"account\":{\"id\":{\"id\":1}}}", 0, "\"account_id\":null," },
		{ "an array", "{\"account\":{\"id\":[1]}}", 0, "\"account_id\":null," },
		{ "a space after the number", "{\"account\":{\"id\":\"1 \"}}", 0,
		    "\"account_id\":null," },
		{ "an account that is an array", "{\"account\":[{\"id\":1}]}", 0,
		    "\"account_id\":null," },
		{ "an account that is a string", "{\"account\":\"1\"}", 0, "\"account_id\":null," },
		{ "the second of two accounts", "{\"account\":{\"id\":1},\"account\":{\"id\":2}}",
		    2, "\"account_id\":2," },
		{ "the id of another entity", "{\"leads\":{\"id\":1}}", 0, "\"account_id\":null," },
		{ "a subdomain that is not a string",
		    "{\"account\":{\"id\":1,\"subdomain\":[\"x\"]}}", 1, "\"subdomain\":null," },
		{ "two subdomains, of which the last counts",
		    "{\"subdomain\":\"x\",\"subdomain\":5}", 0, "\"subdomain\":null," },
		{ "the account's own subdomain counts",
		    "{\"account\":{\"subdomain\":\"x\"},\"subdomain\":\"y\"}", 0,
		    "\"subdomain\":\"x\"," },
		{ "a subdomain with escapes", "{\"account\":{\"subdomain\":\"\\\"\\u0000\"}}", 0,
		    "\"subdomain\":\"\\\"\\u0000\"," },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct event event = { .payload =
					   event_payload_of(json_slice_of(table[i].payload)) };
		const char *line;
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(table[i].label, &ctx, event_account(&ctx, &event, &event.account_id),
		    FAULT_NONE);
		same_number(table[i].label, event.account_id, table[i].id);
		line = write_event(&ctx, table[i].payload, NULL);
		has_text(table[i].label, line, table[i].expected);
		DEMAND(table[i].label, json_compact_complete(line, strlen(line)));
		ctx_close(&ctx);
	}
}

static void
writes_any_request_id_as_json(void **state)
{
	static const struct {
		const char *label, *request_id, *expected;
	} table[] = {
		{ "none", NULL, "\"request_id\":null," },
		{ "empty", "", "\"request_id\":\"\"," },
		{ "a quote", "a\",\"payload\":\"",
		    "\"request_id\":\"a\\\",\\\"payload\\\":\\\"\"," },
		{ "a newline", "a\nb", "\"request_id\":\"a\\u000ab\"," },
		{ "not UTF-8", "\xff", "\"request_id\":\"\xef\xbf\xbd\"," },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *line;
		struct ctx ctx;

		open_ctx(&ctx);
		line = write_event(&ctx, "{}", table[i].request_id);
		has_text(table[i].label, line, table[i].expected);
		DEMAND(table[i].label, json_compact_complete(line, strlen(line)));
		ctx_close(&ctx);
	}
}

static size_t
count_text(const char *s, const char *part)
{
	size_t count = 0;

	while ((s = strstr(s, part)) != NULL) {
		s += strlen(part);
		count++;
	}
	return count;
}

static void
limits_the_number_of_listed_names(void **state)
{
	(void)state;
	for (int names = EVENT_NAMES_MAX - 1; names <= EVENT_NAMES_MAX + 1; names++) {
		const char *payload;
		const char *line;
		struct strbuf sb;
		struct ctx ctx;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		strbuf_addstr(&sb, "{");
		for (int i = 0; i < names; i++)
			strbuf_addf(&sb, "%s\"e%d\":{\"@\":0}", i == 0 ? "" : ",", i);
		strbuf_addstr(&sb, "}");
		assert_true(strbuf_finish(&sb, &payload));
		line = write_event(&ctx, payload, NULL);
		same_number("names that are listed", (long long)count_text(line, ".@"),
		    names < EVENT_NAMES_MAX ? names : EVENT_NAMES_MAX);
		DEMAND("a complete line", json_compact_complete(line, strlen(line)));
		ctx_close(&ctx);
	}
}

static bool
write_step(struct ctx *ctx, void *arg)
{
	struct event event = { .received_at = { NOW, 0 },
		.body = "a=1",
		.body_len = 3,
		.payload =
		    event_payload_of(json_slice_of("{\"a\":{\"b\":1},\"account\":{\"id\":1}}")),
		.request_id = "r",
		.account_id = 1 };
	const char *line;

	(void)arg;
	if (!event_write(ctx, &event, &line))
		return false;
	DEMAND("in the smallest arena", json_compact_complete(line, strlen(line)));
	has_text("in the smallest arena", line, "\"account_id\":1,");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("an event", write_step, NULL);
}

#define READ_ID "\"id\":\"" ID "\""
#define READ_AT "\"received_at\":\"2026-11-22T04:19:00.123Z\""

static void
reads_a_stored_event(void **state)
{
	static const struct {
		const char *label, *line, *id;
		int64_t account_id;
		time_t received_at;
	} table[] = {
		{ "an event", "{" READ_ID "," READ_AT ",\"account_id\":31920194}", ID, 31920194,
		    NOW },
		{ "members in another order",
		    "{\"account_id\":5,\"a\":[{}]," READ_AT "," READ_ID "}", ID, 5, NOW },
		{ "no account", "{" READ_ID "," READ_AT ",\"account_id\":null}", ID, 0, NOW },
		{ "account 0", "{" READ_ID "," READ_AT ",\"account_id\":0}", ID, 0, NOW },
		{ "an account that is a string", "{" READ_ID "," READ_AT ",\"account_id\":\"7\"}",
		    ID, 7, NOW },
		{ "the largest account",
		    "{" READ_ID "," READ_AT ",\"account_id\":9223372036854775807}", ID, INT64_MAX,
		    NOW },
		{ "an account that is too large",
		    "{" READ_ID "," READ_AT ",\"account_id\":9223372036854775808}", ID, 0, NOW },
		{ "an account that is an object", "{" READ_ID "," READ_AT ",\"account_id\":{}}", ID,
		    0, NOW },
		{ "an offset from UTC",
		    "{" READ_ID ",\"received_at\":\"2026-11-22T05:19:00+01:00\",\"account_id\":5}",
		    ID, 5, NOW },
		{ "an id of any length", "{\"id\":\"\"," READ_AT ",\"account_id\":5}", "", 5, NOW },
		{ "escapes in the id stay", "{\"id\":\"\\u0061\"," READ_AT ",\"account_id\":5}",
		    "\\u0061", 5, NOW },
		{ "an id that is a number", "{\"id\":1," READ_AT ",\"account_id\":5}", "1", 5,
		    NOW },
		{ "the last of two members",
		    "{\"id\":\"a\",\"account_id\":4," READ_ID "," READ_AT ",\"account_id\":5}", ID,
		    5, NOW },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct stored_event event;
		struct ctx ctx;

		open_ctx(&ctx);
		DEMAND(table[i].label, json_compact_complete(table[i].line, strlen(table[i].line)));
		same_fault(
		    table[i].label, &ctx, event_read(&ctx, table[i].line, &event), FAULT_NONE);
		same_text(table[i].label, event.id, table[i].id);
		same_number(table[i].label, event.account_id, table[i].account_id);
		same_number(table[i].label, event.received_at, table[i].received_at);
		DEMAND(table[i].label, event.line == table[i].line);
		ctx_close(&ctx);
	}
}

static void
rejects_lines_that_are_not_events(void **state)
{
	static const struct {
		const char *label, *line;
	} table[] = {
		{ "an empty object", "{}" },
		{ "no id", "{" READ_AT ",\"account_id\":5}" },
		{ "no account_id", "{" READ_ID "," READ_AT "}" },
		{ "no received_at", "{" READ_ID ",\"account_id\":5}" },
		{ "all members one level down",
		    "{\"a\":{" READ_ID "," READ_AT ",\"account_id\":5}}" },
		{ "a date without a time",
		    "{" READ_ID ",\"received_at\":\"2026-11-22\",\"account_id\":5}" },
		{ "a time without an offset",
		    "{" READ_ID ",\"received_at\":\"2026-11-22T04:19:00\",\"account_id\":5}" },
		{ "a date that does not exist",
		    "{" READ_ID ",\"received_at\":\"2026-02-30T04:19:00Z\",\"account_id\":5}" },
		{ "seconds since the epoch",
		    "{" READ_ID ",\"received_at\":1795321140,\"account_id\":5}" },
		{ "a date that is null", "{" READ_ID ",\"received_at\":null,\"account_id\":5}" },
		{ "an empty date", "{" READ_ID ",\"received_at\":\"\",\"account_id\":5}" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct stored_event event;
		struct ctx ctx;

		open_ctx(&ctx);
		DEMAND(table[i].label, json_compact_complete(table[i].line, strlen(table[i].line)));
		DEMAND(table[i].label, !event_read(&ctx, table[i].line, &event));
		same_number(table[i].label, ctx.kind, FAULT_NONE);
		ctx_close(&ctx);
	}
}

static void
reads_what_was_written(void **state)
{
	struct stored_event event;
	const char *line;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	line = write_event(&ctx, "{\"account\":{\"id\":\"31920194\"}}", "r");
	same_fault("the line", &ctx, event_read(&ctx, line, &event), FAULT_NONE);
	same_text(
	    "the id", event.id, "64ac096a196b6e07dc39bca6b91497efa462508176bac14b24bacfb9e3b3168e");
	same_number("the account", event.account_id, 31920194);
	same_number("the time, in seconds", event.received_at, NOW);
	ctx_close(&ctx);
}

static void
find_id(struct ctx *ctx, const char *payload, const char *request_id, long nanoseconds,
    char id[SHA256_HEX_SIZE])
{
	struct event event = { .received_at = { NOW, nanoseconds },
		.body = "a=1",
		.body_len = 3,
		.payload = event_payload_of(json_slice_of(payload)),
		.request_id = request_id };
	const char *line;

	assert_true(event_write(ctx, &event, &line));
	memcpy(id, line + strlen("{\"id\":\""), SHA256_HEX_SIZE - 1);
	id[SHA256_HEX_SIZE - 1] = '\0';
}

/* amoCRM's repeat has the same body, and another time of receipt. */
static void
identifies_a_repeat(void **state)
{
	static const struct {
		const char *label, *payload;
		bool same_by_body;
	} table[] = {
		{ "last_modified", "{\"leads\":{\"add\":[{\"last_modified\":\"1700000000\"}]}}",
		    true },
		{ "updated_at, a number", "{\"leads\":{\"add\":[{\"updated_at\":1700000000}]}}",
		    true },
		{ "date_create", "{\"leads\":{\"add\":[{\"date_create\":\"1700000000\"}]}}", true },
		{ "created_at of a message", "{\"message\":{\"add\":[{\"created_at\":\"1\"}]}}",
		    true },
		{ "timestamp",
		    "{\"leads\":{\"note\":[{\"note\":{\"timestamp_x\":1,"
		    "\"timestamp\":\"2023-01-01\"}}]}}",
		    true },
		{ "no time", "{\"leads\":{\"status\":[{\"id\":\"1\"}]}}", false },
		{ "an empty time", "{\"leads\":{\"status\":[{\"last_modified\":\"\"}]}}", false },
		{ "a time that is null", "{\"leads\":{\"status\":[{\"updated_at\":null}]}}",
		    false },
		{ "a time that is 0", "{\"leads\":{\"status\":[{\"updated_at\":0}]}}", false },
		{ "a name within a text",
		    "{\"leads\":{\"note\":[{\"text\":\"\\\"updated_at\\\":1\"}]}}", false },
		{ "a time of the account",
		    "{\"leads\":{\"status\":[{\"id\":1}]},\"account\":{\"created_at\":1}}", false },
		{ "a time in the second list",
		    "{\"leads\":{\"add\":[{\"id\":1}],\"update\":[{\"id\":1},{\"updated_at\":5}]}}",
		    true },
		{ "a time of a widget's event", "{\"event\":{\"data\":{\"created_at\":5}}}", true },
		{ "a text that is such a name", "{\"a\":{\"b\":[\"updated_at\"]}}", false },
		{ "the end of another name", "{\"leads\":{\"note\":[{\"x\\\"updated_at\":1}]}}",
		    false },
		{ "a name after a text that ends with a backslash",
		    "{\"a\":{\"b\":[{\"c\":\"\\\\\",\"updated_at\":1}]}}", true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char first[SHA256_HEX_SIZE];
		char other[SHA256_HEX_SIZE];
		struct ctx ctx;

		open_ctx(&ctx);
		find_id(&ctx, table[i].payload, "r1", 0, first);
		find_id(&ctx, table[i].payload, "r2", 1, other);
		DEMAND(table[i].label, (strcmp(first, other) == 0) == table[i].same_by_body);
		find_id(&ctx, table[i].payload, "r1", 2, other);
		same_text(table[i].label, first, other);
		find_id(&ctx, table[i].payload, NULL, 1, first);
		find_id(&ctx, table[i].payload, NULL, 2, other);
		DEMAND(table[i].label, (strcmp(first, other) == 0) == table[i].same_by_body);
		ctx_close(&ctx);
	}
}

static void
finds_the_account(void **state)
{
	static const struct {
		const char *label, *payload;
		enum fault_kind expected;
		int64_t id;
	} table[] = {
		{ "beside the entities", "{\"leads\":{\"add\":[{\"id\":1}]},\"account_id\":\"5\"}",
		    FAULT_NONE, 5 },
		{ "twice the same", "{\"account\":{\"id\":\"5\"},\"account_id\":5}", FAULT_NONE,
		    5 },
		{ "two that differ", "{\"account\":{\"id\":\"5\"},\"account_id\":6}", FAULT_REQUEST,
		    0 },
		{ "in all items",
		    "{\"leads\":{\"add\":[{\"account_id\":\"5\"},{\"account_id\":5}]}}", FAULT_NONE,
		    5 },
		{ "in items of two entities",
		    "{\"leads\":{\"add\":[{\"account_id\":5}]},\"contacts\":{\"add\":[{\"account_"
		    "id\":5}]}}",
		    FAULT_NONE, 5 },
		{ "in nested lists", "{\"task\":{\"update\":[[{\"account_id\":5}]]}}", FAULT_NONE,
		    5 },
		{ "in a note within the item",
		    "{\"leads\":{\"note\":[{\"note\":{\"account_id\":\"5\"},\"type\":1}]}}",
		    FAULT_NONE, 5 },
		{ "in a note that is no object", "{\"leads\":{\"note\":[{\"note\":\"x\"}]}}",
		    FAULT_NONE, 0 },
		{ "in items that differ",
		    "{\"leads\":{\"add\":[{\"account_id\":5},{\"account_id\":6}]}}", FAULT_NONE,
		    0 },
		{ "in some items", "{\"leads\":{\"add\":[{\"account_id\":5},{\"id\":1}]}}",
		    FAULT_NONE, 0 },
		{ "items and account differ",
		    "{\"leads\":{\"add\":[{\"account_id\":6}]},\"account\":{\"id\":5}}",
		    FAULT_REQUEST, 0 },
		{ "some items, and the account",
		    "{\"leads\":{\"add\":[{\"account_id\":6},{\"id\":1}]},\"account\":{\"id\":5}}",
		    FAULT_NONE, 5 },
		{ "in a widget's list", "{\"add\":[{\"account_id\":5}]}", FAULT_NONE, 5 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct event event = { .payload =
					   event_payload_of(json_slice_of(table[i].payload)) };
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = event_account(&ctx, &event, &event.account_id);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		if (ok)
			same_number(table[i].label, event.account_id, table[i].id);
		ctx_close(&ctx);
	}
}

static bool
read_step(struct ctx *ctx, void *arg)
{
	struct stored_event event;

	if (!event_read(ctx, arg, &event))
		return false;
	same_text("in the smallest arena", event.id, ID);
	return true;
}

static void
reports_a_full_arena_while_reading(void **state)
{
	char line[] = "{" READ_ID "," READ_AT ",\"account_id\":5}";

	(void)state;
	try_small_arenas("a stored event", read_step, line);
}

#define BODY_MAX 8388608 /* bytes: the largest [webhook] max_body */

struct body {
	const char *label;
	const char *key; /* with %x; repeated */
	int keys;
	char filler; /* of the value of another key, up to the end */
};

static const char *
write_body(struct ctx *ctx, const struct body *body)
{
	struct strbuf sb;
	const char *text;
	char *rest;

	strbuf_init(ctx, &sb);
	for (int i = 0; i < body->keys; i++)
		strbuf_addf(&sb, body->key, (unsigned)i);
	strbuf_addstr(&sb, "z=");
	rest = strbuf_extend(&sb, BODY_MAX - sb.len);
	assert_non_null(rest);
	memset(rest, body->filler, (size_t)(sb.start + sb.len - rest));
	assert_true(strbuf_finish(&sb, &text));
	return text;
}

/* One that becomes too long a line is refused for that, after it was written. */
static void
fits_the_largest_body_into_the_arena(void **state)
{
	static const struct body table[] = {
		{ "a long text", NULL, 0, 'a' },
		{ "control characters, which need six bytes each", NULL, 0, '\x01' },
		{ "bytes that are not UTF-8", NULL, 0, '\xff' },
		{ "names", "%x&", NESTED_FORM_NAMES_MAX - 1, 'a' },
		{ "levels", "%x[a][a][a][a][a][a][a][a][a][a][a][a][a][a][a]&",
		    NESTED_FORM_NAMES_MAX / NESTED_FORM_DEPTH_MAX - 1, 'a' },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct event event = { .received_at = { NOW, 0 }, .body_len = BODY_MAX };
		const char *line;
		struct ctx ctx;

		assert_true(ctx_open(&ctx, SERVE_ARENA_SIZE));
		event.body = write_body(&ctx, &table[i]);
		same_fault(table[i].label, &ctx,
		    nested_form_to_json(&ctx, event.body, event.body_len, &line), FAULT_NONE);
		event.payload = event_payload_of(json_slice_of(line));
		same_fault(table[i].label, &ctx, event_write(&ctx, &event, &line), FAULT_NONE);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_documented_line),
		cmocka_unit_test(lists_entities_and_actions),
		cmocka_unit_test(reads_the_account),
		cmocka_unit_test(writes_any_request_id_as_json),
		cmocka_unit_test(limits_the_number_of_listed_names),
		cmocka_unit_test(reports_a_full_arena),
		cmocka_unit_test(reads_a_stored_event),
		cmocka_unit_test(rejects_lines_that_are_not_events),
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(identifies_a_repeat),
		cmocka_unit_test(finds_the_account),
		cmocka_unit_test(reports_a_full_arena_while_reading),
		cmocka_unit_test(fits_the_largest_body_into_the_arena),
	};

	return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
