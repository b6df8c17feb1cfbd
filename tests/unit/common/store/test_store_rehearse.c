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

static bool
rehearse(struct ctx *ctx, void *arg)
{
	const struct setup *s = arg;

	return store_rehearse(ctx, &s->cfg.store, keys, ROWS(keys));
}

/* The table accepts what meets the condition. */
static void
in_a_database_it_is_rolled_back(void **state)
{
	static const struct {
		const char *label, *condition;
		bool is_long; /* the old value */
		enum fault_kind expected;
	} table[] = {
		{ "nothing in the way", "true", false, FAULT_NONE },
		{ "no room for a new record", "key <> '" INDEX "'", false, FAULT_STORAGE },
		{ "no room for 4 KB", "octet_length(value) < 4096", false, FAULT_STORAGE },
		{ "no room for a longer old one", "octet_length(value) <= 10000", true,
		    FAULT_STORAGE },
	};
	PGconn *conn = engine_connect();
	char old[10001] = "";
	struct setup s;

	memset(old, 'o', sizeof old - 1);
	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *value;
		char sql[200];

		engine_query(conn, "DELETE FROM record");
		assert_true(
		    store_put(&s.ctx, &s.cfg.store, KEY, table[i].is_long ? old : "kept", 0));
		snprintf(sql, sizeof sql, "ALTER TABLE record ADD CONSTRAINT room CHECK (%s)",
		    table[i].condition);
		engine_query(conn, sql);
		same_fault(table[i].label, &s.ctx, rehearse(&s.ctx, &s), table[i].expected);
		engine_query(conn, "ALTER TABLE record DROP CONSTRAINT room");
		ctx_clear_fault(&s.ctx);
		assert_true(store_get(&s.ctx, &s.cfg.store, KEY, &value));
		same_text(table[i].label, value, table[i].is_long ? old : "kept");
		same_number(table[i].label, engine_query(conn, "SELECT count(*) FROM record"), 1);
	}
	same_fault("in a section", &s.ctx, store_together(&s.ctx, &s.cfg.store, NULL, rehearse, &s),
	    FAULT_SERVER);
	setup_close(&s);
	PQfinish(conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(notices_what_would_stop_a_change),
		IN_FOLDER(changes_nothing),
		IN_FOLDER(leaves_no_copy_after_an_error),
		IN_DATABASE(in_a_database_it_is_rolled_back),
	};

	return run_engine_tests("store rehearsal", tests);
}
