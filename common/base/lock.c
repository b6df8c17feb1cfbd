/* lock.c - see lock.h. */
#include "base/lock.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_FIRST_MS 1
#define PAUSE_LAST_MS  50 /* the longest that a free lock is left unused by a waiter */
#define WATCH_PAUSE_MS 20

static int
try_byte(int fd, struct flock *byte)
{
	int result;

	do
		result = fcntl(fd, F_OFD_SETLK, byte);
	while (result != 0 && errno == EINTR);
	return result;
}

/* Polls, because F_OFD_SETLKW has no timeout, and an alarm would interrupt the whole program. */
static bool
wait_for_byte(struct ctx *ctx, int fd, const char *path, int64_t offset, int64_t wait_ms)
{
	struct flock byte = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1
	};
	int64_t deadline = clock_ms() + wait_ms;

	for (long pause = PAUSE_FIRST_MS; try_byte(fd, &byte) != 0;
	     pause = pause * 2 > PAUSE_LAST_MS ? PAUSE_LAST_MS : pause * 2) {
		if (errno != EAGAIN && errno != EACCES)
			return fault(
			    ctx, FAULT_STORAGE, "%s: cannot lock: %s", path, strerror(errno));
		if (clock_ms() >= deadline)
			return fault(ctx, FAULT_UNAVAILABLE,
			    "%s: locked by another process for %lld ms", path, (long long)wait_ms);
		clock_sleep(pause);
	}
	return true;
}

/* What to do about an error of open, if that is not clear from the error. */
static const char *
advice(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
		return "; the store's directory must belong to the web server's user";
	case EISDIR:
	case ELOOP:
	case ENOENT:
	case ENOTDIR:
	case ENXIO:
		return "; run amocrmctl check";
	default:
		return "";
	}
}

bool
lock_acquire(struct ctx *ctx, const char *path, int64_t offset, int64_t wait_ms, struct lock *lock)
{
	int fd = file_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s%s", path, strerror(errno), advice(errno));
	if (!wait_for_byte(ctx, fd, path, offset, wait_ms)) {
		close(fd);
		return false;
	}
	lock->fd = fd;
	return true;
}

/* Unlocks before closing: a helper that is being started shares the open file description until
 * its exec closes it. */
void
lock_release(struct lock *lock)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(lock->fd, F_OFD_SETLK, &all);
	close(lock->fd);
	lock->fd = -1;
}

/* The offset of the first locked byte in the range; -1: none is locked. */
static int64_t
first_locked(int fd, int64_t offset, int64_t len)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = len
	};

	return fcntl(fd, F_OFD_GETLK, &range) == 0 && range.l_type != F_UNLCK ? range.l_start : -1;
}

/* As first_locked, for a byte that stays locked. */
static int64_t
first_stale(int fd, int64_t offset, int64_t len, int64_t limit_ms)
{
	int64_t since = clock_ms();
	int64_t deadline = since + 2 * limit_ms;
	int64_t locked = first_locked(fd, offset, len);

	while (locked >= 0 && clock_ms() - since < limit_ms && clock_ms() < deadline) {
		clock_sleep(WATCH_PAUSE_MS);
		if (first_locked(fd, locked, 1) < 0) {
			locked = first_locked(fd, offset, len);
			since = clock_ms();
		}
	}
	return locked >= 0 && clock_ms() - since >= limit_ms ? locked : -1;
}

bool
lock_find_stale(struct ctx *ctx, const char *path, int64_t offset, int64_t len, int64_t limit_ms,
    struct stale_lock *stale)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*stale = (struct stale_lock){ .path = NULL };
	if (fd < 0)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	offset = first_stale(fd, offset, len, limit_ms);
	close(fd);
	if (offset >= 0)
		*stale = (struct stale_lock){ .path = path, .offset = offset, .held_ms = limit_ms };
	return true;
}
