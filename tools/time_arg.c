/* time_arg.c - a time as an argument of a command. */
#include "ctl.h"

#include "base/rfc3339.h"

#include <string.h>

#define DIGITS              "0123456789"
#define DURATION_DIGITS_MAX 6 /* 2 700 years */

/* "90s", "15m", "2h", "3d": a duration before now. */
static bool
read_duration(const char *s, struct timespec *at)
{
	static const struct {
		char letter;
		time_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strspn(s, DIGITS);
	int number = 0;

	if (len == 0 || len > DURATION_DIGITS_MAX)
		return false;
	for (; len > 0; len--)
		number = number * 10 + *s++ - '0';
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (s[0] == units[i].letter && s[1] == '\0') {
			clock_gettime(CLOCK_REALTIME, at);
			at->tv_sec -= number * units[i].seconds;
			return true;
		}
	return false;
}

bool
time_arg_parse(const char *text, struct timespec *at)
{
	return rfc3339_parse(text, at) || read_duration(text, at);
}
