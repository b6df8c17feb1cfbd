/* lock.c - see lock.h. */
#include "base/lock.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 1
#define PAUSE_LAST_MS  50 /* what a waiter may lose after the lock is free */

/* Polls: F_OFD_SETLKW has no time limit, and a signal of ours would be the whole program's. */
static bool
wait_for_byte(struct ctx *ctx, int fd, const char *path, int64_t offset, int64_t wait_ms)
{
	struct flock byte = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1
	};
	int64_t deadline = clock_ms() + wait_ms;

	for (long pause = PAUSE_FIRST_MS; fcntl(fd, F_OFD_SETLK, &byte) != 0;
	     pause = pause * 2 > PAUSE_LAST_MS ? PAUSE_LAST_MS : pause * 2) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return fault(
			    ctx, FAULT_STORAGE, "%s: cannot lock: %s", path, strerror(errno));
		if (clock_ms() >= deadline)
			return fault(ctx, FAULT_UNAVAILABLE,
			    "%s: somebody else has had this lock for %lld ms", path,
			    (long long)wait_ms);
		clock_sleep(pause);
	}
	return true;
}

bool
lock_take(struct ctx *ctx, const char *path, int64_t offset, int64_t wait_ms, struct lock *lock)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fault(ctx, FAULT_STORAGE,
		    "%s: %s; the store's directory must be the web server user's", path,
		    strerror(errno));
	if (!wait_for_byte(ctx, fd, path, offset, wait_ms)) {
		close(fd);
		return false;
	}
	lock->fd = fd;
	return true;
}

/* Unlocked and not only closed: a helper that is being started has the file open until it runs. */
void
lock_release(struct lock *lock)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(lock->fd, F_OFD_SETLK, &all);
	close(lock->fd);
	lock->fd = -1;
}
