/* check_system.c - disk space, clock, and locks that are held for too long. */
#include "check/check.h"

#include "base/rfc3339.h"
#include "connection/refresh.h"
#include "events/journal.h"
#include "store/store.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#define MIB          (1 << 20)
#define SPACE_MIN    (16 * MIB)  /* bytes; for a few concurrent writers and some thousand events */
#define SPACE_LOW    (256 * MIB) /* bytes; a segment of events has 64 MiB */
#define INODES_MIN   16          /* for a new segment, a new shard and a copy for each writer */
#define INODES_LOW   1024        /* a new store has 512 shards */
#define RELEASED     1767225600  /* 2026-01-01, before this program was released */
#define CLOCK_SKEW_S 120         /* tolerated between machines that share a store */

void
check_disk(struct check *c)
{
	static const char to_do[] = "free space on this disk, or move [store] path to a larger "
				    "one: nothing new can be stored when it is full";
	const char *path = c->ctl->cfg.store.path;
	struct report *r = &c->report;
	struct statvfs fs;
	unsigned long long space;
	bool has_inodes;

	if (statvfs(path, &fs) != 0) {
		report_wrong(r, "disk", "check this path", "%s: %s", path, strerror(errno));
		return;
	}
	space = (unsigned long long)fs.f_bavail * fs.f_frsize;
	has_inodes = fs.f_files > 0; /* some filesystems have no fixed number of inodes */
	c->disk_usable = space >= SPACE_MIN && (!has_inodes || fs.f_favail >= INODES_MIN);
	if (space < SPACE_MIN)
		report_wrong(r, "disk", to_do, "%s: %llu MiB free", path, space / MIB);
	else if (!c->disk_usable)
		report_wrong(r, "disk", to_do, "%s: %llu inodes free: practically full", path,
		    (unsigned long long)fs.f_favail);
	else if (space < SPACE_LOW)
		report_warning(r, "disk", to_do, "%s: %llu MiB free", path, space / MIB);
	else if (has_inodes && fs.f_favail < INODES_LOW)
		report_warning(r, "disk", to_do, "%s: %llu inodes free", path,
		    (unsigned long long)fs.f_favail);
	else
		report_ok(r, "disk", "%llu MiB free", space / MIB);
}

void
check_clock(struct check *c)
{
	static const char to_do[] =
	    "set the clock (timedatectl set-ntp true): it decides whether tokens have expired";
	char now_text[RFC3339_SIZE];
	char newest_text[RFC3339_SIZE];
	time_t now = time(NULL);

	rfc3339_write(now, now_text);
	rfc3339_write(c->newest, newest_text);
	if (now < RELEASED)
		report_wrong(
		    &c->report, "clock", to_do, "%s: before this program was released", now_text);
	else if (c->newest > now + CLOCK_SKEW_S)
		report_wrong(&c->report, "clock", to_do,
		    "%s, but the store contains data of %s: one of the two times is wrong",
		    now_text, newest_text);
	else
		report_ok(&c->report, "clock", "%s", now_text);
}

static const char kill_holder[] =
    "lsof, run as root, shows which program holds it: it hangs, so kill it";

/* A writer holds its lock for milliseconds, whether of a shard or of the journal. */
static bool
writer_ok(struct check *c, const struct stale_lock *stale)
{
	if (stale->path != NULL)
		report_wrong(&c->report, "locks", kill_holder,
		    "%s: locked for over %lld s, though a change takes milliseconds", stale->path,
		    (long long)stale->held_ms / 1000);
	return stale->path == NULL;
}

/* The lock of a name is held while amoCRM is asked, by a refresh for longest. */
static bool
name_ok(struct check *c, const struct stale_lock *stale)
{
	if (stale->path != NULL)
		report_warning(&c->report, "locks", kill_holder,
		    "%s: locked for over %lld s, longer than a refresh takes", stale->path,
		    (long long)stale->held_ms / 1000);
	return stale->path == NULL;
}

/* False: with a finding, or a fault. */
static bool
store_locks_ok(struct check *c)
{
	const struct config *cfg = &c->ctl->cfg;
	struct ctx *ctx = c->ctl->ctx;
	struct stale_lock stale;

	return store_find_stale_writer(ctx, &cfg->store, &stale) && writer_ok(c, &stale)
	    && store_find_stale_lock(ctx, &cfg->store, refresh_longest_ms(cfg), &stale)
	    && name_ok(c, &stale);
}

static bool
journal_lock_ok(struct check *c)
{
	struct journal journal = journal_of(&c->ctl->cfg.store);
	struct stale_lock stale;

	return journal_find_stale_lock(c->ctl->ctx, &journal, &stale) && writer_ok(c, &stale);
}

void
check_locks(struct check *c)
{
	bool store = store_locks_ok(c);
	bool journal = journal_lock_ok(c);

	if (c->ctl->ctx->kind != FAULT_NONE)
		report_fault(&c->report, "locks", "check this path");
	else if (store && journal)
		report_ok(&c->report, "locks", "no lock is held too long");
}
