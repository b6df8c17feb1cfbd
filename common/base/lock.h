/* lock.h - waiting for one's turn, with a bound.
 *
 * One file serves any number of locks: each is one byte of it, locked as an open file description
 * (F_OFD_SETLK), so a lock ends with its process and leaves nothing to clean up.
 */
#ifndef LOCK_H
#define LOCK_H

#include "base/ctx.h"

#include <stdint.h>

struct lock {
	int fd;
};

/* Takes the lock at that offset of the file, which is created when it is not there.
 * Fault: FAULT_UNAVAILABLE when somebody else has it for longer than wait_ms; FAULT_STORAGE. */
bool lock_take(
    struct ctx *ctx, const char *path, int64_t offset, int64_t wait_ms, struct lock *lock);

void lock_release(struct lock *lock);

#endif
