/* check_system.c - what the machine gives: room, time, and locks that are let go again. */
#include "check/check.h"

#include "base/clock.h"
#include "base/rfc3339.h"
#include "connection/refresh.h"
#include "store/store.h"
#include "store/store_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB           (1 << 20)
#define ROOM_MIN      (16 * MIB)  /* bytes; a few changes at once, and some thousand events */
#define ROOM_LOW      (256 * MIB) /* a segment of events is 64 MiB */
#define INODES_MIN    16          /* a new segment, a new shard, a copy for each writer */
#define INODES_LOW    1024        /* a new store makes 512 shards */
#define RELEASED      1767225600  /* 2026-01-01: no clock that is right shows less */
#define CLOCK_SPARE_S 120         /* what clocks of machines that share a store may differ */
#define LOCK_PAUSE_MS 20

void
check_disk(struct check *c)
{
	static const char to_do[] =
	    "make room on that disk, or move [store] path to a larger one: nothing new can be "
	    "stored when it is full";
	const char *path = c->ctl->cfg.store.path;
	struct report *f = &c->report;
	struct statvfs fs;
	unsigned long long room;
	bool has_inodes;

	if (statvfs(path, &fs) != 0) {
		report_wrong(f, "disk", "see that path", "%s: %s", path, strerror(errno));
		return;
	}
	room = (unsigned long long)fs.f_bavail * fs.f_frsize;
	has_inodes = fs.f_files > 0; /* some filesystems have no fixed number */
	c->disk_usable = room >= ROOM_MIN && (!has_inodes || fs.f_favail >= INODES_MIN);
	if (room < ROOM_MIN)
		report_wrong(f, "disk", to_do, "%s: %llu MiB are left", path, room / MIB);
	else if (!c->disk_usable)
		report_wrong(f, "disk", to_do, "%s: %llu inodes are left: as good as full", path,
		    (unsigned long long)fs.f_favail);
	else if (room < ROOM_LOW)
		report_warning(f, "disk", to_do, "%s: %llu MiB are left", path, room / MIB);
	else if (has_inodes && fs.f_favail < INODES_LOW)
		report_warning(f, "disk", to_do, "%s: %llu inodes are left", path,
		    (unsigned long long)fs.f_favail);
	else
		report_ok(f, "disk", "%llu MiB are left", room / MIB);
}

void
check_clock(struct check *c)
{
	static const char to_do[] =
	    "set the clock (timedatectl set-ntp true): tokens are taken for expired or not by it";
	char now_text[RFC3339_SIZE];
	char newest_text[RFC3339_SIZE];
	time_t now = time(NULL);

	rfc3339_write(now, now_text);
	rfc3339_write(c->newest, newest_text);
	if (now < RELEASED)
		report_wrong(
		    &c->report, "clock", to_do, "%s: before this program was made", now_text);
	else if (c->newest > now + CLOCK_SPARE_S)
		report_wrong(&c->report, "clock", to_do,
		    "%s, but the store holds something of %s: one of them is wrong", now_text,
		    newest_text);
	else
		report_ok(&c->report, "clock", "%s", now_text);
}

/* A byte at or behind that offset which somebody has locked; -1: there is none. */
static int64_t
locked_byte(int fd, int64_t from, int64_t len)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = len
	};

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK ? lock.l_start : -1;
}

/* A writer's lock is held for milliseconds, and waited for by others for this long; a name's while
 * amoCRM is asked, by a refresh for longest. */
static int64_t
longest_ms(const struct check *c, int64_t byte)
{
	return byte < STORE_SHARDS ? STORE_WAIT_MS : refresh_longest_ms(&c->ctl->cfg);
}

/* A byte of the file that is locked for longer than it may be; -1: there is none.  Only where
 * something is locked does this take any time. */
static int64_t
stale_byte(const struct check *c, int fd)
{
	const struct timespec pause = { 0, LOCK_PAUSE_MS * 1000000L };
	int64_t since = clock_ms();
	int64_t until = since + refresh_longest_ms(&c->ctl->cfg);
	int64_t byte = locked_byte(fd, 0, 0);

	while (byte >= 0 && clock_ms() - since < longest_ms(c, byte) && clock_ms() < until) {
		nanosleep(&pause, NULL);
		if (locked_byte(fd, byte, 1) < 0) {
			byte = locked_byte(fd, 0, 0);
			since = clock_ms();
		}
	}
	return byte >= 0 && clock_ms() - since >= longest_ms(c, byte) ? byte : -1;
}

/* True: nobody has a lock of that file for too long;
 * such a file is made when it is first needed. */
static bool
locks_ok(struct check *c, const char *name)
{
	static const char to_do[] = "lsof tells which program has it: it hangs and is to be killed";
	const char *path;
	int64_t byte;
	int fd;

	if (!ctx_printf(c->ctl->ctx, &path, "%s/%s", c->ctl->cfg.store.path, name))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	byte = stale_byte(c, fd);
	close(fd);
	if (byte >= STORE_SHARDS)
		report_warning(&c->report, "locks", to_do,
		    "%s: locked for over %lld s, longer than a refresh takes", path,
		    (long long)longest_ms(c, byte) / 1000);
	else if (byte >= 0)
		report_wrong(&c->report, "locks", to_do,
		    "%s: locked for over %lld s, though a change takes milliseconds", path,
		    (long long)longest_ms(c, byte) / 1000);
	return byte < 0;
}

void
check_locks(struct check *c)
{
	bool store = locks_ok(c, "locks");
	bool journal = locks_ok(c, "events/lock");

	if (store && journal)
		report_ok(&c->report, "locks", "none is held for long");
}
