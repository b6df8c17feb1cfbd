/* test_shard.c - one file of records: it gives what was put, and a change that fails changes
 * nothing. */
#include "../../child.h"
#include "../../folder.h"

#include "../../shard_set.h"

#include <errno.h>
#include <gdbm.h>
#include <sys/resource.h>

#define SWEPT_MAX 32 /* expired records; the most that one change sweeps out */

static void
shard_in(const char *folder, char path[PATH_SIZE])
{
	path_in(folder, "00.gdbm", path);
}

static void
gets_what_was_put(void **state)
{
	static const struct {
		const char *label, *key, *value; /* NULL: erased */
	} table[] = {
		{ "a record", "a:1", "one" },
		{ "another", "a:2", "two" },
		{ "an empty value", "a:3", "" },
		{ "an empty key", "", "nameless" },
		{ "a key with any bytes", "a:\x01\xff \n/..", "odd" },
		{ "a key that is a prefix of others", "a:", "prefix" },
		{ "a longer value", "a:1", "one and a half" },
		{ "a shorter value", "a:1", "1" },
		{ "erased", "a:2", NULL },
		{ "erased again", "a:2", NULL },
		{ "erased without such a record", "a:9", NULL },
		{ "put again", "a:2", "two again" },
	};
	char path[PATH_SIZE];

	shard_in(*state, path);
	has_value("before the first put", path, "a:1", NULL);
	for (size_t i = 0; i < ROWS(table); i++) {
		put(path, table[i].key, table[i].value, 0);
		has_value(table[i].label, path, table[i].key, table[i].value);
	}
	has_value("the first record, after all changes", path, "a:1", "1");
	has_value("the empty value, after all changes", path, "a:3", "");
	has_value("a record that was never put", path, "a:8", NULL);
	assert_int_equal(folder_count(*state, ".gdbm"), 1);
	assert_int_equal(folder_count(*state, ".new"), 0);
}

static void
keeps_many_records_of_every_length(void **state)
{
	enum { COUNT = 120 };
	char path[PATH_SIZE];
	char key[32];
	char *value = malloc(65537);

	assert_non_null(value);
	shard_in(*state, path);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < COUNT; i++) {
			size_t len = i == 0 ? 65536 : (size_t)(i * (round == 0 ? 7 : 31));

			memset(value, 'a' + i % 26, len);
			value[len] = '\0';
			snprintf(key, sizeof key, "k:%d", i);
			put(path, key, value, 0);
		}
	for (int i = 0; i < COUNT; i++) {
		size_t len = i == 0 ? 65536 : (size_t)(i * 31);

		memset(value, 'a' + i % 26, len);
		value[len] = '\0';
		snprintf(key, sizeof key, "k:%d", i);
		has_value(key, path, key, value);
	}
	free(value);
}

static void
creates_a_file_that_only_its_owner_may_access(void **state)
{
	char path[PATH_SIZE];
	struct stat st;

	shard_in(*state, path);
	umask(0);
	put(path, "a:1", "one", 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
hides_expired_records(void **state)
{
	char path[PATH_SIZE];
	time_t now = time(NULL);

	shard_in(*state, path);
	put(path, "code:1", "soon", now + 1000);
	put(path, "code:2", "now", now);
	put(path, "code:3", "long ago", 1);
	put(path, "code:4", "far from now", (time_t)1 << 40);
	has_value("not expired yet", path, "code:1", "soon");
	has_value("expires in this second", path, "code:2", NULL);
	has_value("expired", path, "code:3", NULL);
	has_value("an expiry beyond 32 bits", path, "code:4", "far from now");
}

/* Counts the records in the file itself, also those that have expired. */
static int
count_stored(const char *path)
{
	GDBM_FILE db = gdbm_open(path, 0, GDBM_READER | GDBM_NOLOCK, 0, NULL);
	gdbm_count_t count = 0;

	assert_non_null(db);
	assert_int_equal(gdbm_count(db, &count), 0);
	gdbm_close(db);
	return (int)count;
}

/* Creates count files.  In file i, expiring[i] codes expire after life_s seconds.
 * False: that took so long that some have expired already. */
static bool
fill(const char *folder, const int *expiring, size_t count, int life_s, time_t *end)
{
	char path[PATH_SIZE];
	char name[64];
	char key[32];

	*end = time(NULL) + life_s;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%zu.gdbm", i);
		path_in(folder, name, path);
		(void)unlink(path);
		put(path, "pending:1", "of another kind", *end);
		put(path, "connection:1:1", "never expires", 0);
		for (int n = 0; n < expiring[i]; n++) {
			snprintf(key, sizeof key, "code:%d", n);
			put(path, key, "expires later", *end);
		}
	}
	return time(NULL) < *end;
}

static void
sweeps_out_expired_records(void **state)
{
	static const char *const labels[] = { "none", "one", "as many as one change sweeps out",
		"one more than that", "twice as many" };
	static const int expiring[] = { 0, 1, SWEPT_MAX, SWEPT_MAX + 1, 2 * SWEPT_MAX };
	static const int left[] = { 0, 0, 0, 1, SWEPT_MAX };
	char path[PATH_SIZE];
	char name[64];
	int life_s = 2;
	time_t soon;

	while (!fill(*state, expiring, ROWS(expiring), life_s, &soon))
		life_s *= 2;
	while (time(NULL) < soon)
		usleep(10000);
	for (size_t i = 0; i < ROWS(expiring); i++) {
		snprintf(name, sizeof name, "%zu.gdbm", i);
		path_in(*state, name, path);
		put(path, "connection:1:2", "a change without an expiry sweeps out nothing", 0);
		same_number(labels[i], count_stored(path), expiring[i] + 3);
		put(path, "connection:1:2", NULL, 0);
		put(path, "code:new", "valid", soon + 1000);
		same_number(labels[i], count_stored(path), left[i] + 3);
		has_value(labels[i], path, "code:new", "valid");
		has_value(labels[i], path, "code:0", NULL);
	}
}

struct visits {
	int count, stop_after;
	char keys[1024];
	size_t used; /* bytes of the arena at the first visit */
};

static bool
note_visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct visits *visits = arg;
	const char *garbage;

	if (visits->count++ == 0)
		visits->used = arena_mark(ctx);
	else if (arena_mark(ctx) > visits->used + 64)
		return fault(ctx, FAULT_SERVER, "the arena is not rewound");
	snprintf(visits->keys + strlen(visits->keys), sizeof visits->keys - strlen(visits->keys),
	    "%s=%s ", key, value);
	return ctx_printf(ctx, &garbage, "%1000d", 1) && visits->count != visits->stop_after;
}

static void
visits_records(void **state)
{
	static const struct {
		const char *label, *prefix;
		int stop_after, visits;
		bool ok;
	} table[] = {
		{ "all with a prefix", "a:", 0, 20, true },
		{ "a single record", "b:1", 0, 1, true },
		{ "all that have not expired", "", 0, 21, true },
		{ "no record", "c:", 0, 0, true },
		{ "a prefix longer than any key", "a:11111111111111111111", 0, 0, true },
		{ "stopped by the first", "a:", 1, 1, false },
		{ "stopped by the third", "a:", 3, 3, false },
	};
	char path[PATH_SIZE];
	char key[32];

	shard_in(*state, path);
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof key, "a:%d", i);
		put(path, key, "A", 0);
	}
	put(path, "b:1", "B", 0);
	put(path, "d:1", "expired", 1);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct visits visits = { .stop_after = table[i].stop_after };
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = shard_each(&ctx, path, table[i].prefix, note_visit, &visits);
		DEMAND(table[i].label, ok == table[i].ok);
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		same_number(table[i].label, visits.count, table[i].visits);
		same_number("bytes of the arena in use", (long long)arena_mark(&ctx), 0);
		if (visits.count == 20)
			has_text(table[i].label, visits.keys, "a:19=A ");
		ctx_close(&ctx);
	}
}

static void
visits_nothing_without_a_file(void **state)
{
	struct visits visits = { .count = 0 };
	char path[PATH_SIZE];
	struct ctx ctx;

	shard_in(*state, path);
	open_ctx(&ctx);
	assert_true(shard_each(&ctx, path, "", note_visit, &visits));
	assert_int_equal(visits.count, 0);
	ctx_close(&ctx);
}

static void
replaces_a_leftover_copy(void **state)
{
	char path[PATH_SIZE];
	char leftover[PATH_SIZE];
	char *longer = malloc(200000); /* longer than the shard */

	assert_non_null(longer);
	memset(longer, 'x', 200000);
	shard_in(*state, path);
	path_in(*state, "00.gdbm.new", leftover);
	put(path, "a:1", "one", 0);
	file_write(leftover, longer, 200000, 0600);
	put(path, "a:2", "two", 0);
	has_value("put before the leftover", path, "a:1", "one");
	has_value("put after the leftover", path, "a:2", "two");
	assert_int_equal(folder_count(*state, ".new"), 0);
	free(longer);
}

/* A change that fails for lack of space leaves the file unchanged, byte for byte. */
static void
reports_a_full_disk_and_changes_nothing(void **state)
{
	static const struct {
		const char *label, *key, *value;
	} table[] = {
		{ "a new record", "a:99", "new" },
		{ "a long record", "a:98", NULL },
		{ "another value", "a:1", "changed" },
	};
	char path[PATH_SIZE];
	char key[32];
	char *long_value = malloc(60001);
	struct rlimit before;
	uint8_t *bytes;
	size_t len;

	assert_non_null(long_value);
	memset(long_value, 'x', 60000);
	long_value[60000] = '\0';
	shard_in(*state, path);
	for (int i = 0; i < 40; i++) {
		snprintf(key, sizeof key, "a:%d", i);
		put(path, key, "as it was", 0);
	}
	bytes = file_read(path, &len);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (size_t i = 0; i < ROWS(table); i++)
		for (size_t limit = 0; limit < len; limit += 1 + len / 13) {
			struct rlimit less = { limit, before.rlim_max };
			struct ctx ctx;
			uint8_t *now;
			size_t now_len;
			bool ok;

			open_ctx(&ctx);
			setrlimit(RLIMIT_FSIZE, &less);
			ok = shard_set(&ctx, path, table[i].key,
			    table[i].value == NULL ? long_value : table[i].value, 0);
			setrlimit(RLIMIT_FSIZE, &before);
			same_fault(table[i].label, &ctx, ok, FAULT_STORAGE);
			ctx_close(&ctx);
			now = file_read(path, &now_len);
			same_number(table[i].label, (long long)now_len, (long long)len);
			same_bytes(table[i].label, now, bytes, len);
			free(now);
			assert_int_equal(folder_count(*state, ".new"), 0);
		}
	free(bytes);
	put(path, "a:98", long_value, 0);
	has_value("there is space again", path, "a:98", long_value);
	free(long_value);
}

static void
reports_folders_that_are_missing_or_in_the_way(void **state)
{
	char path[PATH_SIZE];
	char inside[PATH_SIZE];
	char other[PATH_SIZE];
	const char *value;
	struct visits visits = { .count = 0 };
	struct ctx ctx;

	open_ctx(&ctx);
	path_in(*state, "absent/00.gdbm", path);
	same_fault("no folder: get", &ctx, shard_get(&ctx, path, "a:1", &value), FAULT_NONE);
	assert_null(value);
	same_fault("no folder: set", &ctx, shard_set(&ctx, path, "a:1", "x", 0), FAULT_STORAGE);
	ctx_wipe(&ctx);

	path_in(*state, "folder.gdbm", path);
	assert_int_equal(mkdir(path, 0700), 0);
	same_fault("a folder instead of the file: get", &ctx, shard_get(&ctx, path, "a:1", &value),
	    FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("a folder instead of the file: each", &ctx,
	    shard_each(&ctx, path, "", note_visit, &visits), FAULT_STORAGE);
	ctx_wipe(&ctx);
	same_fault("a folder instead of the file: set", &ctx, shard_set(&ctx, path, "a:1", "x", 0),
	    FAULT_STORAGE);
	ctx_wipe(&ctx);

	shard_in(*state, path);
	path_in(*state, "00.gdbm.new", other);
	put(path, "a:1", "one", 0);
	assert_int_equal(mkdir(other, 0700), 0);
	path_in(other, "file", inside);
	file_write_text(inside, "");
	same_fault("a folder with files instead of the copy", &ctx,
	    shard_set(&ctx, path, "a:1", "x", 0), FAULT_STORAGE);
	has_value("the record is unchanged", path, "a:1", "one");
	assert_int_equal(unlink(inside), 0);
	ctx_wipe(&ctx);
	same_fault("an empty folder instead of the copy", &ctx,
	    shard_set(&ctx, path, "a:1", "two", 0), FAULT_NONE);
	has_value("the folder was removed", path, "a:1", "two");
	ctx_close(&ctx);
}

/* False must mean that nothing was put. */
static bool
set_and_get(struct ctx *ctx, void *arg)
{
	const char *path = arg;
	const char *value;

	unlink(path);
	if (!shard_set(ctx, path, "a:1", "a value of some length", 0)) {
		has_value("a change that failed", path, "a:1", NULL);
		return false;
	}
	if (!shard_get(ctx, path, "a:1", &value))
		return false;
	assert_string_equal(value, "a value of some length");
	return true;
}

static bool
visit_in_arena(struct ctx *ctx, void *arg)
{
	struct visits visits = { .count = 0 };

	return shard_each(ctx, arg, "a:", note_visit, &visits) && visits.count == 1;
}

static void
reports_a_full_arena(void **state)
{
	char path[PATH_SIZE];

	shard_in(*state, path);
	try_small_arenas("put and get", set_and_get, path);
	try_small_arenas("each", visit_in_arena, path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(gets_what_was_put),
		IN_FOLDER(keeps_many_records_of_every_length),
		IN_FOLDER(creates_a_file_that_only_its_owner_may_access),
		IN_FOLDER(hides_expired_records),
		IN_FOLDER(sweeps_out_expired_records),
		IN_FOLDER(visits_records),
		IN_FOLDER(visits_nothing_without_a_file),
		IN_FOLDER(replaces_a_leftover_copy),
		IN_FOLDER(reports_a_full_disk_and_changes_nothing),
		IN_FOLDER(reports_folders_that_are_missing_or_in_the_way),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("shard", tests, NULL, NULL);
}
