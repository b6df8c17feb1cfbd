/* clock.h - the monotonic clock, for deadlines and timeouts.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary moment in the past. */
int64_t clock_ms(void);

/* Sleeps for so many milliseconds, or until a signal handler has run. */
void clock_sleep(int64_t ms);

#endif
