/* test_lock.c - a lock has one holder, ends with its process, and is waited for with a timeout. */
#include "../../child.h"
#include "../../folder.h"

#include "base/clock.h"
#include "base/lock.h"

static void
has_one_holder(void **state)
{
	static const struct {
		const char *label;
		int64_t first, second;
		bool both;
	} table[] = {
		{ "the same byte", 0, 0, false },
		{ "the same byte at the largest offset", INT64_C(72057594037928191),
		    INT64_C(72057594037928191), false },
		{ "adjacent bytes", 255, 256, true },
		{ "the first byte and the last", 0, INT64_C(72057594037928191), true },
	};
	char path[PATH_SIZE];

	path_in(*state, "locks", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct lock first;
		struct lock second;
		bool ok;

		open_ctx(&ctx);
		assert_true(lock_acquire(&ctx, path, table[i].first, 0, &first));
		ok = lock_acquire(&ctx, path, table[i].second, 0, &second);
		same_fault(
		    table[i].label, &ctx, ok, table[i].both ? FAULT_NONE : FAULT_UNAVAILABLE);
		if (ok)
			lock_release(&second);
		lock_release(&first);
		ctx_wipe(&ctx);
		DEMAND(
		    "the lock is free again", lock_acquire(&ctx, path, table[i].first, 0, &first));
		lock_release(&first);
		ctx_close(&ctx);
	}
}

static void
creates_an_empty_private_file(void **state)
{
	struct ctx ctx;
	struct lock lock;
	struct stat st;
	char path[PATH_SIZE];

	path_in(*state, "locks", path);
	open_ctx(&ctx);
	assert_true(lock_acquire(&ctx, path, 7, 0, &lock));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(fcntl(lock.fd, F_GETFD), FD_CLOEXEC);
	lock_release(&lock);
	ctx_close(&ctx);
}

static void
waits_until_the_timeout(void **state)
{
	static const int64_t waits_ms[] = { 0, 1, 60, 300 };
	struct ctx ctx;
	struct lock held;
	char path[PATH_SIZE];

	path_in(*state, "locks", path);
	open_ctx(&ctx);
	assert_true(lock_acquire(&ctx, path, 1, 0, &held));
	for (size_t i = 0; i < ROWS(waits_ms); i++) {
		int64_t start = clock_ms();
		struct lock lock;
		int64_t took;

		ctx_wipe(&ctx);
		assert_false(lock_acquire(&ctx, path, 1, waits_ms[i], &lock));
		assert_int_equal(ctx.kind, FAULT_UNAVAILABLE);
		took = clock_ms() - start;
		if (took < waits_ms[i] || took > waits_ms[i] + BUSY_MS)
			fail_msg("waited %lld ms of %lld", (long long)took, (long long)waits_ms[i]);
	}
	lock_release(&held);
	ctx_close(&ctx);
}

/* Two processes that synchronize by sending each other single bytes. */
struct pair {
	const char *path;
	int to_child[2], to_parent[2];
};

static bool
send_byte(const int ends[2])
{
	return write(ends[1], "x", 1) == 1;
}

static bool
receive_byte(const int ends[2])
{
	char byte;

	return read(ends[0], &byte, 1) == 1;
}

static void
open_pair(struct pair *pair, const char *path)
{
	pair->path = path;
	assert_int_equal(pipe2(pair->to_child, O_CLOEXEC), 0);
	assert_int_equal(pipe2(pair->to_parent, O_CLOEXEC), 0);
}

static void
close_pair(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		close(pair->to_child[i]);
		close(pair->to_parent[i]);
	}
}

static bool
wait_for_lock(void *arg)
{
	const struct pair *pair = arg;
	struct ctx ctx;
	struct lock lock;

	if (!ctx_open(&ctx, 4096) || !receive_byte(pair->to_child)
	    || lock_acquire(&ctx, pair->path, 1, 0, &lock) || ctx.kind != FAULT_UNAVAILABLE
	    || !send_byte(pair->to_parent))
		return false;
	ctx_wipe(&ctx);
	return lock_acquire(&ctx, pair->path, 1, 10000, &lock);
}

static void
acquires_a_lock_that_is_released(void **state)
{
	char path[PATH_SIZE];
	struct pair pair;
	struct ctx ctx;
	struct lock lock;
	pid_t pid;

	path_in(*state, "locks", path);
	open_pair(&pair, path);
	/* before the lock is acquired, so that the child does not inherit its descriptor */
	pid = child_start(wait_for_lock, &pair);
	open_ctx(&ctx);
	assert_true(lock_acquire(&ctx, path, 1, 0, &lock));
	assert_true(send_byte(pair.to_child));
	assert_true(receive_byte(pair.to_parent));
	lock_release(&lock);
	child_says_true("the process that waited", child_status(pid));
	close_pair(&pair);
	ctx_close(&ctx);
}

static bool
acquire_and_pause(void *arg)
{
	const struct pair *pair = arg;
	struct ctx ctx;
	struct lock lock;

	if (!ctx_open(&ctx, 4096) || !lock_acquire(&ctx, pair->path, 1, 0, &lock)
	    || !send_byte(pair->to_parent))
		return false;
	pause();
	return false;
}

static void
ends_with_its_process(void **state)
{
	char path[PATH_SIZE];
	struct pair pair;
	struct ctx ctx;
	struct lock lock;
	pid_t pid;

	path_in(*state, "locks", path);
	open_pair(&pair, path);
	pid = child_start(acquire_and_pause, &pair);
	assert_true(receive_byte(pair.to_parent));
	open_ctx(&ctx);
	assert_false(lock_acquire(&ctx, path, 1, 0, &lock));
	kill(pid, SIGKILL);
	child_status(pid);
	ctx_wipe(&ctx);
	assert_true(lock_acquire(&ctx, path, 1, 0, &lock));
	lock_release(&lock);
	close_pair(&pair);
	ctx_close(&ctx);
}

static void
names_the_file_that_cannot_be_locked(void **state)
{
	static const struct {
		const char *label, *name;
	} table[] = {
		{ "a missing folder", "absent/locks" },
		{ "a folder instead of a file", "" },
	};
	char path[PATH_SIZE];

	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct lock lock;
		bool ok;

		path_in(*state, table[i].name, path);
		open_ctx(&ctx);
		ok = lock_acquire(&ctx, path, 1, 5000, &lock);
		same_fault(table[i].label, &ctx, ok, FAULT_STORAGE);
		has_text(table[i].label, ctx.reason, path);
		ctx_close(&ctx);
	}
}

/* A limit of 0 reports what is locked now. */
static void
finds_a_lock_in_a_range(void **state)
{
	static const struct {
		const char *label;
		int64_t locked, offset, len;
		bool found;
	} table[] = {
		{ "only the locked byte", 17, 17, 1, true },
		{ "at the start of the range", 17, 17, 9, true },
		{ "at the end of the range", 17, 9, 9, true },
		{ "just before the range", 17, 18, 9, false },
		{ "just after the range", 17, 8, 9, false },
		{ "in the whole file", 17, 0, 0, true },
		{ "in a range without an end", INT64_C(72057594037928191), 512, 0, true },
		{ "before a range without an end", 511, 512, 0, false },
	};
	char path[PATH_SIZE];

	path_in(*state, "locks", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct stale_lock stale;
		struct ctx ctx;
		struct lock held;

		open_ctx(&ctx);
		assert_true(lock_acquire(&ctx, path, table[i].locked, 0, &held));
		DEMAND(table[i].label,
		    lock_find_stale(&ctx, path, table[i].offset, table[i].len, 0, &stale));
		DEMAND(table[i].label, (stale.path != NULL) == table[i].found);
		if (table[i].found) {
			same_text(table[i].label, stale.path, path);
			same_number(table[i].label, stale.offset, table[i].locked);
		}
		lock_release(&held);
		DEMAND("the lock is free again", lock_find_stale(&ctx, path, 0, 0, 0, &stale));
		DEMAND("the lock is free again", stale.path == NULL);
		ctx_close(&ctx);
	}
}

static void
finds_no_lock_without_a_file(void **state)
{
	struct stale_lock stale;
	struct ctx ctx;
	char path[PATH_SIZE];
	struct stat st;

	open_ctx(&ctx);
	path_in(*state, "locks", path);
	assert_true(lock_find_stale(&ctx, path, 0, 0, 60000, &stale));
	assert_null(stale.path);
	assert_int_not_equal(stat(path, &st), 0);

	file_write_text(path, "");
	path_in(*state, "locks/locks", path);
	assert_false(lock_find_stale(&ctx, path, 0, 0, 60000, &stale));
	assert_int_equal(ctx.kind, FAULT_STORAGE);
	has_text("the file is named", ctx.reason, path);
	ctx_close(&ctx);
}

static void
reports_a_lock_as_stale_at_the_limit(void **state)
{
	static const int64_t limits_ms[] = { 1, 60, 300 };
	struct stale_lock stale;
	struct ctx ctx;
	struct lock held;
	char path[PATH_SIZE];

	path_in(*state, "locks", path);
	open_ctx(&ctx);
	assert_true(lock_acquire(&ctx, path, 1, 0, &held));
	for (size_t i = 0; i < ROWS(limits_ms); i++) {
		int64_t start = clock_ms();

		assert_true(lock_find_stale(&ctx, path, 0, 0, limits_ms[i], &stale));
		assert_non_null(stale.path);
		assert_int_equal(stale.held_ms, limits_ms[i]);
		assert_in_range(clock_ms() - start, limits_ms[i], limits_ms[i] + BUSY_MS);
	}
	lock_release(&held);
	ctx_close(&ctx);
}

/* Locks one byte after the other, each before it releases the previous one, until it is killed. */
static bool
lock_in_turn(void *arg)
{
	const struct pair *pair = arg;
	struct lock lock[2];
	struct ctx ctx;

	if (!ctx_open(&ctx, 65536) || !lock_acquire(&ctx, pair->path, 0, 0, &lock[0])
	    || !send_byte(pair->to_parent))
		return false;
	for (int64_t i = 1; lock_acquire(&ctx, pair->path, i, 0, &lock[i % 2]); i++) {
		lock_release(&lock[(i - 1) % 2]);
		clock_sleep(5);
	}
	return false;
}

static void
reports_no_lock_as_stale_that_is_released(void **state)
{
	enum { LIMIT_MS = 2000 };
	struct stale_lock stale;
	struct pair pair;
	struct ctx ctx;
	char path[PATH_SIZE];
	int64_t start;
	pid_t pid;

	path_in(*state, "locks", path);
	open_pair(&pair, path);
	pid = child_start(lock_in_turn, &pair);
	assert_true(receive_byte(pair.to_parent));
	open_ctx(&ctx);
	start = clock_ms();
	assert_true(lock_find_stale(&ctx, path, 0, 0, LIMIT_MS, &stale));
	assert_null(stale.path);
	assert_in_range(clock_ms() - start, LIMIT_MS, 2 * LIMIT_MS + BUSY_MS);
	kill(pid, SIGKILL);
	child_status(pid);
	close_pair(&pair);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(has_one_holder),
		IN_FOLDER(creates_an_empty_private_file),
		IN_FOLDER(waits_until_the_timeout),
		IN_FOLDER(acquires_a_lock_that_is_released),
		IN_FOLDER(ends_with_its_process),
		IN_FOLDER(names_the_file_that_cannot_be_locked),
		IN_FOLDER(finds_a_lock_in_a_range),
		IN_FOLDER(finds_no_lock_without_a_file),
		IN_FOLDER(reports_a_lock_as_stale_at_the_limit),
		IN_FOLDER(reports_no_lock_as_stale_that_is_released),
	};

	return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
