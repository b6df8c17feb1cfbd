/* test_clock.c - a clock that never goes back. */
#include "../../table.h"

#include "base/clock.h"

#include <time.h>

static void
counts_milliseconds_forward(void **state)
{
	int64_t start = clock_ms();
	int64_t before = start;
	struct timespec now;
	int64_t expected;

	(void)state;
	while (clock_ms() < start + 3) {
		int64_t at = clock_ms();

		assert_true(at >= before);
		before = at;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	expected = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	assert_true(expected >= before && expected - before < 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_milliseconds_forward),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
