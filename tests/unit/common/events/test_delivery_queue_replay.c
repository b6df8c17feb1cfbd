/* test_delivery_queue_replay.c - which events of the journal a replay visits. */
#include "event_lines.h"

#include "events/delivery_queue.h"

#define T0   1795320000
#define LIST 128

struct visited {
	char numbers[LIST];
	int stop_at; /* the number of the event whose visit is false; 0: none */
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
visits_the_events_of_a_time_range(void **state)
{
	static const struct {
		const char *label;
		time_t since, until;
		const char *expected;
	} table[] = {
		{ "all", 0, T0 + 1000, "1 2 3 4" },
		{ "both ends are included", T0 + 100, T0 + 200, "2 3" },
		{ "since is a second later", T0 + 101, T0 + 200, "3" },
		{ "until is a second earlier", T0 + 100, T0 + 199, "2" },
		{ "between two events", T0 + 101, T0 + 199, "" },
		{ "until is before since", T0 + 200, T0 + 100, "" },
	};

	visits("without events", *state, 0, T0, "");
	for (int n = 1; n <= 4; n++)
		append_event(*state, n, n % 2, T0 + (n - 1) * 100);
	for (size_t i = 0; i < ROWS(table); i++)
		visits(table[i].label, *state, table[i].since, table[i].until, table[i].expected);
}

static void
skips_repetitions(void **state)
{
	append_event(*state, 1, 5, T0);
	append_event(*state, 1, 5, T0 + 60);
	append_event(*state, 2, 5, T0 + 60);
	append_event(*state, 1, 5, T0 + 86400);
	visits("within a day", *state, 0, T0 + 60, "1 2");
	visits("after a day", *state, 0, T0 + 86400, "1 2 1");
	visits("the first occurrence is outside the range", *state, T0 + 1, T0 + 60, "1 2");
}

static void
skips_lines_that_are_not_events(void **state)
{
	append_event(*state, 1, 5, T0);
	append_line(*state, "{\"not\":\"an event\"}");
	append_line(*state, "{\"id\":");
	append_event(*state, 2, 5, T0);
	visits("the events", *state, 0, T0, "1 2");
}

static void
stops_at_a_false_visit(void **state)
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
reports_a_missing_store(void **state)
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

static bool
replay_step(struct ctx *ctx, void *arg)
{
	struct store_config cfg = { .path = arg };
	struct visited visited = { .numbers = "" };
	bool ok = delivery_queue_replay(ctx, &cfg, 0, T0, visit, &visited);

	if (ok)
		same_text("not skipped", visited.numbers, "1");
	return ok;
}

static void
reports_a_full_arena(void **state)
{
	append_event(*state, 1, 5, T0);
	try_small_arenas("replay", replay_step, *state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(visits_the_events_of_a_time_range),
		IN_FOLDER(skips_repetitions),
		IN_FOLDER(skips_lines_that_are_not_events),
		IN_FOLDER(stops_at_a_false_visit),
		IN_FOLDER(reports_a_missing_store),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("delivery queue, replay", tests, NULL, NULL);
}
