/* test_delivery_queue_status.c - how many events wait, are blocked or are dead letters. */
#include "event_lines.h"

#include "events/cursor.h"
#include "events/delivery_queue.h"
#include "events/retry.h"

#define T0 1795320000

static struct config
config_of(const char *store, bool delivering)
{
	struct config cfg = { .store.path = store };

	cfg.deliver.url = delivering ? "https://backend.example/events" : NULL;
	return cfg;
}

static struct delivery_status
status_of(const char *label, const struct config *cfg)
{
	struct delivery_status status;
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(label, &ctx, delivery_queue_status(&ctx, cfg, 0, &status), FAULT_NONE);
	ctx_close(&ctx);
	return status;
}

static void
save_cursor(const char *store, int64_t offset, const struct blocked_account *blocked, size_t count)
{
	struct store_config cfg = { .path = store };
	struct cursor cursor = { .position = { 1, offset } };
	struct ctx ctx;

	open_ctx(&ctx);
	for (size_t i = 0; i < count; i++)
		assert_true(cursor_block(&ctx, &cursor, &blocked[i]));
	assert_true(cursor_write(&ctx, &cfg, &cursor));
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
is_empty_without_events(void **state)
{
	struct config cfg = config_of(*state, true);
	struct delivery_status status = status_of("no events", &cfg);

	same_number("events", (long long)status.events, 0);
	same_number("the newest", status.newest, 0);
	same_number("waiting", (long long)status.waiting, 0);
	same_number("blocked", (long long)status.blocked, 0);
	same_number("dead", (long long)status.dead, 0);
}

static void
counts_waiting_events(void **state)
{
	static const struct {
		const char *label;
		bool delivering;
		int delivered;
		size_t waiting;
		time_t waiting_since;
	} table[] = {
		{ "nothing is delivered", true, 0, 3, T0 + 200 },
		{ "one is delivered", true, 1, 2, T0 },
		{ "all are delivered", true, 3, 0, 0 },
		{ "no receiver is configured", false, 0, 0, 0 },
	};
	char line[LINE_SIZE];

	event_line(1, 5, T0, line);
	append_event(*state, 1, 5, T0 + 200); /* the clock was set back after it */
	append_event(*state, 2, 5, T0);
	append_event(*state, 3, 5, T0 + 100);
	append_line(*state, "{\"id\":");
	for (size_t i = 0; i < ROWS(table); i++) {
		struct config cfg = config_of(*state, table[i].delivering);
		struct delivery_status status;

		save_cursor(*state, table[i].delivered * ((int64_t)strlen(line) + 1), NULL, 0);
		status = status_of(table[i].label, &cfg);
		same_number(table[i].label, (long long)status.events, 3);
		same_number(table[i].label, status.torn, 1);
		same_number(table[i].label, status.newest, T0 + 200);
		same_number(table[i].label, (long long)status.waiting, (long long)table[i].waiting);
		same_number(table[i].label, status.waiting_since, table[i].waiting_since);
	}
}

static void
counts_lines_that_are_not_events(void **state)
{
	struct config cfg = config_of(*state, true);
	struct delivery_status status;

	append_line(*state, "{\"not\":\"an event\"}");
	status = status_of("no event", &cfg);
	same_number("a complete line counts as an event", (long long)status.events, 1);
	same_number("waiting", (long long)status.waiting, 0);
}

static void
describes_a_blocked_account(void **state)
{
	static const struct blocked_account blocked[] = {
		{ 31920194, { .segment = 1, .offset = 0 }, 4, 0, T0 + 600 },
		{ 5, { .segment = 1, .offset = 0 }, 1, 0, T0 },
	};
	struct config cfg = config_of(*state, true);
	struct delivery_status status;

	append_event(*state, 1, 5, T0);
	save_cursor(*state, 0, blocked, ROWS(blocked));
	status = status_of("two accounts", &cfg);
	same_number("blocked", (long long)status.blocked, 2);
	same_number("the account", status.account_id, 31920194);
	same_number("its attempts", status.attempts, 4);
	same_number("its next attempt", status.next_at, T0 + 600);
}

static void
reports_a_position_of_a_blocked_account_that_is_not_in_the_journal(void **state)
{
	static const struct blocked_account blocked[] = {
		{ 5, { .segment = 1, .offset = 7 }, 1, 0, T0 },
	};
	struct config cfg = config_of(*state, true);

	append_event(*state, 1, 5, T0);
	save_cursor(*state, 0, blocked, ROWS(blocked));
	same_number("within a line", status_of("blocked", &cfg).damage, CURSOR_FROM_SEGMENT);
}

static void
counts_dead_letters(void **state)
{
	struct config cfg = config_of(*state, false);
	struct ctx ctx;

	append_event(*state, 1, 5, T0);
	open_ctx(&ctx);
	for (size_t n = 1; n <= 3; n++) {
		assert_true(dead_letter_append(&ctx, &cfg.store, "{\"n\":1}"));
		same_number("dead", (long long)status_of("dead letters", &cfg).dead, (long long)n);
	}
	ctx_close(&ctx);
}

static void
reports_files_that_cannot_be_read(void **state)
{
	static const struct {
		const char *label, *name, *reason;
	} table[] = {
		{ "a cursor that is a directory", "cursor", "events/cursor: Is a directory" },
		{ "a segment that is a directory", "0000000001.ndjson", "0000000001.ndjson" },
	};
	struct config cfg = config_of(*state, true);

	for (size_t i = 0; i < ROWS(table); i++) {
		struct delivery_status status;
		char path[PATH_SIZE];
		struct ctx ctx;

		events_path(*state, table[i].name, path);
		assert_int_equal(mkdir(path, 0700), 0); /* a directory cannot be read as a file */
		open_ctx(&ctx);
		same_fault(table[i].label, &ctx, delivery_queue_status(&ctx, &cfg, 0, &status),
		    FAULT_STORAGE);
		has_text(table[i].label, ctx.reason, table[i].reason);
		ctx_close(&ctx);
		assert_int_equal(rmdir(path), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(is_empty_without_events),
		IN_FOLDER(counts_waiting_events),
		IN_FOLDER(counts_lines_that_are_not_events),
		IN_FOLDER(describes_a_blocked_account),
		IN_FOLDER(reports_a_position_of_a_blocked_account_that_is_not_in_the_journal),
		IN_FOLDER(counts_dead_letters),
		IN_FOLDER(reports_files_that_cannot_be_read),
	};

	return cmocka_run_group_tests_name("delivery queue, status", tests, NULL, NULL);
}
