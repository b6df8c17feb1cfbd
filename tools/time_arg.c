/* time_arg.c - a time as a person gives it to a command. */
#include "ctl.h"

#include <string.h>

#define DIGITS              "0123456789"
#define DURATION_DIGITS_MAX 6 /* 2 700 years */

/* Reads len digits and what must follow them. */
static bool
take(const char **s, size_t len, const char *behind, int *number)
{
	size_t behind_len = strlen(behind);

	if (strspn(*s, DIGITS) < len || strncmp(*s + len, behind, behind_len) != 0)
		return false;
	*number = 0;
	for (size_t i = 0; i < len; i++)
		*number = *number * 10 + (*s)[i] - '0';
	*s += len + behind_len;
	return true;
}

/* ".5", ".123456", or nothing. */
static bool
take_fraction(const char **s, long *nanoseconds)
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
take_zone(const char *s, time_t *offset)
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
	if (!take(&s, 2, ":", &hours) || !take(&s, 2, "", &minutes) || *s != '\0' || hours > 23
	    || minutes > 59)
		return false;
	*offset = (sign == '+' ? 1 : -1) * (time_t)(hours * 3600 + minutes * 60);
	return true;
}

/* RFC 3339 section 5.6. */
static bool
read_date_time(const char *s, struct timespec *at)
{
	struct tm date = { 0 };
	int month, day, hour, minute, second;
	time_t offset;

	if (!take(&s, 4, "-", &date.tm_year) || !take(&s, 2, "-", &month) || !take(&s, 2, "", &day)
	    || (*s != 'T' && *s != 't' && *s != ' '))
		return false;
	s++;
	if (!take(&s, 2, ":", &hour) || !take(&s, 2, ":", &minute) || !take(&s, 2, "", &second)
	    || !take_fraction(&s, &at->tv_nsec) || !take_zone(s, &offset))
		return false;
	date.tm_year -= 1900;
	date.tm_mon = month - 1;
	date.tm_mday = day;
	at->tv_sec = timegm(&date) + hour * 3600 + minute * 60 + second - offset;
	/* timegm makes 2 March of 30 February, so a day that is none changes the month */
	return date.tm_mon == month - 1 && hour <= 23 && minute <= 59 && second <= 60;
}

/* "90s", "15m", "2h", "3d": how long ago. */
static bool
read_duration(const char *s, struct timespec *at)
{
	static const struct {
		char letter;
		time_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strspn(s, DIGITS);
	int number;

	if (len == 0 || len > DURATION_DIGITS_MAX || !take(&s, len, "", &number))
		return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (s[0] == units[i].letter && s[1] == '\0') {
			clock_gettime(CLOCK_REALTIME, at);
			at->tv_sec -= number * units[i].seconds;
			return true;
		}
	return false;
}

bool
ctl_time_arg(const char *text, struct timespec *at)
{
	return read_date_time(text, at) || read_duration(text, at);
}
