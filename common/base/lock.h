/* lock.h - inter-process locks with a timeout.
 *
 * One file serves any number of locks: each is one byte of it, locked for its open file description
 * (an OFD lock, see fcntl(2)).  The kernel releases such a lock when its holder ends, however it
 * ends, so no lock is ever left behind.
 */
#ifndef LOCK_H
#define LOCK_H

#include "base/ctx.h"

#include <stdint.h>

struct lock {
	int fd;
};

/* Takes the lock at that offset of the file, which is created if there is none.
 * Fault: FAULT_UNAVAILABLE when another holder keeps the lock for longer than wait_ms;
 * FAULT_STORAGE. */
bool lock_acquire(
    struct ctx *ctx, const char *path, int64_t offset, int64_t wait_ms, struct lock *lock);

void lock_release(struct lock *lock);

/* A lock whose holder hangs, to judge by how long it has kept the lock.  The kernel does not tell
 * which process holds an OFD lock; lsof(8) finds those that have the file open. */
struct stale_lock {
	const char *path; /* of the file; NULL: no lock is stale */
	int64_t offset;
	int64_t held_ms; /* at least */
};

/* Looks for a lock among the len bytes at offset, or all bytes from there if len is 0, that stays
 * locked for limit_ms while this watches.  Takes no lock and creates no file.  Returns at once if
 * nothing is locked, and after twice the limit at the latest.
 * Fault: FAULT_STORAGE when the file is there and cannot be opened. */
bool lock_find_stale(struct ctx *ctx, const char *path, int64_t offset, int64_t len,
    int64_t limit_ms, struct stale_lock *stale);

#endif
