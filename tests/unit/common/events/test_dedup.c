/* test_dedup.c - which events repeat earlier ones. */
#include "event_lines.h"

/* The module itself, for INITIAL_SIZE, which is private to it. */
#include "events/dedup.c"

#define T0     1795320000
#define ID_A   "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define ID_B   "a1b2c3d4e5f60718293a4b5c6d7e8f91a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define EVENTS 20000 /* so that the table grows several times */

static bool
seen_at(struct dedup *dedup, const char *id, time_t at, int64_t offset)
{
	const struct journal_position position = { .segment = 1, .offset = offset };

	return dedup_seen(dedup, id, at, &position);
}

/* Each row is a journal: three events with their offsets. */
static void
recognizes_repetitions(void **state)
{
	static const struct {
		const char *label;
		struct {
			const char *id;
			time_t at;
			int64_t offset;
			bool repetition;
		} event[3];
	} table[] = {
		{ "the same id again",
		    { { ID_A, T0, 1, false }, { ID_A, T0, 2, true }, { ID_A, T0 + 1, 3, true } } },
		{ "another id in between",
		    { { ID_A, T0, 1, false }, { ID_B, T0, 2, false }, { ID_A, T0, 3, true } } },
		{ "a second less than a day later",
		    { { ID_A, T0, 1, false }, { ID_A, T0 + DEDUP_WINDOW_S - 1, 2, true },
			{ ID_B, T0, 3, false } } },
		{ "a day later it is another event",
		    { { ID_A, T0, 1, false }, { ID_A, T0 + DEDUP_WINDOW_S, 2, false },
			{ ID_A, T0 + DEDUP_WINDOW_S + 1, 3, true } } },
		{ "a day counts from the first, not from a repetition",
		    { { ID_A, T0, 1, false }, { ID_A, T0 + DEDUP_WINDOW_S - 1, 2, true },
			{ ID_A, T0 + DEDUP_WINDOW_S, 3, false } } },
		{ "the same event again, at its own position",
		    { { ID_A, T0, 1, false }, { ID_A, T0, 1, false }, { ID_A, T0, 2, true } } },
		{ "an earlier position after a later one",
		    { { ID_A, T0, 2, false }, { ID_A, T0, 1, false }, { ID_A, T0, 3, true } } },
		{ "the clock was set back",
		    { { ID_A, T0, 1, false }, { ID_A, T0 - 3600, 2, true },
			{ ID_A, T0, 3, true } } },
		{ "the clock was set back by a second less than a day",
		    { { ID_A, T0, 1, false }, { ID_A, T0 - DEDUP_WINDOW_S + 1, 2, true },
			{ ID_A, T0, 3, true } } },
		{ "the clock was set back by a day",
		    { { ID_A, T0, 1, false }, { ID_A, T0 - DEDUP_WINDOW_S, 2, false },
			{ ID_A, T0 - DEDUP_WINDOW_S + 1, 3, true } } },
		{ "an earlier position a day before a later one",
		    { { ID_A, T0, 2, false }, { ID_A, T0 - DEDUP_WINDOW_S, 1, false },
			{ ID_A, T0 + 1, 3, true } } },
		{ "an invalid id is never a repetition",
		    { { "", T0, 1, false }, { "", T0, 2, false }, { "x", T0, 3, false } } },
		{ "nor is an id that is cut short",
		    { { "a1b2c3", T0, 1, false }, { "a1b2c3", T0, 2, false },
			{ "a1b2c3d4e5f60718293a4b5c6d7e8f9", T0, 3, false } } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct dedup dedup = { 0 };

		for (size_t j = 0; j < ROWS(table[i].event); j++)
			if (seen_at(&dedup, table[i].event[j].id, table[i].event[j].at,
				table[i].event[j].offset)
			    != table[i].event[j].repetition)
				fail_msg("%s: event %zu", table[i].label, j + 1);
		dedup_close(&dedup);
	}
}

static void
id_of(int n, char id[65])
{
	snprintf(id, 65, "%08x%08x%048x", (unsigned)n * 2654435761u, (unsigned)n, 0u);
}

static void
recognizes_repetitions_of_many_events(void **state)
{
	struct dedup dedup = { 0 };
	char id[65];

	(void)state;
	for (int n = 0; n < EVENTS; n++) {
		id_of(n, id);
		assert_false(seen_at(&dedup, id, T0 + n / 10, n));
	}
	for (int n = 0; n < EVENTS; n++) {
		id_of(n, id);
		assert_true(seen_at(&dedup, id, T0 + n / 10 + 60, EVENTS + n));
	}
	same_number("entries", (long long)dedup.count, EVENTS);
	dedup_close(&dedup);
}

/* A process that delivers for months must not need memory for all events. */
static void
forgets_events_outside_the_window(void **state)
{
	struct dedup dedup = { 0 };
	char id[65];

	(void)state;
	for (int n = 0; n < 20 * EVENTS; n++) {
		id_of(n, id);
		assert_false(seen_at(&dedup, id, T0 + n * (DEDUP_WINDOW_S / 1000), n));
	}
	DEMAND("a thousand a day need a small table", dedup.size <= 16 * INITIAL_SIZE);
	dedup_close(&dedup);
}

static void
loads_the_events_before_a_position(void **state)
{
	static const struct {
		const char *label;
		int64_t end; /* the number of events before it */
		bool seen[3];
	} table[] = {
		{ "all", 3, { true, true, true } },
		{ "all but the last", 2, { true, true, false } },
		{ "none", 0, { false, false, false } },
	};
	struct journal journal = { .path = *state };
	char line[LINE_SIZE];
	int64_t len;

	event_line(0, 5, T0, line);
	len = (int64_t)strlen(line) + 1;
	for (int n = 0; n < 3; n++)
		append_event(*state, n, 5, T0);
	append_line(*state, "{\"not\":\"an event\"}");
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct journal_position end = { .segment = 1, .offset = table[i].end * len };
		struct dedup dedup = { 0 };
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(
		    table[i].label, &ctx, dedup_load(&ctx, &dedup, &journal, 0, &end), FAULT_NONE);
		for (int n = 0; n < 3; n++) {
			char id[65];

			snprintf(id, sizeof id, "%032x%032x", (unsigned)n, (unsigned)n);
			DEMAND(table[i].label,
			    seen_at(&dedup, id, T0 + 60, 9 * len) == table[i].seen[n]);
		}
		dedup_close(&dedup);
		ctx_close(&ctx);
	}
}

static void
reports_a_journal_that_cannot_be_read(void **state)
{
	const struct journal_position end = { .segment = 1, .offset = 0 };
	char path[PATH_SIZE];
	struct journal journal = { .path = path };
	struct dedup dedup = { 0 };
	struct ctx ctx;

	path_in(*state, "missing", path);
	open_ctx(&ctx);
	same_fault("no store", &ctx, dedup_load(&ctx, &dedup, &journal, 0, &end), FAULT_STORAGE);
	dedup_close(&dedup);
	ctx_close(&ctx);
}

static void
can_be_closed_at_any_time(void **state)
{
	struct dedup dedup = { 0 };

	(void)state;
	dedup_close(&dedup);
	assert_false(seen_at(&dedup, ID_A, T0, 1));
	dedup_close(&dedup);
	assert_false(seen_at(&dedup, ID_A, T0, 2));
	dedup_close(&dedup);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recognizes_repetitions),
		cmocka_unit_test(recognizes_repetitions_of_many_events),
		cmocka_unit_test(forgets_events_outside_the_window),
		IN_FOLDER(loads_the_events_before_a_position),
		IN_FOLDER(reports_a_journal_that_cannot_be_read),
		cmocka_unit_test(can_be_closed_at_any_time),
	};

	return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}
