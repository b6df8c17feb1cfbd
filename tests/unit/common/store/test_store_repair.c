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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(keeps_a_shard_that_it_cannot_examine),
	};

	return cmocka_run_group_tests_name("store_repair", tests, NULL, NULL);
}
