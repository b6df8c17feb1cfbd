/* test_clock.c - the two clocks. */
#include "../../table.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>

static void
prints_rfc_3339(void **state)
{
	static const struct {
		const char *label;
		int64_t at;
		const char *expected;
	} table[] = {
		{ "the epoch", 0, "1970-01-01T00:00:00Z" },
		{ "before it", -1, "1969-12-31T23:59:59Z" },
		{ "a leap day", 951782400, "2000-02-29T00:00:00Z" },
		{ "beyond 32 bits", 4294967296, "2106-02-07T06:28:16Z" },
		{ "the header's example", 1795321140, "2026-11-22T04:19:00Z" },
		{ "the last second of the year 9999", 253402300799, "9999-12-31T23:59:59Z" },
		{ "the year 10000", 253402300800, "0000-00-00T00:00:00Z" },
		{ "no year at all", INT64_MAX, "0000-00-00T00:00:00Z" },
		{ "the first day that is counted", -62162035200, "0000-03-01T00:00:00Z" },
		{ "the second before it", -62162035201, "0000-00-00T00:00:00Z" },
		{ "no year at all, before it", INT64_MIN, "0000-00-00T00:00:00Z" },
	};

	(void)state;
	setenv("TZ", "Asia/Kathmandu", 1); /* UTC, wherever the server stands */
	tzset();
	for (size_t i = 0; i < ROWS(table); i++) {
		char out[RFC3339_SIZE];

		memset(out, 'x', sizeof out);
		rfc3339_print((time_t)table[i].at, out);
		same_text(table[i].label, out, table[i].expected);
	}
}

/* The C library's calendar, day by day up to the year 2800. */
static void
knows_every_day_of_the_calendar(void **state)
{
	(void)state;
	for (time_t at = -62162035200; at < 26192246400; at += 86399) {
		char out[RFC3339_SIZE];
		char expected[64];
		struct tm utc;

		rfc3339_print(at, out);
		gmtime_r(&at, &utc);
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		    utc.tm_sec);
		if (strcmp(out, expected) != 0)
			same_text("a day", out, expected);
	}
}

static void
counts_milliseconds_forward(void **state)
{
	int64_t start = clock_ms();
	int64_t before = start;
	struct timespec now;
	int64_t there;

	(void)state;
	while (clock_ms() < start + 3) {
		int64_t at = clock_ms();

		assert_true(at >= before);
		before = at;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	there = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	assert_true(there >= before && there - before < 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_rfc_3339),
		cmocka_unit_test(knows_every_day_of_the_calendar),
		cmocka_unit_test(counts_milliseconds_forward),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
