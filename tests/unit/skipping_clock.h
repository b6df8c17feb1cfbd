/* skipping_clock.h - a clock in place of base/clock.c, for tests that wait out a limit of seconds.
 *
 * While skipping_clock.skips is true, a sleep takes no real time: the clock advances by its length
 * at once.  Real time counts as well.  By this clock, a wait takes as long as by the real one.
 */
#ifndef SKIPPING_CLOCK_H
#define SKIPPING_CLOCK_H

#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

static struct {
	bool skips;
	int64_t skipped_ms;
} skipping_clock;

int64_t
clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + skipping_clock.skipped_ms;
}

void
clock_sleep(int64_t ms)
{
	struct timespec duration = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (skipping_clock.skips)
		skipping_clock.skipped_ms += ms;
	else
		nanosleep(&duration, NULL);
}

#endif
