/* test_store.c - records by key: their limits, their locks, and concurrent writers. */
#include "../../child.h"
#include "../../engine.h"
#include "../../skipping_clock.h"

#include "store/store.h"
#include "store/store_files.h"

#include <sys/resource.h>

static void
put(const struct store_config *store, const char *key, const char *value, time_t expires)
{
	struct ctx ctx;

	open_ctx(&ctx);
	if (!store_put(&ctx, store, key, value, expires))
		fail_msg("%s: %s", key, ctx.reason);
	ctx_close(&ctx);
}

static void
has_value(
    const char *label, const struct store_config *store, const char *key, const char *expected)
{
	struct ctx ctx;
	const char *value = "not set";

	open_ctx(&ctx);
	if (!store_get(&ctx, store, key, &value))
		fail_msg("%s: %s", label, ctx.reason);
	same_text(label, value, expected);
	ctx_close(&ctx);
}

enum { MANY = 600 }; /* more than there are shards, or records of a page */

/* Puts records whose values are their keys. */
static void
put_many(const struct store_config *store, const char *prefix, const char *suffix)
{
	struct ctx ctx;

	open_ctx(&ctx);
	for (int i = 0; i < MANY; i++) {
		const char *key;

		assert_true(ctx_printf(&ctx, &key, "%s:%d%s", prefix, i, suffix));
		if (!store_put(&ctx, store, key, key, 0))
			fail_msg("%s: %s", key, ctx.reason);
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
}

static void
keeps_records(void **state)
{
	struct store_config store = store_in(*state);
	struct ctx ctx;

	has_value("before the first put", &store, "connection:1:1", NULL);
	put_many(&store, "connection", ":1");
	open_ctx(&ctx);
	for (int i = 0; i < MANY; i++) {
		const char *key;
		const char *value;

		assert_true(ctx_printf(&ctx, &key, "connection:%d:1", i)
		    && store_get(&ctx, &store, key, &value));
		same_text(key, value, key);
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	put(&store, "connection:7:1", "changed", 0);
	has_value("changed", &store, "connection:7:1", "changed");

	open_ctx(&ctx);
	for (int i = 0; i < 2; i++) {
		assert_true(store_erase(&ctx, &store, "connection:7:1"));
		has_value("erased", &store, "connection:7:1", NULL);
	}
	has_value("another record", &store, "connection:8:1", "connection:8:1");
	assert_true(store_erase(&ctx, &store, "connection:none"));
	ctx_close(&ctx);
}

static void
lets_records_expire(void **state)
{
	struct store_config store = store_in(*state);
	time_t now = time(NULL);

	put(&store, "code:1", "valid", now + 1000);
	put(&store, "code:2", "expired", now);
	put(&store, "connection:1:1", "never expires", 0);
	has_value("valid", &store, "code:1", "valid");
	has_value("expired", &store, "code:2", NULL);
	has_value("without an expiry", &store, "connection:1:1", "never expires");
	put(&store, "code:1", "expired now", now);
	has_value("put again, already expired", &store, "code:1", NULL);
}

static void
limits_keys_and_values(void **state)
{
	static const struct {
		const char *label;
		size_t key, value; /* bytes */
		enum fault_kind expected;
	} table[] = {
		{ "a key at its limit", STORE_KEY_MAX, 1, FAULT_NONE },
		{ "a key over its limit", STORE_KEY_MAX + 1, 1, FAULT_REQUEST },
		{ "a value at its limit", 10, STORE_VALUE_MAX, FAULT_NONE },
		{ "a value over its limit", 10, STORE_VALUE_MAX + 1, FAULT_SERVER },
	};
	struct store_config store = store_in(*state);
	char *key = malloc(STORE_KEY_MAX + 2);
	char *value = malloc(STORE_VALUE_MAX + 2);

	assert_true(key != NULL && value != NULL);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *got;
		bool ok;

		memset(key, 'k', table[i].key);
		key[table[i].key] = '\0';
		memset(value, 'v', table[i].value);
		value[table[i].value] = '\0';
		open_ctx(&ctx);
		ok = store_put(&ctx, &store, key, value, 0);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		ctx_wipe(&ctx);
		ok = store_get(&ctx, &store, key, &got);
		if (table[i].key > STORE_KEY_MAX)
			same_fault(table[i].label, &ctx, ok, FAULT_REQUEST);
		else
			same_text(
			    table[i].label, got, table[i].expected == FAULT_NONE ? value : NULL);
		ctx_wipe(&ctx);
		ok = store_erase(&ctx, &store, key);
		same_fault(table[i].label, &ctx, ok,
		    table[i].key > STORE_KEY_MAX ? FAULT_REQUEST : FAULT_NONE);
		ctx_close(&ctx);
	}
	free(key);
	free(value);
}

struct edit {
	const char *expected; /* NULL: no record */
	const char *value;
	enum { SET, LEAVE, REFUSE } how;
	int calls;
};

static bool
edit(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	struct edit *edit = arg;

	edit->calls++;
	if ((old == NULL) != (edit->expected == NULL)
	    || (old != NULL && strcmp(old, edit->expected) != 0))
		return fault(
		    ctx, FAULT_SERVER, "the old value is \"%s\"", old == NULL ? "(none)" : old);
	if (edit->how == SET)
		*value = edit->value;
	return edit->how != REFUSE || fault(ctx, FAULT_CLAIMED, "refused");
}

static void
updates_a_record(void **state)
{
	static const struct {
		const char *label;
		struct edit edit;
		enum fault_kind expected;
		const char *after;
	} table[] = {
		{ "left alone, without a record", { NULL, NULL, LEAVE, 0 }, FAULT_NONE, NULL },
		{ "erased, without a record", { NULL, NULL, SET, 0 }, FAULT_NONE, NULL },
		{ "created", { NULL, "1", SET, 0 }, FAULT_NONE, "1" },
		{ "left alone", { "1", NULL, LEAVE, 0 }, FAULT_NONE, "1" },
		{ "changed", { "1", "2", SET, 0 }, FAULT_NONE, "2" },
		{ "refused", { "2", NULL, REFUSE, 0 }, FAULT_CLAIMED, "2" },
		{ "changed to an empty value", { "2", "", SET, 0 }, FAULT_NONE, "" },
		{ "changed from an empty value", { "", "3", SET, 0 }, FAULT_NONE, "3" },
		{ "erased", { "3", NULL, SET, 0 }, FAULT_NONE, NULL },
	};
	struct store_config store = store_in(*state);

	for (size_t i = 0; i < ROWS(table); i++) {
		struct edit arg = table[i].edit;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = store_update(&ctx, &store, "account:1", 0, edit, &arg);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		same_number(table[i].label, arg.calls, 1);
		has_value(table[i].label, &store, "account:1", table[i].after);
		ctx_close(&ctx);
	}
}

struct visits {
	int count, stop_after;
	char visited[MANY];
};

static bool
note_visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct visits *visits = arg;
	const char *garbage;
	long i = strtol(strchr(key, ':') + 1, NULL, 10);

	if (strcmp(key, value) == 0 && i >= 0 && i < MANY)
		visits->visited[i]++;
	return ctx_printf(ctx, &garbage, "%20000d", 1) && ++visits->count != visits->stop_after;
}

static void
visits_every_record_once(void **state)
{
	struct store_config store = store_in(*state);
	struct visits visits = { .count = 0 };
	struct visits stopped = { .stop_after = 5 };
	struct ctx ctx;

	put_many(&store, "k", "");
	put(&store, "kk:1", "of another kind", 0);
	put(&store, "code:1", "expired", 1);

	open_ctx(&ctx);
	assert_true(store_each(&ctx, &store, "k:", note_visit, &visits));
	assert_int_equal(visits.count, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(visits.visited[i], 1);
	assert_false(store_each(&ctx, &store, "k:", note_visit, &stopped));
	assert_int_equal(stopped.count, 5);
	assert_int_equal(ctx.kind, FAULT_NONE);
	ctx_close(&ctx);
}

static void
reports_a_missing_folder(void **state)
{
	struct store_config store;
	struct visits visits = { .count = 0 };
	struct lock lock;
	struct ctx ctx;
	const char *value;
	char path[PATH_SIZE];

	path_in(*state, "absent", path);
	store = store_in(path);
	open_ctx(&ctx);
	same_fault("get", &ctx, store_get(&ctx, &store, "a:1", &value), FAULT_STORAGE);
	has_text("the reason", ctx.reason, path);
	ctx_wipe(&ctx);
	same_fault("put", &ctx, store_put(&ctx, &store, "a:1", "x", 0), FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("erase", &ctx, store_erase(&ctx, &store, "a:1"), FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("each", &ctx, store_each(&ctx, &store, "", note_visit, &visits), FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("ready", &ctx, store_ready(&ctx, &store), FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("lock", &ctx, store_files_lock(&ctx, &store, "a", 0, &lock), FAULT_STORAGE);
	ctx_close(&ctx);
}

/* Runs as an ordinary user, because root may write anywhere. */
static bool
cannot_write(void *arg)
{
	const struct store_config *store = arg;
	struct ctx ctx;
	const char *value;

	if (geteuid() == 0 && setuid(65534) != 0)
		return false;
	if (!ctx_open(&ctx, ARENA_SIZE) || store_put(&ctx, store, "a:1", "changed", 0)
	    || ctx.kind != FAULT_STORAGE)
		return false;
	ctx_wipe(&ctx);
	if (store_ready(&ctx, store) || ctx.kind != FAULT_STORAGE)
		return false;
	ctx_wipe(&ctx);
	return store_get(&ctx, store, "a:1", &value) && value != NULL
	    && strcmp(value, "as it was") == 0;
}

static void
reports_missing_permissions(void **state)
{
	struct store_config store = store_in(*state);
	char path[PATH_SIZE];
	char shard[PATH_SIZE];
	DIR *folder;
	struct dirent *entry;

	put(&store, "a:1", "as it was", 0);
	path_in(*state, "connections", path);
	if (geteuid() == 0) { /* the child runs as nobody, who must be able to read */
		folder = opendir(path);
		assert_non_null(folder);
		while ((entry = readdir(folder)) != NULL) {
			path_in(path, entry->d_name, shard);
			chmod(shard, 0755);
		}
		closedir(folder);
		chmod(*state, 0755);
	}
	chmod(path, 0555);
	in_child("put and ready are refused, get works", cannot_write, &store);
	chmod(path, 0700);
}

/* Runs as an ordinary user, because root may read everything. */
static bool
permission_is_the_cure(void *arg)
{
	const struct store_config *store = arg;
	struct visits none = { 0 };
	struct ctx ctx;

	return (geteuid() != 0 || setuid(65534) == 0) && ctx_open(&ctx, ARENA_SIZE)
	    && !store_each(&ctx, store, "", note_visit, &none) && ctx.kind == FAULT_CORRUPT
	    && strstr(ctx.reason, "run amocrmctl check") != NULL;
}

/* The reason is truncated in the message, but not before the cure is chosen. */
static void
names_the_cure_below_a_long_path(void **state)
{
	char long_name[121] = { 0 };
	char path[PATH_SIZE];
	char shards[PATH_SIZE];
	char shard[PATH_SIZE];
	struct store_config store = store_in(path);

	memset(long_name, 'p', sizeof long_name - 1);
	path_in(*state, long_name, path);
	assert_int_equal(mkdir(path, 0700), 0);
	path_in(path, "connections", shards);
	assert_int_equal(mkdir(shards, 0700), 0);
	path_in(shards, "000.gdbm", shard);
	file_write(shard, "", 0, 0);
	assert_int_equal(chmod(*state, 0755) + chmod(path, 0755) + chmod(shards, 0755), 0);
	in_child("a shard that may not be read", permission_is_the_cure, &store);
}

static void
reports_a_full_disk(void **state)
{
	struct store_config store = store_in(*state);
	struct rlimit before;
	struct ctx ctx;
	bool ready;
	bool ok;

	put(&store, "a:1", "as it was", 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (rlim_t limit = 0; limit < 16384; limit += 4096) {
		struct rlimit less = { limit, before.rlim_max };
		bool refused;

		open_ctx(&ctx);
		setrlimit(RLIMIT_FSIZE, &less);
		ready = store_ready(&ctx, &store);
		refused = !ready && ctx.kind == FAULT_STORAGE;
		ctx_wipe(&ctx);
		ok = store_put(&ctx, &store, "a:1", "changed", 0);
		setrlimit(RLIMIT_FSIZE, &before);
		DEMAND("store_ready reports the full disk", refused);
		same_fault("put", &ctx, ok, FAULT_STORAGE);
		ctx_close(&ctx);
		has_value("the record", &store, "a:1", "as it was");
	}
	open_ctx(&ctx);
	same_fault("there is space again", &ctx, store_ready(&ctx, &store), FAULT_NONE);
	ctx_close(&ctx);
	put(&store, "a:1", "changed", 0);
	has_value("the record", &store, "a:1", "changed");
}

static void
leaves_no_other_files(void **state)
{
	struct store_config store = store_in(*state);
	char path[PATH_SIZE];
	struct stat st;
	struct ctx ctx;

	open_ctx(&ctx);
	assert_true(store_ready(&ctx, &store));
	put(&store, "a:1", "x", 0);
	path_in(*state, "connections", path);
	assert_int_equal(folder_count(path, ".room"), 4);
	assert_int_equal(folder_count(path, ""), 2 + 1 + 4);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(folder_count(*state, ""), 2 + 2);
	ctx_close(&ctx);
}

enum { WRITERS = 8, INCREMENTS = 25, INCREMENT_ARENA = 65536 };

static bool
increment(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)arg;
	return ctx_printf(ctx, value, "%ld", (old == NULL ? 0 : strtol(old, NULL, 10)) + 1);
}

static bool
increments(void *arg)
{
	struct ctx ctx;

	if (!ctx_open(&ctx, INCREMENT_ARENA))
		return false;
	for (int i = 0; i < INCREMENTS; i++) {
		if (!store_update(&ctx, arg, "counter:1", 0, increment, NULL))
			return false;
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	return true;
}

static bool
reads_no_older_value(void *arg)
{
	long before = 0;
	struct ctx ctx;

	if (!ctx_open(&ctx, INCREMENT_ARENA))
		return false;
	while (before < (long)WRITERS * INCREMENTS) {
		const char *value;
		long now;

		if (!store_get(&ctx, arg, "counter:1", &value))
			return false;
		now = value == NULL ? 0 : strtol(value, NULL, 10);
		if (now < before)
			return false;
		before = now;
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	return true;
}

static void
loses_no_change_of_concurrent_writers(void **state)
{
	struct store_config store = store_in(*state);
	pid_t writers[WRITERS];
	pid_t reader = child_start(reads_no_older_value, &store);
	char expected[16];

	for (int i = 0; i < WRITERS; i++)
		writers[i] = child_start(increments, &store);
	for (int i = 0; i < WRITERS; i++)
		child_says_true("a writer", child_status(writers[i]));
	child_says_true("a concurrent reader", child_status(reader));
	snprintf(expected, sizeof expected, "%d", WRITERS * INCREMENTS);
	has_value("the count", &store, "counter:1", expected);
}

static void
locks_names_independently(void **state)
{
	struct store_config store = store_in(*state);
	struct ctx ctx;
	struct lock one;
	struct lock two;

	open_ctx(&ctx);
	assert_true(store_files_lock(&ctx, &store, "connection:1:1", 0, &one));
	assert_true(store_files_lock(&ctx, &store, "connection:1:2", 0, &two));
	lock_release(&two);
	assert_false(store_files_lock(&ctx, &store, "connection:1:1", 20, &two));
	assert_int_equal(ctx.kind, FAULT_UNAVAILABLE);
	ctx_wipe(&ctx);
	/* the lock of a name does not prevent writing */
	put(&store, "connection:1:1", "written", 0);
	has_value("written while the name is locked", &store, "connection:1:1", "written");
	lock_release(&one);
	assert_true(store_files_lock(&ctx, &store, "connection:1:1", 0, &one));
	lock_release(&one);
	ctx_close(&ctx);
}

static void
finds_the_stale_lock_of_a_name(void **state)
{
	struct store_config store = store_in(*state);
	struct stale_lock stale;
	struct ctx ctx;
	struct lock held;

	open_ctx(&ctx);
	assert_true(store_find_stale_lock(&ctx, &store, 60000, &stale));
	assert_null(stale.path);
	assert_true(store_files_lock(&ctx, &store, "connection:1:1", 0, &held));
	assert_true(store_find_stale_writer(&ctx, &store, &stale));
	assert_null(stale.path);
	assert_true(store_find_stale_lock(&ctx, &store, 30, &stale));
	assert_non_null(stale.path);
	same_number("held for", stale.held_ms, 30);
	lock_release(&held);
	assert_true(store_find_stale_lock(&ctx, &store, 60000, &stale));
	assert_null(stale.path);
	ctx_close(&ctx);
}

static bool
hold_in_an_edit(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	const int *ends = arg;
	char byte;

	(void)ctx;
	(void)old;
	*value = "held";
	return write(ends[1], "x", 1) == 1 && read(ends[2], &byte, 1) == 1;
}

struct holder {
	struct store_config store;
	int ends[4]; /* of two pipes: one to the parent, one to the child */
};

static bool
hold_shard(void *arg)
{
	struct holder *holder = arg;
	struct ctx ctx;

	return ctx_open(&ctx, 65536)
	    && store_update(&ctx, &holder->store, "a:1", 0, hold_in_an_edit, holder->ends);
}

/* Readers do not wait for a writer; other writers wait for a limited time. */
static void
waits_for_another_writer_for_a_limited_time(void **state)
{
	struct holder holder = { .store = store_in(*state) };
	struct stale_lock stale;
	struct ctx ctx;
	int64_t start;
	int64_t took;
	char byte;
	pid_t pid;

	put(&holder.store, "a:1", "as it was", 0);
	assert_int_equal(pipe(holder.ends), 0);
	assert_int_equal(pipe(holder.ends + 2), 0);
	pid = child_start(hold_shard, &holder);
	assert_int_equal(read(holder.ends[0], &byte, 1), 1);

	skipping_clock.skips = true;
	has_value("read while another process writes", &holder.store, "a:1", "as it was");
	same_number("waited for the writer", skipping_clock.skipped_ms, 0);
	open_ctx(&ctx);
	start = clock_ms();
	assert_false(store_put(&ctx, &holder.store, "a:1", "mine", 0));
	took = clock_ms() - start;
	assert_int_equal(ctx.kind, FAULT_UNAVAILABLE);
	assert_in_range(took, STORE_WAIT_MS, STORE_WAIT_MS + BUSY_MS);
	has_value("the record is unchanged", &holder.store, "a:1", "as it was");

	ctx_wipe(&ctx);
	assert_true(store_find_stale_writer(&ctx, &holder.store, &stale));
	assert_non_null(stale.path);
	same_number("held for", stale.held_ms, STORE_WAIT_MS);
	assert_true(store_find_stale_lock(&ctx, &holder.store, 0, &stale));
	assert_null(stale.path);
	skipping_clock.skips = false;

	assert_int_equal(write(holder.ends[3], "x", 1), 1);
	child_says_true("the holder", child_status(pid));
	ctx_wipe(&ctx);
	assert_true(store_put(&ctx, &holder.store, "a:1", "mine", 0));
	ctx_close(&ctx);
	for (size_t i = 0; i < 4; i++)
		close(holder.ends[i]);
}

static bool
use_in_arena(struct ctx *ctx, void *arg)
{
	const struct store_config *store = arg;
	struct lock lock;
	const char *value;

	if (!store_files_lock(ctx, store, "x", 0, &lock))
		return false;
	lock_release(&lock);
	if (!store_ready(ctx, store) || !store_put(ctx, store, "a:1", "v", 0)
	    || !store_get(ctx, store, "a:1", &value))
		return false;
	assert_string_equal(value, "v");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	struct store_config store = store_in(*state);

	try_small_arenas("lock, put and get", use_in_arena, &store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(keeps_records),
		IN_STORE(lets_records_expire),
		IN_STORE(limits_keys_and_values),
		IN_STORE(updates_a_record),
		IN_STORE(visits_every_record_once),
		IN_FOLDER(reports_a_missing_folder),
		IN_FOLDER(reports_missing_permissions),
		IN_FOLDER(names_the_cure_below_a_long_path),
		IN_FOLDER(reports_a_full_disk),
		IN_FOLDER(leaves_no_other_files),
		IN_STORE(loses_no_change_of_concurrent_writers),
		IN_FOLDER(locks_names_independently),
		IN_FOLDER(finds_the_stale_lock_of_a_name),
		IN_FOLDER(waits_for_another_writer_for_a_limited_time),
		IN_FOLDER(reports_a_full_arena),
	};

	return run_engine_tests("store", tests);
}
