/* check_store_dir.c - the directory of the store: owners and modes of it and all it contains. */
#include "check/check.h"

#include <errno.h>
#include <fts.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A temporary file that is older than this was left by a killed program: a change takes
 * milliseconds. */
#define LEFT_OVER_S 3600

/* Checks the directory itself. */
static bool
store_dir_ok(struct check *c)
{
	struct report *r = &c->report;
	const char *path = c->ctl->cfg.store.path;
	struct stat st;

	if (stat(path, &st) != 0) {
		report_wrong(r, "store",
		    "install -d -m 700 -o <web server's user> -g <its group>; that user must have "
		    "access to every folder above it",
		    "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISDIR(st.st_mode))
		report_wrong(r, "store", "move the file away, or set another [store] path",
		    "%s: is not a directory", path);
	else if ((st.st_mode & 0777) != 0700)
		report_wrong(r, "store", "chmod 0700",
		    "%s: mode %04o; only its owner may have access", path,
		    (unsigned)st.st_mode & 07777);
	else if (st.st_uid == 0)
		report_wrong(r, "store", "chown -R <web server's user>: that folder",
		    "%s: belongs to root, and web servers do not run programs as root", path);
	else if (st.st_uid != geteuid())
		report_wrong(r, "store", "run check as root or as that user, or chown -R the store",
		    "%s: belongs to %s, not to the user who runs this", path,
		    check_user_name(c->ctl->ctx, st.st_uid));
	else
		return true;
	return false;
}

/* Files with the same finding: their number, and the first of them. */
struct some {
	size_t count;
	const char *first;
};

struct findings {
	struct some foreign;
	struct some closed;
	struct some open_to_others;
	struct some left_over;
	struct some wrong_type;
	struct some aside;
};

static void
add(struct ctx *ctx, struct some *some, const char *path)
{
	if (some->count++ == 0 && !ctx_strndup(ctx, path, strlen(path), &some->first))
		some->first = "";
}

/* The entries of the directory.  Others, such as a backup, are not checked. */
static const struct ours {
	const char *name;
	bool is_directory;
} ours[] = {
	{ "budget", false },
	{ "connections", true },
	{ "deliver.lock", false },
	{ "escrow", true },
	{ "events", true },
	{ "locks", false },
};

/* NULL: it is none of ours. */
static const struct ours *
find_ours(const char *name)
{
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcmp(name, ours[i].name) == 0)
			return &ours[i];
	return NULL;
}

static bool
is_ours(const FTSENT *entry)
{
	return entry->fts_level != 1 || find_ours(entry->fts_name) != NULL;
}

static bool
is_stale(const FTSENT *entry)
{
	const char *dot = strrchr(entry->fts_name, '.');

	return entry->fts_info == FTS_F && time(NULL) - entry->fts_statp->st_mtime > LEFT_OVER_S
	    && dot != NULL && strcmp(dot, ".new") == 0;
}

/* Links are followed: an administrator may move a directory to another disk.  A shard that is no
 * regular file is found by check_records, and cured in another way. */
static bool
has_right_type(const FTSENT *entry)
{
	const char *dot = strrchr(entry->fts_name, '.');
	struct stat st;

	if (entry->fts_level == 0 || entry->fts_info == FTS_DP
	    || (entry->fts_level == 2 && dot != NULL
		&& (strcmp(dot, ".gdbm") == 0 || strncmp(dot, ".damaged-", 9) == 0)))
		return true;
	if (stat(entry->fts_path, &st) != 0)
		return false;
	return entry->fts_level == 1 && find_ours(entry->fts_name)->is_directory
	    ? S_ISDIR(st.st_mode)
	    : S_ISREG(st.st_mode);
}

/* Whether the owner's programs may do what they do with it: shards are read, and replaced by new
 * files; other files are written to. */
static bool
is_open_to_owner(const FTSENT *entry)
{
	const char *dot = strrchr(entry->fts_name, '.');
	mode_t needed = S_IRUSR | S_IWUSR;

	if (entry->fts_info == FTS_D)
		needed |= S_IXUSR;
	else if (dot != NULL && strcmp(dot, ".gdbm") == 0)
		needed = S_IRUSR;
	return (entry->fts_statp->st_mode & needed) == needed;
}

/* Moved aside by amocrmctl repair. */
static bool
is_aside(const FTSENT *entry)
{
	return entry->fts_level == 2 && strstr(entry->fts_name, ".gdbm.damaged-") != NULL;
}

static bool
walk(struct check *c, struct findings *found)
{
	char *const paths[] = { (char *)(uintptr_t)c->ctl->cfg.store.path, NULL };
	FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (tree == NULL)
		return false;
	while ((entry = fts_read(tree)) != NULL) {
		if (!is_ours(entry)) {
			fts_set(tree, entry, FTS_SKIP);
			continue;
		}
		if (!has_right_type(entry))
			add(c->ctl->ctx, &found->wrong_type, entry->fts_path);
		else if (is_aside(entry) && entry->fts_info != FTS_DP)
			add(c->ctl->ctx, &found->aside, entry->fts_path);
		if (entry->fts_info != FTS_D && entry->fts_info != FTS_F)
			continue;
		if (entry->fts_statp->st_uid != c->owner)
			add(c->ctl->ctx, &found->foreign, entry->fts_path);
		else if (!is_open_to_owner(entry))
			add(c->ctl->ctx, &found->closed, entry->fts_path);
		else if ((entry->fts_statp->st_mode & 077) != 0)
			add(c->ctl->ctx, &found->open_to_others, entry->fts_path);
		if (is_stale(entry))
			add(c->ctl->ctx, &found->left_over, entry->fts_path);
	}
	fts_close(tree);
	return true;
}

/* What belongs at that path. */
static const char *
belongs(const char *path)
{
	const struct ours *entry = find_ours(strrchr(path, '/') + 1);

	return entry != NULL && entry->is_directory ? "directory" : "regular file";
}

void
check_store_dir(struct check *c)
{
	struct report *r = &c->report;
	const char *owner = check_user_name(c->ctl->ctx, c->owner);
	struct findings found = { 0 };

	if (!store_dir_ok(c))
		return;
	if (!walk(c, &found)) {
		report_wrong(r, "store", "check this file", "%s: %s", c->ctl->cfg.store.path,
		    strerror(errno));
		return;
	}
	if (found.wrong_type.count > 0)
		report_wrong(r, "store",
		    "move it away; the programs create it anew, but import a backup if it was "
		    "connections, and restore events",
		    "%s: is not what belongs there, a %s; such entries: %zu",
		    found.wrong_type.first, belongs(found.wrong_type.first),
		    found.wrong_type.count);
	if (found.aside.count > 0)
		report_warning(r, "store",
		    "it holds tokens that may still work: delete it when everybody is connected "
		    "again",
		    "%s: moved aside by amocrmctl repair; such files: %zu", found.aside.first,
		    found.aside.count);
	if (found.foreign.count > 0)
		report_wrong(r, "store", "chown -R the store to that user",
		    "%s: does not belong to %s, whose programs cannot use it; such files: %zu",
		    found.foreign.first, owner, found.foreign.count);
	if (found.closed.count > 0)
		report_wrong(r, "store", "chmod -R u+rwX the store",
		    "%s: its mode keeps %s, to whom it belongs, from using it; such files: %zu",
		    found.closed.first, owner, found.closed.count);
	if (found.open_to_others.count > 0)
		report_wrong(r, "store", "chmod -R go= the store",
		    "%s: its mode gives other users access; such files: %zu",
		    found.open_to_others.first, found.open_to_others.count);
	if (found.left_over.count > 0)
		report_warning(r, "store", "harmless; delete these files",
		    "%s: left by a program that was killed; such files: %zu", found.left_over.first,
		    found.left_over.count);
	c->store_usable = found.foreign.count + found.closed.count + found.wrong_type.count == 0;
	if (found.wrong_type.count + found.aside.count + found.foreign.count + found.closed.count
		    + found.open_to_others.count + found.left_over.count
		== 0
	    && check_location(c, "store", c->ctl->cfg.store.path))
		report_ok(r, "store", "%s, owned by %s", c->ctl->cfg.store.path, owner);
}
