/* test_store_message.c - the messages about records between a program and amo-crm-postgresql. */
#include "../../table.h"

#include "store/store_message.h"
#include "text/json.h"

/* A request is begun with "{" and its verb by postgresql_request. */
static void
start(struct ctx *ctx, struct strbuf *sb)
{
	open_ctx(ctx);
	strbuf_init(ctx, sb);
	strbuf_addstr(sb, "{\"do\":\"this\"");
}

static struct json_object *
parse(const char *text)
{
	struct json_object *doc = json_parse(text, strlen(text));

	DEMAND(text, doc != NULL);
	return doc;
}

static struct json_object *
finish(struct strbuf *sb, const char *end)
{
	const char *text;

	strbuf_addstr(sb, end);
	assert_true(strbuf_finish(sb, &text));
	return parse(text);
}

static void
decodes_the_requests_that_were_encoded(void **state)
{
	const struct store_begin begin = { "app:\"1\"", "refresh:1", INT64_MAX };
	const struct store_keys keys = { { "a:1", "b:\xd0\xaf" }, 2 };
	const struct store_range range = { "a:", "" };
	const struct store_claim claim = { "refresh:1", "host:1:ff", 85000 };
	const struct store_release release = { "refresh:1", 7, true };
	struct store_begin got_begin;
	struct store_keys got_keys;
	struct store_range got_range;
	struct store_claim got_claim;
	struct store_release got_release;
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;

	(void)state;
	start(&ctx, &sb);
	store_begin_encode(&sb, &begin);
	store_keys_encode(&sb, &keys);
	store_range_encode(&sb, &range);
	doc = finish(&sb, "}");
	assert_true(store_begin_decode(doc, &got_begin));
	same_text("turn", got_begin.turn, begin.turn);
	same_text("lease", got_begin.lease, begin.lease);
	same_number("token", got_begin.token, begin.token);
	assert_true(store_keys_decode(doc, &got_keys));
	same_number("keys", (long long)got_keys.count, 2);
	same_text("the first key", got_keys.keys[0], keys.keys[0]);
	same_text("the second key", got_keys.keys[1], keys.keys[1]);
	assert_true(store_range_decode(doc, &got_range));
	same_text("prefix", got_range.prefix, range.prefix);
	same_text("after", got_range.after, range.after);
	json_object_put(doc);
	ctx_close(&ctx);

	start(&ctx, &sb);
	store_claim_encode(&sb, &claim);
	doc = finish(&sb, "}");
	assert_true(store_claim_decode(doc, &got_claim));
	same_text("name", got_claim.name, claim.name);
	same_text("holder", got_claim.holder, claim.holder);
	same_number("term", got_claim.term_ms, claim.term_ms);
	json_object_put(doc);
	ctx_close(&ctx);

	start(&ctx, &sb);
	store_release_encode(&sb, &release);
	doc = finish(&sb, "}");
	assert_true(store_release_decode(doc, &got_release));
	same_text("name", got_release.name, release.name);
	same_number("token", got_release.token, release.token);
	assert_true(got_release.abandoned);
	json_object_put(doc);
	ctx_close(&ctx);
}

static void
begins_without_a_turn_and_a_lease(void **state)
{
	const struct store_begin begin = { NULL, NULL, 0 };
	struct store_begin got = { "x", "x", 1 };
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;

	(void)state;
	start(&ctx, &sb);
	store_begin_encode(&sb, &begin);
	doc = finish(&sb, "}");
	assert_true(store_begin_decode(doc, &got));
	same_text("turn", got.turn, NULL);
	same_text("lease", got.lease, NULL);
	json_object_put(doc);
	ctx_close(&ctx);
}

static void
decodes_the_changes_that_were_encoded(void **state)
{
	const struct store_changes changes = {
		{ { "a", "\xff\"\n", 3, 1800000000, true }, { "b", NULL, 0, 0, false } }, 2
	};
	struct store_changes got;
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;

	(void)state;
	start(&ctx, &sb);
	store_changes_encode(&sb, &changes);
	doc = finish(&sb, "}");
	assert_true(store_changes_decode(&ctx, doc, &got));
	same_number("changes", (long long)got.count, 2);
	for (size_t i = 0; i < got.count; i++) {
		same_text("key", got.changes[i].key, changes.changes[i].key);
		same_text("value", got.changes[i].value, changes.changes[i].value);
		same_number("expires", got.changes[i].expires, changes.changes[i].expires);
		same_number("absent", got.changes[i].absent, changes.changes[i].absent);
	}
	json_object_put(doc);
	ctx_close(&ctx);
}

static void
decodes_the_replies_that_were_encoded(void **state)
{
	const struct store_values values = { { "\xff\xfe", NULL, "" }, { 2, 0, 0 }, 3 };
	const struct store_claimed claimed = { 5, true };
	struct store_values got;
	struct store_claimed got_claimed;
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	strbuf_init(&ctx, &sb);
	store_values_encode(&sb, &values);
	doc = finish(&sb, "");
	assert_true(store_values_decode(&ctx, doc, &got));
	same_number("values", (long long)got.count, 3);
	for (size_t i = 0; i < got.count; i++)
		same_text("value", got.values[i], values.values[i]);
	json_object_put(doc);

	strbuf_init(&ctx, &sb);
	store_claimed_encode(&sb, &claimed);
	doc = finish(&sb, "");
	assert_true(store_claimed_decode(doc, &got_claimed));
	same_number("token", got_claimed.token, 5);
	assert_true(got_claimed.abandoned);
	json_object_put(doc);
	ctx_close(&ctx);
}

static void
decodes_the_page_that_was_encoded(void **state)
{
	struct store_page page;
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;
	const char *key;
	const char *value;

	(void)state;
	open_ctx(&ctx);
	strbuf_init(&ctx, &sb);
	store_page_begin(&sb);
	store_page_add(&sb, "a:1 and more", 3, "one", 3);
	store_page_add(&sb, "a:2", 3, "\xff", 1);
	store_page_end(&sb, true);
	doc = finish(&sb, "");
	assert_true(store_page_decode(doc, &page));
	assert_true(page.more);
	same_number("records", (long long)page.count, 2);
	assert_true(store_page_record(&ctx, &page, 0, &key, &value));
	same_text("the first key", key, "a:1");
	same_text("the first value", value, "one");
	assert_true(store_page_record(&ctx, &page, 1, &key, &value));
	same_text("the second key", key, "a:2");
	same_text("the second value", value, "\xff");
	json_object_put(doc);

	strbuf_init(&ctx, &sb);
	store_page_begin(&sb);
	store_page_end(&sb, false);
	doc = finish(&sb, "");
	assert_true(store_page_decode(doc, &page));
	assert_false(page.more);
	same_number("an empty page", (long long)page.count, 0);
	json_object_put(doc);
	ctx_close(&ctx);
}

static bool
decode_begin(struct ctx *ctx, const struct json_object *doc)
{
	struct store_begin begin;

	(void)ctx;
	return store_begin_decode(doc, &begin);
}

static bool
decode_keys(struct ctx *ctx, const struct json_object *doc)
{
	struct store_keys keys;

	(void)ctx;
	return store_keys_decode(doc, &keys);
}

static bool
decode_values(struct ctx *ctx, const struct json_object *doc)
{
	struct store_values values;

	return store_values_decode(ctx, doc, &values);
}

static bool
decode_changes(struct ctx *ctx, const struct json_object *doc)
{
	struct store_changes changes;

	return store_changes_decode(ctx, doc, &changes);
}

static bool
decode_record(struct ctx *ctx, const struct json_object *doc)
{
	struct store_page page;
	const char *key;
	const char *value;

	return store_page_decode(doc, &page) && store_page_record(ctx, &page, 0, &key, &value);
}

static bool
decode_claimed(struct ctx *ctx, const struct json_object *doc)
{
	struct store_claimed claimed;

	(void)ctx;
	return store_claimed_decode(doc, &claimed);
}

static void
refuses_other_messages(void **state)
{
	static const struct {
		const char *label;
		bool (*decode)(struct ctx *ctx, const struct json_object *doc);
		const char *text;
	} table[] = {
		{ "no token", decode_begin, "{\"turn\":null,\"lease\":null}" },
		{ "no keys", decode_keys, "{}" },
		{ "keys that are no array", decode_keys, "{\"keys\":\"a\"}" },
		{ "a key that is no text", decode_keys, "{\"keys\":[1]}" },
		{ "a key that is null", decode_keys, "{\"keys\":[null]}" },
		{ "a key with a NUL", decode_keys, "{\"keys\":[\"a\\u0000b\"]}" },
		{ "one key too many", decode_keys,
		    "{\"keys\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}" },
		{ "a value that is no base64url", decode_values, "{\"values\":[\"=\"]}" },
		{ "one value too many", decode_values,
		    "{\"values\":[null,null,null,null,null,null,null,null,null]}" },
		{ "a change without a key", decode_changes,
		    "{\"changes\":[{\"value\":null,\"expires\":0,\"absent\":0}]}" },
		{ "a change without a value", decode_changes,
		    "{\"changes\":[{\"key\":\"a\",\"expires\":0,\"absent\":0}]}" },
		{ "a change that is neither", decode_changes,
		    "{\"changes\":[{\"key\":\"a\",\"value\":null,\"expires\":0,\"absent\":2}]}" },
		{ "a change that is no object", decode_changes, "{\"changes\":[1]}" },
		{ "a page without an end", decode_record, "{\"records\":[[\"a\",\"YQ\"]]}" },
		{ "a record of one item", decode_record, "{\"records\":[[\"a\"]],\"more\":0}" },
		{ "a record that is no array", decode_record, "{\"records\":[1],\"more\":0}" },
		{ "a key of a page that is no text", decode_record,
		    "{\"records\":[[1,\"YQ\"]],\"more\":0}" },
		{ "a token that is no number", decode_claimed,
		    "{\"token\":\"1\",\"abandoned\":0}" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc = parse(table[i].text);
		struct ctx ctx;

		open_ctx(&ctx);
		DEMAND(table[i].label, !table[i].decode(&ctx, doc));
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_the_requests_that_were_encoded),
		cmocka_unit_test(begins_without_a_turn_and_a_lease),
		cmocka_unit_test(decodes_the_changes_that_were_encoded),
		cmocka_unit_test(decodes_the_replies_that_were_encoded),
		cmocka_unit_test(decodes_the_page_that_was_encoded),
		cmocka_unit_test(refuses_other_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
