/* test_postgresql.c - requests to amo-crm-postgresql, and how they are repeated. */
#include "../../skipping_clock.h"
#include "../../table.h"

#include "base/log.h"
#include "helper/helper.h"
#include "helper/postgresql.h"
#include "text/json.h"

struct attempts {
	int count;
	int failures; /* before it succeeds */
	enum fault_kind kind;
	int64_t last_ms;           /* when it began */
	int64_t shortest_pause_ms; /* between two attempts */
	int64_t longest_ms;        /* until its deadline */
	size_t used;               /* of the arena at the beginning, by the first attempt */
	bool left_traces;
};

static void
measure(struct ctx *ctx, struct attempts *attempts)
{
	int64_t now_ms = clock_ms();
	int64_t pause_ms = now_ms - attempts->last_ms;

	if (attempts->count > 0) {
		if (attempts->shortest_pause_ms == 0 || pause_ms < attempts->shortest_pause_ms)
			attempts->shortest_pause_ms = pause_ms;
		attempts->left_traces |= arena_mark(ctx) != attempts->used
		    || strstr(ctx->notes, "step") != NULL || ctx->kind != FAULT_NONE;
	}
	if (ctx->database.deadline_ms - now_ms > attempts->longest_ms)
		attempts->longest_ms = ctx->database.deadline_ms - now_ms;
	if (attempts->count == 0)
		attempts->used = arena_mark(ctx);
	attempts->last_ms = now_ms;
}

static bool
attempt(struct ctx *ctx, void *arg)
{
	struct attempts *attempts = arg;
	const char *text;

	measure(ctx, attempts);
	attempts->count++;
	log_note(ctx, "step", "done");
	assert_true(ctx_printf(ctx, &text, "left behind"));
	return attempts->count > attempts->failures
	    || fault(ctx, attempts->kind, "attempt %d", attempts->count);
}

static void
repeats_what_is_unavailable(void **state)
{
	struct attempts attempts = { .failures = 3, .kind = FAULT_UNAVAILABLE };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	log_note(&ctx, "before", "kept");
	same_fault("in the end", &ctx, postgresql_retry(&ctx, attempt, &attempts), FAULT_NONE);
	same_number("attempts", attempts.count, 4);
	assert_false(attempts.left_traces);
	assert_true(attempts.shortest_pause_ms >= 200);
	has_text("notes", ctx.notes, "before=kept");
	has_text("notes", ctx.notes, "step=done");
	same_number("the deadline afterwards", ctx.database.deadline_ms, 0);
	ctx_close(&ctx);
}

static void
does_not_repeat_what_stays(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_CONFIG, FAULT_STORAGE, FAULT_SERVER,
		FAULT_REFUSED };

	(void)state;
	for (size_t i = 0; i < ROWS(kinds); i++) {
		struct attempts attempts = { .failures = 1, .kind = kinds[i] };
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(fault_name(kinds[i]), &ctx, postgresql_retry(&ctx, attempt, &attempts),
		    kinds[i]);
		same_number(fault_name(kinds[i]), attempts.count, 1);
		ctx_close(&ctx);
	}
}

static void
ends_with_the_time(void **state)
{
	static const struct {
		const char *label;
		int64_t limit_ms; /* 0: the default */
		int64_t expected_ms;
		int64_t attempt_ms; /* at most */
	} table[] = {
		{ "the default", 0, POSTGRESQL_LIMIT_MS, POSTGRESQL_LIMIT_MS },
		{ "a short time", 1500, 1500, 1500 },
		{ "a long time", 60000, 60000, POSTGRESQL_LIMIT_MS },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct attempts attempts = { .failures = 1000000, .kind = FAULT_UNAVAILABLE };
		int64_t began_ms = clock_ms();
		struct ctx ctx;

		open_ctx(&ctx);
		if (table[i].limit_ms != 0)
			ctx.database.end_ms = began_ms + table[i].limit_ms;
		same_fault(
		    label, &ctx, postgresql_retry(&ctx, attempt, &attempts), FAULT_UNAVAILABLE);
		DEMAND(label, attempts.count > 1);
		DEMAND(label, attempts.last_ms - began_ms < table[i].expected_ms + BUSY_MS);
		DEMAND(label, attempts.longest_ms <= table[i].attempt_ms);
		has_text(label, ctx.reason, "attempt");
		ctx_close(&ctx);
	}
}

static void
does_not_repeat_a_part_of_a_section(void **state)
{
	struct attempts attempts = { .failures = 1, .kind = FAULT_UNAVAILABLE };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	ctx.database.sections = 1;
	same_fault(
	    "in a section", &ctx, postgresql_retry(&ctx, attempt, &attempts), FAULT_UNAVAILABLE);
	same_number("attempts", attempts.count, 1);
	ctx_close(&ctx);
}

static void
keeps_the_fault_that_was_before(void **state)
{
	struct attempts attempts = { .failures = 1, .kind = FAULT_UNAVAILABLE };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	ctx_fault(&ctx, FAULT_REFUSED, "before");
	ctx.retry_after_s = 7;
	assert_true(postgresql_retry(&ctx, attempt, &attempts));
	same_number("attempts", attempts.count, 2);
	same_number("fault", ctx.kind, FAULT_REFUSED);
	same_text("reason", ctx.reason, "before");
	same_number("Retry-After", ctx.retry_after_s, 7);
	ctx_close(&ctx);
}

static void
names_the_database_in_a_request(void **state)
{
	const struct store_config store = {
		.engine = ENGINE_POSTGRESQL,
		.database = "dbname='a b' user=u",
		.password_file = "/etc/password",
	};
	int64_t before_ms = clock_ms();
	struct json_object *doc;
	struct strbuf sb;
	struct ctx ctx;
	const char *text;
	int64_t number;

	(void)state;
	open_ctx(&ctx);
	ctx.database.sections = 2;
	postgresql_request(&ctx, &store, "get", &sb);
	json_add_member(&sb, "key", "k");
	strbuf_addch(&sb, '}');
	assert_true(strbuf_finish(&sb, &text));
	doc = json_parse(text, strlen(text));
	assert_non_null(doc);
	same_text("do", json_get_string(doc, "do"), "get");
	same_text("database", json_get_string(doc, "database"), store.database);
	same_text("password_file", json_get_string(doc, "password_file"), store.password_file);
	same_text("key", json_get_string(doc, "key"), "k");
	assert_true(json_get_integer(doc, HELPER_DEADLINE, &number));
	assert_true(number >= before_ms + POSTGRESQL_LIMIT_MS);
	assert_true(json_get_integer(doc, "section", &number));
	same_number("section", number, 1);
	json_object_put(doc);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(repeats_what_is_unavailable),
		cmocka_unit_test(does_not_repeat_what_stays),
		cmocka_unit_test(ends_with_the_time),
		cmocka_unit_test(does_not_repeat_a_part_of_a_section),
		cmocka_unit_test(keeps_the_fault_that_was_before),
		cmocka_unit_test(names_the_database_in_a_request),
	};

	skipping_clock.skips = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
