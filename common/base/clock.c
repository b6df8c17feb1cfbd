/* clock.c - see clock.h. */
#include "base/clock.h"

#include <string.h>

#define DAY_S        86400
#define MARCH_1_0000 (-719468LL * DAY_S) /* where date_of begins to count */
#define YEAR_10000   253402300800

int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
clock_sleep(int64_t ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

struct date {
	int year;
	int month, day; /* from 1 */
};

/* Counted from 0000-03-01, so that a leap day ends its year, and with it the 4, 100 and 400 years
 * that it stands for. */
static struct date
date_of(int64_t days)
{
	int64_t centuries = (4 * days + 3) / 146097;
	int64_t day_of_century = days - 146097 * centuries / 4;
	int64_t years = (4 * day_of_century + 3) / 1461;
	int64_t day_of_year = day_of_century - 1461 * years / 4;
	int month = (int)(5 * day_of_year + 2) / 153; /* March is 0 */

	return (struct date){ .year = (int)(100 * centuries + years) + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = (int)day_of_year - (153 * month + 2) / 5 + 1 };
}

/* A number in so many digits, and what follows it.  Returns where to go on. */
static char *
put(char *to, int64_t number, int digits, char then)
{
	for (int i = digits; i-- > 0; number /= 10)
		to[i] = (char)('0' + number % 10);
	to[digits] = then;
	return to + digits + 1;
}

/* Not by gmtime: for that the C library first reads which time zone the server is in. */
void
rfc3339_print(time_t at, char out[RFC3339_SIZE])
{
	int64_t seconds;
	struct date date;

	if (at < MARCH_1_0000 || at >= YEAR_10000) {
		memcpy(out, "0000-00-00T00:00:00Z", RFC3339_SIZE);
		return;
	}
	seconds = at - MARCH_1_0000;
	date = date_of(seconds / DAY_S);
	out = put(out, date.year, 4, '-');
	out = put(out, date.month, 2, '-');
	out = put(out, date.day, 2, 'T');
	out = put(out, seconds / 3600 % 24, 2, ':');
	out = put(out, seconds / 60 % 60, 2, ':');
	out = put(out, seconds % 60, 2, 'Z');
	*out = '\0';
}
