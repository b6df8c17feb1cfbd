/* clock.h - the two clocks: one for how long, one for when (RFC 3339).
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of a clock that is never set back; for deadlines and waits. */
int64_t clock_ms(void);

/* Sleeps for so long, or until a signal is handled. */
void clock_sleep(int64_t ms);

/* "2026-11-22T04:19:00Z"; UTC. */
#define RFC3339_SIZE sizeof "2026-11-22T04:19:00Z"
void rfc3339_print(time_t at, char out[RFC3339_SIZE]);

#endif
