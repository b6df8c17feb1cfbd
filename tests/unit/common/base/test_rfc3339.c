/* test_rfc3339.c - dates and times, written and read. */
#include "../../table.h"

#include "base/rfc3339.h"

#include <stdio.h>
#include <stdlib.h>

static void
writes_rfc_3339(void **state)
{
	static const struct {
		const char *label;
		int64_t at;
		const char *expected;
	} table[] = {
		{ "the epoch", 0, "1970-01-01T00:00:00Z" },
		{ "the second before the epoch", -1, "1969-12-31T23:59:59Z" },
		{ "a leap day", 951782400, "2000-02-29T00:00:00Z" },
		{ "beyond 32 bits", 4294967296, "2106-02-07T06:28:16Z" },
		{ "a time of 2026", 1795321140, "2026-11-22T04:19:00Z" },
		{ "the last second of the year 9999", 253402300799, "9999-12-31T23:59:59Z" },
		{ "the year 10000", 253402300800, "0000-00-00T00:00:00Z" },
		{ "the largest number of seconds", INT64_MAX, "0000-00-00T00:00:00Z" },
		{ "the first day that is supported", -62162035200, "0000-03-01T00:00:00Z" },
		{ "the second before that day", -62162035201, "0000-00-00T00:00:00Z" },
		{ "the smallest number of seconds", INT64_MIN, "0000-00-00T00:00:00Z" },
	};

	(void)state;
	setenv("TZ", "Asia/Kathmandu", 1); /* UTC is written in any time zone */
	tzset();
	for (size_t i = 0; i < ROWS(table); i++) {
		char out[RFC3339_SIZE];

		memset(out, 'x', sizeof out);
		rfc3339_write((time_t)table[i].at, out);
		same_text(table[i].label, out, table[i].expected);
	}
}

/* Compares every day up to the year 2800 with the C library's calendar. */
static void
agrees_with_the_c_library_on_every_day(void **state)
{
	(void)state;
	for (time_t at = -62162035200; at < 26192246400; at += 86399) {
		char out[RFC3339_SIZE];
		char expected[64];
		struct timespec read;
		struct tm utc;

		rfc3339_write(at, out);
		gmtime_r(&at, &utc);
		snprintf(expected, sizeof expected, "%04d-%02d-%02dT%02d:%02d:%02dZ",
		    utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
		    utc.tm_sec);
		if (strcmp(out, expected) != 0)
			same_text("a day", out, expected);
		if (!rfc3339_parse(out, &read) || read.tv_sec != at)
			fail_msg("%s is read as %lld", out, (long long)read.tv_sec);
	}
}

static void
writes_milliseconds_in_a_sortable_form(void **state)
{
	static const struct {
		const char *label;
		struct timespec at;
		const char *expected;
	} table[] = {
		{ "the epoch", { 0, 0 }, "1970-01-01T00:00:00.000Z" },
		{ "truncated, not rounded", { 1795321140, 999999999 }, "2026-11-22T04:19:00.999Z" },
		{ "a single millisecond", { 1795321140, 1000000 }, "2026-11-22T04:19:00.001Z" },
		{ "just under a millisecond", { 1795321140, 999999 }, "2026-11-22T04:19:00.000Z" },
		{ "the last second of the year 9999", { 253402300799, 0 },
		    "9999-12-31T23:59:59.000Z" },
		{ "after the year 9999", { 253402300800, 0 }, "0000-00-00T00:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char got[RFC3339_MS_SIZE];

		rfc3339_write_ms(&table[i].at, got);
		same_text(table[i].label, got, table[i].expected);
	}
}

static void
reads_rfc_3339(void **state)
{
	static const struct {
		const char *label, *text;
		bool valid;
		struct timespec expected;
	} table[] = {
		{ "UTC", "2026-11-22T04:19:00Z", true, { 1795321140, 0 } },
		{ "lower-case letters", "2026-11-22t04:19:00z", true, { 1795321140, 0 } },
		{ "a space for the T", "2026-11-22 04:19:00Z", true, { 1795321140, 0 } },
		{ "milliseconds", "2026-11-22T04:19:00.123Z", true, { 1795321140, 123000000 } },
		{ "more than nanoseconds", "2026-11-22T04:19:00.1234567899Z", true,
		    { 1795321140, 123456789 } },
		{ "east of Greenwich", "2026-11-22T06:19:00+02:00", true, { 1795321140, 0 } },
		{ "west of Greenwich", "2026-11-22T00:49:00-03:30", true, { 1795321140, 0 } },
		{ "a leap second", "2016-12-31T23:59:60Z", true, { 1483228800, 0 } },
		{ "a leap day", "2024-02-29T00:00:00Z", true, { 1709164800, 0 } },
		{ "before 1970", "1969-12-31T23:59:59Z", true, { -1, 0 } },
		{ "a century without a leap day", "1900-02-29T00:00:00Z", false, { 0 } },
		{ "a century with a leap day", "2000-02-29T00:00:00Z", true, { 951782400, 0 } },
		{ "the last second of the year 9999", "9999-12-31T23:59:59Z", true,
		    { 253402300799, 0 } },
		{ "before March of the year 0", "0000-02-29T00:00:00Z", false, { 0 } },
		{ "March of the year 0", "0000-03-01T00:00:00Z", true, { -62162035200, 0 } },
		{ "31 April", "2026-04-31T00:00:00Z", false, { 0 } },
		{ "day 0", "2026-04-00T00:00:00Z", false, { 0 } },
		{ "day 0 of the first month", "0000-03-00T04:19:00Z", false, { 0 } },
		{ "a leap day that does not exist", "2023-02-29T00:00:00Z", false, { 0 } },
		{ "month 13", "2026-13-01T00:00:00Z", false, { 0 } },
		{ "month 0", "2026-00-01T00:00:00Z", false, { 0 } },
		{ "hour 24", "2026-11-22T24:00:00Z", false, { 0 } },
		{ "minute 60", "2026-11-22T04:60:00Z", false, { 0 } },
		{ "second 61", "2026-11-22T04:19:61Z", false, { 0 } },
		{ "an offset of 24 hours", "2026-11-22T04:19:00+24:00", false, { 0 } },
		{ "an offset without minutes", "2026-11-22T04:19:00+02", false, { 0 } },
		{ "no zone", "2026-11-22T04:19:00", false, { 0 } },
		{ "a point without digits", "2026-11-22T04:19:00.Z", false, { 0 } },
		{ "a letter after the zone", "2026-11-22T04:19:00Zx", false, { 0 } },
		{ "only a date", "2026-11-22", false, { 0 } },
		{ "a duration", "2h", false, { 0 } },
		{ "an empty text", "", false, { 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct timespec at = { 0 };

		DEMAND(table[i].label, rfc3339_parse(table[i].text, &at) == table[i].valid);
		if (table[i].valid) {
			same_number(table[i].label, at.tv_sec, table[i].expected.tv_sec);
			same_number(table[i].label, at.tv_nsec, table[i].expected.tv_nsec);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_rfc_3339),
		cmocka_unit_test(agrees_with_the_c_library_on_every_day),
		cmocka_unit_test(writes_milliseconds_in_a_sortable_form),
		cmocka_unit_test(reads_rfc_3339),
	};

	return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
