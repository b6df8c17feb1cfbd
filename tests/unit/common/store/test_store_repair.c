/* test_store_repair.c - a repair loses no record because of an error; what it does to each kind of
 * damage is tested with the program. */
#include "../../folder.h"

#include "store/store.h"
#include "store/store_paths.h"
#include "store/store_repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY "connection:1:1"

static const char *failing = "";

/* In place of the C library's. */
int
lstat(const char *path, struct stat *st)
{
	if (strcmp(path, failing) == 0) {
		errno = EIO;
		return -1;
	}
	return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static bool links;       /* whether the file system has hard links */
static int renames = -1; /* how many succeed before one fails; -1: all */
static bool changes_modes = true;

int
link(const char *from, const char *to)
{
	if (links)
		return (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
	errno = EPERM;
	return -1;
}

int
rename(const char *from, const char *to)
{
	if (renames-- == 0) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int
chmod(const char *path, mode_t mode)
{
	if (changes_modes)
		return fchmodat(AT_FDCWD, path, mode, 0);
	errno = EPERM;
	return -1;
}

static void
count_shard(void *arg, const char *path, const char *aside, const char *reason)
{
	int *count = arg;

	(void)path;
	(void)aside;
	(void)reason;
	++*count;
}

static void
count_nothing(void *arg, const char *key)
{
	(void)arg;
	(void)key;
}

static void
report_shard(void *arg, const char *path, const char *aside, const char *reason)
{
	(void)arg;
	(void)aside;
	fail_msg("%s: %s", path, reason);
}

static void
report_kept(void *arg, const char *key)
{
	(void)arg;
	fail_msg("%s", key);
}

/* A run that was killed has left a part of a replacement. */
static void
keeps_a_shard_that_it_cannot_examine(void **state)
{
	const struct store_repair report = { report_shard, report_kept, NULL };
	const struct store_config store = { .path = *state };
	char replacement[PATH_SIZE];
	const char *shard;
	const char *value;
	struct ctx ctx;
	size_t count;
	int number;

	open_ctx(&ctx);
	assert_true(store_put(&ctx, &store, KEY, "value", 0));
	assert_true(store_paths_shard(&ctx, KEY, &number));
	assert_true(store_paths_file(&ctx, &store, number, &shard));
	snprintf(replacement, sizeof replacement, "%s/connections/%03x.repair.new", store.path,
	    (unsigned)number);
	file_write_text(replacement, "a part");

	failing = shard;
	same_fault("an error", &ctx, store_repair(&ctx, &store, &report, &count), FAULT_CORRUPT);
	has_text("an error", ctx.reason, strerror(EIO));
	failing = "";
	ctx_clear_fault(&ctx);
	assert_true(store_repair(&ctx, &store, &report, &count));
	same_number("damaged shards", (long long)count, 0);
	assert_true(store_get(&ctx, &store, KEY, &value));
	same_text("the record", value, "value");
	ctx_close(&ctx);
}

/* It is there at all times, and reported as moved aside if it was. */
static void
loses_no_shard_when_it_cannot_be_replaced(void **state)
{
	static const struct {
		const char *label;
		bool links;
		int renames;
		bool changes_modes;
		int reported;
	} table[] = {
		{ "nowhere to move it", false, 0, true, 0 },
		{ "no replacement", false, 1, true, 0 },
		{ "no replacement, with a link", true, 0, true, 0 },
		{ "a file of another user", false, -1, false, 1 },
	};
	const struct store_config store = { .path = *state };
	const char *shard;
	struct ctx ctx;
	int number;

	open_ctx(&ctx);
	assert_true(store_put(&ctx, &store, KEY, "value", 0));
	assert_true(store_paths_shard(&ctx, KEY, &number));
	assert_true(store_paths_file(&ctx, &store, number, &shard));
	for (size_t i = 0; i < ROWS(table); i++) {
		int reported = 0;
		const struct store_repair report = { count_shard, count_nothing, &reported };
		size_t count;
		bool ok;

		file_write_text(shard, "damaged");
		links = table[i].links;
		renames = table[i].renames;
		changes_modes = table[i].changes_modes;
		ok = store_repair(&ctx, &store, &report, &count);
		links = changes_modes = true;
		renames = -1;
		same_fault(table[i].label, &ctx, ok, FAULT_CORRUPT);
		ctx_clear_fault(&ctx);
		DEMAND(table[i].label, access(shard, F_OK) == 0);
		same_number(table[i].label, reported, table[i].reported);
	}
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(keeps_a_shard_that_it_cannot_examine),
		IN_FOLDER(loses_no_shard_when_it_cannot_be_replaced),
	};

	return cmocka_run_group_tests_name("store_repair", tests, NULL, NULL);
}
