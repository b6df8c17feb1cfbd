/* rfc3339.c - see rfc3339.h. */
#include "base/rfc3339.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DAY_S        86400
#define MARCH_1_0000 (-719468LL * DAY_S) /* where date_of begins to count */
#define YEAR_10000   253402300800
#define DIGITS       "0123456789"

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
rfc3339_write(time_t at, char out[RFC3339_SIZE])
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

void
rfc3339_write_ms(const struct timespec *at, char out[RFC3339_MS_SIZE])
{
	char seconds[RFC3339_SIZE];

	rfc3339_write(at->tv_sec, seconds);
	snprintf(out, RFC3339_MS_SIZE, "%.*s.%03uZ", (int)(RFC3339_SIZE - sizeof "Z"), seconds,
	    (unsigned)(at->tv_nsec / 1000000 % 1000));
}

/* Reads len digits and what must follow them. */
static bool
read_digits(const char **s, size_t len, const char *then, int *number)
{
	size_t then_len = strlen(then);

	if (strspn(*s, DIGITS) < len || strncmp(*s + len, then, then_len) != 0)
		return false;
	*number = 0;
	for (size_t i = 0; i < len; i++)
		*number = *number * 10 + (*s)[i] - '0';
	*s += len + then_len;
	return true;
}

/* ".5", ".123456", or nothing. */
static bool
read_fraction(const char **s, long *nanoseconds)
{
	long unit = 100000000;
	size_t len;

	*nanoseconds = 0;
	if (**s != '.')
		return true;
	len = strspn(*s + 1, DIGITS);
	for (size_t i = 1; i <= len && unit > 0; i++, unit /= 10)
		*nanoseconds += ((*s)[i] - '0') * unit;
	*s += len + 1;
	return len > 0;
}

/* "Z", or "+03:00"; then the end. */
static bool
read_zone(const char *s, time_t *offset)
{
	char sign = *s;
	int hours;
	int minutes;

	*offset = 0;
	if ((sign == 'Z' || sign == 'z') && s[1] == '\0')
		return true;
	if (sign != '+' && sign != '-')
		return false;
	s++;
	if (!read_digits(&s, 2, ":", &hours) || !read_digits(&s, 2, "", &minutes) || *s != '\0'
	    || hours > 23 || minutes > 59)
		return false;
	*offset = (sign == '+' ? 1 : -1) * (time_t)(hours * 3600 + minutes * 60);
	return true;
}

/* The inverse of date_of. */
static int64_t
days_of(const struct date *date)
{
	int64_t years = date->month > 2 ? date->year : date->year - 1;
	int64_t month = date->month > 2 ? date->month - 3 : date->month + 9; /* March is 0 */

	return 365 * years + years / 4 - years / 100 + years / 400 + (153 * month + 2) / 5
	    + date->day - 1;
}

static bool
date_exists(const struct date *date)
{
	struct date same = date_of(days_of(date));

	return date->month >= 1 && date->month <= 12 && date->day >= 1 && same.month == date->month
	    && same.day == date->day;
}

/* Not by timegm: the C library would bring its time zones into every program that reads a date. */
bool
rfc3339_parse(const char *s, struct timespec *at)
{
	struct date date;
	int hour, minute, second;
	time_t offset;

	if (!read_digits(&s, 4, "-", &date.year) || !read_digits(&s, 2, "-", &date.month)
	    || !read_digits(&s, 2, "", &date.day) || (*s != 'T' && *s != 't' && *s != ' '))
		return false;
	s++;
	if (!read_digits(&s, 2, ":", &hour) || !read_digits(&s, 2, ":", &minute)
	    || !read_digits(&s, 2, "", &second) || !read_fraction(&s, &at->tv_nsec)
	    || !read_zone(s, &offset) || hour > 23 || minute > 59 || second > 60
	    || !date_exists(&date))
		return false;
	at->tv_sec =
	    MARCH_1_0000 + days_of(&date) * DAY_S + hour * 3600 + minute * 60 + second - offset;
	return true;
}
