/* test_delivery_queue_replay.c - which events are visited again. */
#include "event_lines.h"

#include "events/delivery_queue.h"

#define T0   1795320000
#define LIST 128

struct visited {
	char numbers[LIST];
	int stop_at; /* the number whose visit is false; 0: none */
};

static bool
visit(struct ctx *ctx, void *arg, const struct stored_event *event)
{
	struct visited *visited = arg;
	size_t len = strlen(visited->numbers);

	(void)ctx;
	if (event_number(event) == visited->stop_at)
		return false;
	snprintf(
	    visited->numbers + len, LIST - len, "%s%d", len == 0 ? "" : " ", event_number(event));
	return true;
}

static void
visits(const char *label, const char *store, time_t since, time_t until, const char *expected)
{
	struct store_config cfg = { .path = store };
	struct visited visited = { .numbers = "" };
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(label, &ctx, delivery_queue_replay(&ctx, &cfg, since, until, visit, &visited),
	    FAULT_NONE);
	same_text(label, visited.numbers, expected);
	ctx_close(&ctx);
}

static void
visits_the_events_of_a_time(void **state)
{
	static const struct {
		const char *label;
		time_t since, until;
		const char *expected;
	} table[] = {
		{ "all", 0, T0 + 1000, "1 2 3 4" },
		{ "both ends belong to it", T0 + 100, T0 + 200, "2 3" },
		{ "a second less at the beginning", T0 + 101, T0 + 200, "3" },
		{ "a second less at the end", T0 + 100, T0 + 199, "2" },
		{ "none", T0 + 101, T0 + 199, "" },
		{ "the end before the beginning", T0 + 200, T0 + 100, "" },
	};

	visits("without events", *state, 0, T0, "");
	for (int n = 1; n <= 4; n++)
		append_event(*state, n, n % 2, T0 + (n - 1) * 100);
	for (size_t i = 0; i < ROWS(table); i++)
		visits(table[i].label, *state, table[i].since, table[i].until, table[i].expected);
}

static void
visits_no_repetition(void **state)
{
	append_event(*state, 1, 5, T0);
	append_event(*state, 1, 5, T0 + 60);
	append_event(*state, 2, 5, T0 + 60);
	append_event(*state, 1, 5, T0 + 86400);
	visits("within a day", *state, 0, T0 + 60, "1 2");
	visits("after a day", *state, 0, T0 + 86400, "1 2 1");
	visits("of an event that is not in the range", *state, T0 + 1, T0 + 60, "1 2");
}

static void
visits_only_events(void **state)
{
	append_event(*state, 1, 5, T0);
	append_line(*state, "{\"not\":\"an event\"}");
	append_line(*state, "{\"id\":");
	append_event(*state, 2, 5, T0);
	visits("the others", *state, 0, T0, "1 2");
}

static void
ends_with_a_false_visit(void **state)
{
	struct store_config cfg = { .path = *state };
	struct visited visited = { .stop_at = 2 };
	struct ctx ctx;

	for (int n = 1; n <= 3; n++)
		append_event(*state, n, 5, T0);
	open_ctx(&ctx);
	assert_false(delivery_queue_replay(&ctx, &cfg, 0, T0, visit, &visited));
	same_number("no fault", ctx.kind, FAULT_NONE);
	same_text("visited", visited.numbers, "1");
	ctx_close(&ctx);
}

static void
says_when_there_is_no_store(void **state)
{
	char path[PATH_SIZE];
	struct store_config cfg = { .path = path };
	struct visited visited = { .stop_at = 0 };
	struct ctx ctx;

	path_in(*state, "missing", path);
	open_ctx(&ctx);
	same_fault("no store", &ctx, delivery_queue_replay(&ctx, &cfg, 0, T0, visit, &visited),
	    FAULT_STORAGE);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(visits_the_events_of_a_time),
		IN_FOLDER(visits_no_repetition),
		IN_FOLDER(visits_only_events),
		IN_FOLDER(ends_with_a_false_visit),
		IN_FOLDER(says_when_there_is_no_store),
	};

	return cmocka_run_group_tests_name("delivery queue, replay", tests, NULL, NULL);
}
