/* test_dedup.c - which events are repetitions. */
#include "../../table.h"

/* The commands' files are no library. */
#include "events/dedup.c"

#include <stdio.h>

#define T0     1795320000
#define ID_A   "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define ID_B   "a1b2c3d4e5f60718293a4b5c6d7e8f91a1b2c3d4e5f60718293a4b5c6d7e8f90"
#define EVENTS 20000 /* so that the table grows several times */

static bool
seen_at(struct dedup *dedup, const char *id, time_t at, int64_t offset)
{
	const struct journal_position position = { 1, offset };

	return dedup_seen(dedup, id, at, &position);
}

/* One journal for each row: what comes at the offsets 1, 2 and 3. */
static void
tells_repetitions(void **state)
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
		{ "the same twice",
		    { { ID_A, T0, 1, false }, { ID_A, T0, 2, true }, { ID_A, T0 + 1, 3, true } } },
		{ "another one",
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
		{ "the same one again, at its own place",
		    { { ID_A, T0, 1, false }, { ID_A, T0, 1, false }, { ID_A, T0, 2, true } } },
		{ "an earlier place is looked at after a later one",
		    { { ID_A, T0, 2, false }, { ID_A, T0, 1, false }, { ID_A, T0, 3, true } } },
		{ "the clock went back",
		    { { ID_A, T0, 1, false }, { ID_A, T0 - 3600, 2, true },
			{ ID_A, T0, 3, true } } },
		{ "what is no id is no repetition",
		    { { "", T0, 1, false }, { "", T0, 2, false }, { "x", T0, 3, false } } },
		{ "nor is half an id",
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
remembers_many(void **state)
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
	same_number("none twice", (long long)dedup.count, EVENTS);
	dedup_close(&dedup);
}

/* Whoever follows for months must not need memory for all of them. */
static void
forgets_what_is_over(void **state)
{
	struct dedup dedup = { 0 };
	char id[65];

	(void)state;
	for (int n = 0; n < 20 * EVENTS; n++) {
		id_of(n, id);
		assert_false(seen_at(&dedup, id, T0 + n * (DEDUP_WINDOW_S / 1000), n));
	}
	DEMAND("a thousand a day need a small table", dedup.size <= 16 * SIZE_FIRST);
	dedup_close(&dedup);
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
		cmocka_unit_test(tells_repetitions),
		cmocka_unit_test(remembers_many),
		cmocka_unit_test(forgets_what_is_over),
		cmocka_unit_test(can_be_closed_at_any_time),
	};

	return cmocka_run_group_tests_name("dedup", tests, NULL, NULL);
}
