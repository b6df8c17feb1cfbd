/* clock.c - see clock.h. */
#include "clock.h"

#include <string.h>

int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
rfc3339_print(time_t at, char out[RFC3339_SIZE])
{
	struct tm utc;

	if (gmtime_r(&at, &utc) == NULL
	    || strftime(out, RFC3339_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
		memcpy(out, "0000-00-00T00:00:00Z", RFC3339_SIZE); /* past the year 9999 */
}
