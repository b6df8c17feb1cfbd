/* test_store_commit.c - several operations in one commit: none is applied after a fault in prepare,
 * and a prefix of them after a kill.
 */
#include "../../child.h"
#include "../../engine.h"

#include "base/clock.h"
#include "base/sha2.h"
#include "store/store.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <time.h>

#define ROUNDS     120  /* with a database, where each takes longer: a sixth */
#define BEGUN_MAX  4    /* commits that a writer has begun when it is killed, */
#define LATER_US   3000 /* so much later at most; a commit of four operations takes about 3 ms */
#define RECORDS    4
#define LAST_SHARD 511 /* the highest shard: locked last */

static int
shard_of(const char *key)
{
	uint8_t digest[SHA256_SIZE];

	sha256(key, strlen(key), digest);
	return (digest[0] << 8 | digest[1]) % 512;
}

/* Finds a key whose record is in that shard. */
static void
key_in(int shard, char key[32])
{
	int number = 0;

	do
		snprintf(key, 32, "a:%d", number++);
	while (shard_of(key) != shard);
}

static void
put(const struct store_config *store, const char *key, const char *value)
{
	struct ctx ctx;

	open_ctx(&ctx);
	if (!store_put(&ctx, store, key, value, 0))
		fail_msg("%s: %s", key, ctx.reason);
	ctx_close(&ctx);
}

static void
has_value(const char *label, const struct store_config *store, const char *key, const char *value)
{
	struct ctx ctx;
	const char *got;

	open_ctx(&ctx);
	if (!store_get(&ctx, store, key, &got))
		fail_msg("%s: %s: %s", label, key, ctx.reason);
	same_text(label, got, value);
	ctx_close(&ctx);
}

static int
copies_left(const char *folder)
{
	char path[PATH_SIZE];

	path_in(folder, "connections", path);
	return folder_count(path, ".new");
}

/* The inode of the key's shard; a shard that is written again has another. */
static ino_t
inode_of(const char *folder, const char *key)
{
	char path[PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof path, "%s/connections/%03x.gdbm", folder, (unsigned)shard_of(key));
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static bool
leave_alone(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)ctx;
	(void)arg;
	(void)old;
	(void)value;
	return true;
}

static bool
refuse(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)arg;
	(void)old;
	*value = "refused";
	return fault(ctx, FAULT_REFUSED, "no");
}

static void
writes_only_shards_that_change(void **state)
{
	struct store_config store = store_in(*state);
	char neighbour[32];
	struct ctx ctx;

	key_in(shard_of("b:1"), neighbour);
	put(&store, "b:1", "old");
	put(&store, "c:1", "same");
	put(&store, "d:1", "erased");
	put(&store, "e:1", "left alone");
	{
		const struct store_op changes[] = {
			store_op_put("b:1", "new", 0),
			store_op_put("c:1", "same", 0),
			store_op_put("d:1", NULL, 0),
			{ "e:1", 0, leave_alone, NULL },
			store_op_put(neighbour, "in the same shard", 0),
			store_op_put("f:1", "expires later", time(NULL) + 1000),
			store_op_put("g:1", NULL, 0),
		};
		ino_t same = inode_of(*state, "c:1");
		ino_t alone = inode_of(*state, "e:1");

		open_ctx(&ctx);
		same_fault(
		    "all", &ctx, store_commit(&ctx, &store, changes, ROWS(changes)), FAULT_NONE);
		ctx_close(&ctx);
		assert_int_equal(inode_of(*state, "c:1"), same);
		assert_int_equal(inode_of(*state, "e:1"), alone);
	}
	has_value("changed", &store, "b:1", "new");
	has_value("the same", &store, "c:1", "same");
	has_value("erased", &store, "d:1", NULL);
	has_value("left alone", &store, "e:1", "left alone");
	has_value("in the same shard", &store, neighbour, "in the same shard");
	has_value("one that expires", &store, "f:1", "expires later");
	assert_int_equal(copies_left(*state), 0);
}

/* The last operation fails: its file would be too large, as on a full disk. */
static bool
last_operation_fails(void *arg)
{
	const struct store_config *store = arg;
	struct rlimit less = { 65536, RLIM_INFINITY };
	char large[60000];
	char last[32];
	struct ctx ctx;
	const struct store_op changes[] = {
		store_op_put("b:1", "new", 0),
		store_op_put("c:1", "new", 0),
		store_op_put(last, large, 0),
	};

	key_in(LAST_SHARD, last);
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	signal(SIGXFSZ, SIG_IGN);
	return setrlimit(RLIMIT_FSIZE, &less) == 0 && ctx_open(&ctx, ARENA_SIZE)
	    && !store_commit(&ctx, store, changes, ROWS(changes)) && ctx.kind == FAULT_STORAGE;
}

static void
changes_nothing_when_one_fails(void **state)
{
	struct store_config store = store_in(*state);
	const struct store_op refused[] = {
		store_op_put("b:1", "new", 0),
		{ "c:1", 0, refuse, NULL },
	};
	struct store_op many[STORE_OPS_MAX + 1];
	char last[32];
	struct ctx ctx;

	put(&store, "b:1", "old");
	put(&store, "c:1", "old");
	open_ctx(&ctx);
	same_fault("an edit refuses", &ctx, store_commit(&ctx, &store, refused, ROWS(refused)),
	    FAULT_REFUSED);
	ctx_wipe(&ctx);
	for (size_t i = 0; i < ROWS(many); i++)
		many[i] = store_op_put("b:1", "new", 0);
	same_fault("too many", &ctx, store_commit(&ctx, &store, many, ROWS(many)), FAULT_SERVER);
	ctx_close(&ctx);
	in_child("no space for the last", last_operation_fails, &store);
	has_value("the first", &store, "b:1", "old");
	has_value("the second", &store, "c:1", "old");
	key_in(LAST_SHARD, last);
	has_value("the last", &store, last, NULL);
	assert_int_equal(copies_left(*state), 0);
}

/* A disk that becomes full, and the space that is reserved on it. */
struct full_disk {
	const char *label;
	const char *options; /* of the file system */
	const char *large;   /* a key whose shard is large; NULL: no shard is */
	bool ready_before;   /* store_ready was called when that shard was small */
	int reserve;         /* bytes in each file of the reserve */
	const char *folder;
};

#define LARGE_RECORDS 12 /* of 60 KB: that shard is larger than the reserve for small shards */

static bool
make_large(struct ctx *ctx, const struct store_config *store, const char *like)
{
	static char value[60000];
	char key[32];

	memset(value, 'x', sizeof value - 1);
	for (int i = 0, made = 0; made < LARGE_RECORDS; i++) {
		snprintf(key, sizeof key, "large:%d", i);
		if (shard_of(key) != shard_of(like))
			continue;
		if (!store_put(ctx, store, key, value, 0))
			return false;
		made++;
	}
	return true;
}

static bool
reserve_is(const char *folder, int size)
{
	char path[PATH_SIZE];
	struct stat st;

	snprintf(path, sizeof path, "%s/connections/3.room", folder);
	return stat(path, &st) == 0 && st.st_size == size;
}

/* Another program fills the disk between store_ready and store_commit. */
static bool
commits_on_a_full_disk(const struct full_disk *disk)
{
	static char block[4096];
	struct store_config store = store_in(disk->folder);
	const struct store_op changes[] = {
		store_op_put("b:1", "new", 0),
		store_op_put("c:1", "new", 0),
		store_op_put("d:1", "new", 0),
		store_op_put("e:1", "new", 0),
	};
	char path[PATH_SIZE];
	struct ctx ctx;
	int fd;

	snprintf(path, sizeof path, "%s/filling", store.path);
	if (mount("none", store.path, "tmpfs", 0, disk->options) != 0 || !ctx_open(&ctx, ARENA_SIZE)
	    || (disk->ready_before
		&& (!store_ready(&ctx, &store) || !reserve_is(disk->folder, 131072)))
	    || (disk->large != NULL && !make_large(&ctx, &store, disk->large))
	    || !store_ready(&ctx, &store) || !reserve_is(disk->folder, disk->reserve)
	    || (fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return false;
	while (write(fd, block, sizeof block) > 0)
		;
	if (!store_commit(&ctx, &store, changes, ROWS(changes)))
		return false;
	while (write(fd, block, sizeof block) > 0)
		;
	close(fd);
	return !store_ready(&ctx, &store) && ctx.kind == FAULT_STORAGE && unlink(path) == 0
	    && (ctx_clear_fault(&ctx), store_ready(&ctx, &store));
}

static bool
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Maps the current user and group, without which no file could be created. */
static bool
enter_user_namespace(void)
{
	char users[64];
	char groups[64];

	snprintf(users, sizeof users, "0 %u 1", (unsigned)getuid());
	snprintf(groups, sizeof groups, "0 %u 1", (unsigned)getgid());
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_text("/proc/self/uid_map", users)
	    && write_text("/proc/self/setgroups", "deny")
	    && write_text("/proc/self/gid_map", groups);
}

/* A mount namespace, and a user namespace if this user may not create a mount namespace alone. */
static bool
enter_mount_namespace(void)
{
	return (unshare(CLONE_NEWNS) == 0 || enter_user_namespace())
	    && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void
reserves_space_for_a_commit(void **state)
{
	static const struct full_disk table[] = {
		{ "small shards", "size=1m,mode=0700", NULL, false, 131072, NULL },
		{ "small shards, reserved twice", "size=1m,mode=0700", NULL, true, 131072, NULL },
		{ "a large shard is changed", "size=8m,mode=0700", "b:1", false, 917504, NULL },
		{ "a large shard is not changed", "size=8m,mode=0700", "z:1", false, 917504, NULL },
		{ "a shard that grew after a reserve", "size=8m,mode=0700", "b:1", true, 917504,
		    NULL },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct full_disk disk = table[i];
		int status;
		pid_t pid;

		disk.folder = *state;
		pid = fork();
		if (pid == 0) {
			alarm(CHILD_LIMIT_S);
			if (!enter_mount_namespace())
				_exit(0);
			_exit(commits_on_a_full_disk(&disk) ? CHILD_TRUE : CHILD_FALSE);
		}
		assert_true(pid > 0);
		status = child_status(pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			skip(); /* namespaces cannot be created here */
		child_says_true(disk.label, status);
	}
}

/* Flips a bit of the key's value in the shard's file. */
static void
corrupt_value(const char *folder, const char *key, const char *value)
{
	char path[PATH_SIZE];
	uint8_t *bytes;
	uint8_t *at;
	size_t len;

	snprintf(path, sizeof path, "%s/connections/%03x.gdbm", folder, (unsigned)shard_of(key));
	bytes = file_read(path, &len);
	at = memmem(bytes, len, value, strlen(value));
	assert_non_null(at);
	*at ^= 1;
	file_write(path, bytes, len, 0600);
	free(bytes);
}

static bool
note_visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	(void)ctx;
	(void)key;
	*(int *)arg += value == NULL ? 100 : 1;
	return true;
}

static void
replaces_a_corrupt_record_but_does_not_edit_it(void **state)
{
	struct store_config store = store_in(*state);
	const struct store_op changes[] = {
		store_op_put("b:1", "third value", 0),
		store_op_put("c:1", "new", 0),
	};
	struct ctx ctx;
	const char *value;
	int visits = 0;

	put(&store, "b:1", "first value");
	put(&store, "b:2", "another");
	corrupt_value(*state, "b:1", "first value");
	open_ctx(&ctx);
	same_fault("get", &ctx, store_get(&ctx, &store, "b:1", &value), FAULT_CORRUPT);
	ctx_wipe(&ctx);
	same_fault(
	    "update", &ctx, store_update(&ctx, &store, "b:1", 0, leave_alone, NULL), FAULT_CORRUPT);
	ctx_wipe(&ctx);
	same_fault("each", &ctx, store_each(&ctx, &store, "b:", note_visit, &visits), FAULT_NONE);
	same_number("an intact and a corrupt record", visits, 101);
	same_fault("put", &ctx, store_put(&ctx, &store, "b:1", "second value", 0), FAULT_NONE);
	ctx_close(&ctx);
	has_value("put", &store, "b:1", "second value");

	corrupt_value(*state, "b:1", "second value");
	open_ctx(&ctx);
	same_fault("commit", &ctx, store_commit(&ctx, &store, changes, ROWS(changes)), FAULT_NONE);
	ctx_close(&ctx);
	has_value("commit", &store, "b:1", "third value");
	has_value("the other operation", &store, "c:1", "new");

	corrupt_value(*state, "b:1", "third value");
	open_ctx(&ctx);
	same_fault("erase", &ctx, store_erase(&ctx, &store, "b:1"), FAULT_NONE);
	ctx_close(&ctx);
	has_value("erased", &store, "b:1", NULL);
	has_value("another record", &store, "b:2", "another");
}

/* How many of the shards 3, 4 and LAST_SHARD are locked. */
static bool
count_locks(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	static const int shards[] = { 3, 4, LAST_SHARD };
	const struct store_config *store = arg;
	struct stale_lock locked;
	const char *path;
	int count = 0;

	(void)old;
	if (!ctx_printf(ctx, &path, "%s/locks", store->path))
		return false;
	for (size_t i = 0; i < ROWS(shards); i++) {
		if (!lock_find_stale(ctx, path, shards[i], 1, 0, &locked))
			return false;
		count += locked.path != NULL;
	}
	return ctx_printf(ctx, value, "%d", count);
}

static void
locks_all_shards_that_it_may_change(void **state)
{
	struct store_config store = store_in(*state);
	char high[32];
	char low[32];
	struct ctx ctx;

	key_in(LAST_SHARD, high);
	key_in(3, low);
	{
		const struct store_op changes[] = {
			{ high, 0, leave_alone, NULL },
			{ low, 0, count_locks, &store },
		};

		open_ctx(&ctx);
		same_fault(
		    "both", &ctx, store_commit(&ctx, &store, changes, ROWS(changes)), FAULT_NONE);
		ctx_close(&ctx);
	}
	has_value("locks held", &store, low, "2");
}

struct holder {
	const struct store_config *store;
	const char *low;
	const char *high;
	int held[2];    /* a pipe: a byte in it says that the lock is held */
	int release[2]; /* a pipe: the lock is released when its write end is closed */
};

/* Holds the shard's lock until all processes have closed the write end of the pipe. */
static bool
hold_until_released(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	const struct holder *holder = arg;
	char byte;

	(void)ctx;
	(void)old;
	(void)value;
	return close(holder->release[1]) == 0 && write(holder->held[1], "", 1) == 1
	    && read(holder->release[0], &byte, 1) == 0;
}

static bool
hold_low(void *arg)
{
	const struct holder *holder = arg;
	struct ctx ctx;

	return ctx_open(&ctx, ARENA_SIZE)
	    && store_update(&ctx, holder->store, holder->low, 0, hold_until_released, arg);
}

static bool
change_both(void *arg)
{
	const struct holder *holder = arg;
	const struct store_op changes[] = {
		store_op_put(holder->high, "both", 0),
		store_op_put(holder->low, "both", 0),
	};
	struct ctx ctx;

	return close(holder->release[1]) == 0 && ctx_open(&ctx, ARENA_SIZE)
	    && store_commit(&ctx, holder->store, changes, ROWS(changes));
}

/* Whatever the order of its operations, a commit that waits for the lock of a shard holds no lock
 * of a higher shard: two commits cannot deadlock. */
static void
two_commits_cannot_deadlock(void **state)
{
	struct store_config store = store_in(*state);
	char low[32];
	char high[32];
	struct holder holder = { &store, low, high, { -1, -1 }, { -1, -1 } };
	struct pollfd held = { .events = POLLIN };
	int64_t enough;
	pid_t holding;
	pid_t changing;

	key_in(3, low);
	key_in(LAST_SHARD, high);
	assert_int_equal(pipe(holder.held), 0);
	assert_int_equal(pipe(holder.release), 0);
	holding = child_start(hold_low, &holder);
	held.fd = holder.held[0];
	assert_int_equal(poll(&held, 1, CHILD_LIMIT_S * 1000), 1);
	changing = child_start(change_both, &holder);
	enough = clock_ms() + STORE_WAIT_MS / 5;
	/* long enough for the commit to start waiting, and far shorter than its limit */
	for (int i = 0; i < 50 && clock_ms() < enough; i++)
		put(&store, high, i % 2 == 0 ? "one" : "two");
	close(holder.release[1]);
	child_says_true("the process that holds the low shard", child_status(holding));
	child_says_true("the process that changes both", child_status(changing));
	close(holder.release[0]);
	close(holder.held[0]);
	close(holder.held[1]);
	has_value("the low shard", &store, low, "both");
	has_value("the high shard", &store, high, "both");
}

/* The last value that was begun, and that was acknowledged, in memory that outlives the writer. */
struct ledger {
	volatile long begun;
	volatile long ok;
	volatile long failed;
};

struct writer {
	const struct store_config *store;
	struct ledger *ledger;
	const char (*keys)[32];
};

static bool
write_until_killed(void *arg)
{
	struct writer *writer = arg;
	struct ctx ctx;

	if (!ctx_open(&ctx, ARENA_SIZE))
		return false;
	for (;;) {
		struct store_op changes[RECORDS];
		long value = ++writer->ledger->begun;
		const char *text;

		if (!ctx_printf(&ctx, &text, "%ld", value))
			return false;
		for (int i = 0; i < RECORDS; i++)
			changes[i] = store_op_put(writer->keys[i], text, 0);
		if (!store_commit(&ctx, writer->store, changes, RECORDS)) {
			writer->ledger->failed++;
			return false;
		}
		writer->ledger->ok = value;
		ctx_wipe(&ctx);
	}
}

static void
read_numbers(const struct store_config *store, const char keys[RECORDS][32], long values[RECORDS])
{
	struct ctx ctx;

	open_ctx(&ctx);
	for (int i = 0; i < RECORDS; i++) {
		const char *text;

		if (!store_get(&ctx, store, keys[i], &text))
			fail_msg("%s: %s", keys[i], ctx.reason);
		values[i] = text == NULL ? 0 : strtol(text, NULL, 10);
	}
	ctx_close(&ctx);
}

/* Each record is old or new, and no record is newer than one before it; in a database none is
 * older, either. */
static void
check_records(const struct store_config *store, const char keys[RECORDS][32], struct ledger *ledger)
{
	long before = ledger->begun;
	long values[RECORDS];

	read_numbers(store, keys, values);
	for (int i = 0; i < RECORDS; i++) {
		long value = values[i];

		if (value < ledger->ok || value > ledger->begun)
			fail_msg("%s is %ld; %ld was acknowledged, %ld begun", keys[i], value,
			    ledger->ok, ledger->begun);
		if (value > before)
			fail_msg("%s is %ld, after one that is %ld", keys[i], value, before);
		if (engine_is_database())
			same_number(keys[i], value, values[0]);
		before = value;
	}
}

static void
applies_operations_in_order_when_killed(void **state)
{
	struct store_config store = store_in(*state);
	struct ledger *ledger =
	    mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char keys[RECORDS][32] = { "connection:1:7", "account:1", "app:u1", "" };
	struct writer writer = { &store, ledger, (const char(*)[32])keys };
	unsigned random = 1;
	int rounds = engine_is_database() ? ROUNDS / 6 : ROUNDS;

	assert_true(ledger != MAP_FAILED);
	key_in(shard_of(keys[1]), keys[3]); /* an operation on another shard is between them */
	for (int round = 0; round < rounds; round++) {
		long begun = ledger->begun;
		pid_t pid;

		random = random * 1103515245 + 12345;
		pid = child_start(write_until_killed, &writer);
		child_counts("a commit begins", &ledger->begun, begun + (random >> 8) % BEGUN_MAX,
		    (random >> 12) % LATER_US);
		kill(pid, SIGKILL);
		child_status(pid);
		engine_settle();
		assert_int_equal(ledger->failed, 0);
		check_records(&store, (const char(*)[32])keys, ledger);
	}
	assert_true(ledger->ok > rounds / 10); /* some committed before being killed */
	if (!engine_is_database())
		assert_in_range(copies_left(*state), 0, RECORDS);
	munmap(ledger, sizeof *ledger);
}

static bool
change_in_arena(struct ctx *ctx, void *arg)
{
	const struct store_config *store = arg;
	const struct store_op changes[] = {
		store_op_put("b:1", "x", 0),
		store_op_put("c:1", "x", time(NULL) + 1000),
	};

	return store_erase(ctx, store, "b:1") && store_erase(ctx, store, "c:1")
	    && store_commit(ctx, store, changes, ROWS(changes));
}

static void
reports_a_full_arena(void **state)
{
	struct store_config store = store_in(*state);

	try_small_arenas("erase and commit", change_in_arena, &store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(writes_only_shards_that_change),
		IN_FOLDER(changes_nothing_when_one_fails),
		IN_FOLDER(reserves_space_for_a_commit),
		IN_FOLDER(replaces_a_corrupt_record_but_does_not_edit_it),
		IN_FOLDER(locks_all_shards_that_it_may_change),
		IN_FOLDER(two_commits_cannot_deadlock),
		IN_STORE(applies_operations_in_order_when_killed),
		IN_FOLDER(reports_a_full_arena),
	};

	return run_engine_tests("store, commit", tests);
}
