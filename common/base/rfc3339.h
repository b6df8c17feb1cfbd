/* rfc3339.h - dates and times as text (RFC 3339 section 5.6).
 */
#ifndef RFC3339_H
#define RFC3339_H

#include <stdbool.h>
#include <time.h>

/* "2026-11-22T04:19:00Z"; UTC.  A time outside the years 0000 to 9999 is all zeros. */
#define RFC3339_SIZE sizeof "2026-11-22T04:19:00Z"
void rfc3339_write(time_t at, char out[RFC3339_SIZE]);

/* "2026-11-22T04:19:00.123Z", which sorts as time does. */
#define RFC3339_MS_SIZE sizeof "2026-11-22T04:19:00.123Z"
void rfc3339_write_ms(const struct timespec *at, char out[RFC3339_MS_SIZE]);

/* Any date-time from March of the year 0 on: "Z" or an offset, and a fraction, read to nanoseconds.
 * False: s is not one. */
bool rfc3339_parse(const char *s, struct timespec *at);

#endif
