/* clock.h - a clock that is never set back, for deadlines and waits.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Milliseconds since some moment in the past. */
int64_t clock_ms(void);

/* Sleeps for that long, or until a signal handler has run. */
void clock_sleep(int64_t ms);

#endif
