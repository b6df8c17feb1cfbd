/* test_store_rehearse.c - a rehearsal notices whatever would stop the change, and changes nothing.
 */
#include "../../child.h"
#include "../../setup.h"

#include "store/store_paths.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEY   "connection:1:2"
#define INDEX "account:1"

static const char *const keys[] = { INDEX, KEY };

/* What stands in the way. */
typedef void damage(const char *folder, const char *shard, const char *copy);

static void
nothing(const char *folder, const char *shard, const char *copy)
{
	(void)folder;
	(void)shard;
	(void)copy;
}

static void
empty(const char *folder, const char *shard, const char *copy)
{
	(void)folder;
	(void)copy;
	assert_int_equal(truncate(shard, 0), 0);
}

static void
cut(const char *folder, const char *shard, const char *copy)
{
	(void)folder;
	(void)copy;
	assert_int_equal(truncate(shard, 5000), 0);
}

static void
remove_shard(const char *folder, const char *shard, const char *copy)
{
	(void)folder;
	(void)copy;
	assert_int_equal(unlink(shard), 0);
}

static void
directory_as_shard(const char *folder, const char *shard, const char *copy)
{
	remove_shard(folder, shard, copy);
	assert_int_equal(mkdir(shard, 0700), 0);
}

static void
directory_as_copy(const char *folder, const char *shard, const char *copy)
{
	(void)folder;
	(void)shard;
	assert_int_equal(mkdir(copy, 0700), 0);
}

static void
full_directory_as_copy(const char *folder, const char *shard, const char *copy)
{
	char path[PATH_SIZE];

	directory_as_copy(folder, shard, copy);
	path_in(copy, "file", path);
	file_write_text(path, "");
}

static void
directory_as_locks(const char *folder, const char *shard, const char *copy)
{
	char path[PATH_SIZE];

	(void)shard;
	(void)copy;
	path_in(folder, "locks", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void
file_as_directory(const char *folder, const char *shard, const char *copy)
{
	char from[PATH_SIZE];
	char to[PATH_SIZE];

	(void)shard;
	(void)copy;
	path_in(folder, "connections", from);
	path_in(folder, "moved", to);
	assert_int_equal(rename(from, to), 0);
	file_write_text(from, "");
}

static void
shard_path(struct setup *s, const char *key, char path[PATH_SIZE], const char *end)
{
	char name[64];
	int shard;

	assert_true(store_paths_shard(&s->ctx, key, &shard));
	snprintf(name, sizeof name, "connections/%03x.%s", (unsigned)shard, end);
	path_in(s->cfg.store.path, name, path);
}

static void
notices_what_would_stop_a_change(void **state)
{
	static const struct {
		const char *label, *key; /* of the shard that is damaged */
		damage *damage;
		enum fault_kind expected;
	} table[] = {
		{ "nothing", KEY, nothing, FAULT_NONE },
		{ "no shard yet", KEY, remove_shard, FAULT_NONE },
		{ "an empty shard", KEY, empty, FAULT_STORAGE },
		{ "an empty shard of the second record", INDEX, empty, FAULT_STORAGE },
		{ "a shard that was cut", KEY, cut, FAULT_STORAGE },
		{ "a directory instead of the shard", KEY, directory_as_shard, FAULT_STORAGE },
		{ "an empty directory instead of the copy", INDEX, directory_as_copy, FAULT_NONE },
		{ "a directory with files instead of the copy", INDEX, full_directory_as_copy,
		    FAULT_STORAGE },
		{ "a directory instead of the locks", KEY, directory_as_locks, FAULT_STORAGE },
		{ "a file instead of the shards' directory", KEY, file_as_directory,
		    FAULT_STORAGE },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		char folder[PATH_SIZE];
		char shard[PATH_SIZE];
		char copy[PATH_SIZE];
		char name[16];
		struct setup s;

		snprintf(name, sizeof name, "%zu", i);
		path_in(*state, name, folder);
		assert_int_equal(mkdir(folder, 0700), 0);
		setup_open(&s, folder, CONNECTIONS_SHARED);
		assert_true(store_put(&s.ctx, &s.cfg.store, KEY, "kept", 0));
		assert_true(store_put(&s.ctx, &s.cfg.store, INDEX, "2", 0));
		shard_path(&s, table[i].key, shard, "gdbm");
		shard_path(&s, INDEX, copy, "0.new");
		table[i].damage(folder, shard, copy);
		same_fault(table[i].label, &s.ctx,
		    store_rehearse(&s.ctx, &s.cfg.store, keys, ROWS(keys)), table[i].expected);
		setup_close(&s);
	}
}

static void
changes_nothing(void **state)
{
	char directory[PATH_SIZE];
	const char *value;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(store_put(&s.ctx, &s.cfg.store, KEY, "kept", 0));
	assert_true(store_rehearse(&s.ctx, &s.cfg.store, keys, ROWS(keys)));
	assert_true(store_get(&s.ctx, &s.cfg.store, KEY, &value));
	same_text("the old value", value, "kept");
	assert_true(store_get(&s.ctx, &s.cfg.store, INDEX, &value));
	assert_null(value);
	path_in(*state, "connections", directory);
	same_number("copies that are left", folder_count(directory, ".new"), 0);
	same_number("shards", folder_count(directory, ".gdbm"), 1);
	assert_true(store_put(&s.ctx, &s.cfg.store, INDEX, "2", 0)); /* no lock is left */
	setup_close(&s);
}

/* The number of calls of unlink that fail. */
static int unlink_errors;

int
unlink(const char *path)
{
	if (unlink_errors > 0) {
		unlink_errors--;
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static void
leaves_no_copy_after_an_error(void **state)
{
	char directory[PATH_SIZE];
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(store_put(&s.ctx, &s.cfg.store, KEY, "kept", 0));
	unlink_errors = 1;
	assert_true(store_rehearse(&s.ctx, &s.cfg.store, keys, ROWS(keys)));
	same_number("the error has happened", unlink_errors, 0);
	path_in(*state, "connections", directory);
	same_number("copies that are left", folder_count(directory, ".new"), 0);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(notices_what_would_stop_a_change),
		IN_FOLDER(changes_nothing),
		IN_FOLDER(leaves_no_copy_after_an_error),
	};

	return cmocka_run_group_tests_name("store rehearsal", tests, NULL, NULL);
}
