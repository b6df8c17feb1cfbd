/* test_filecache.c - a file is read again when it has changed, and only then.
 */
#include "base/filecache.h"

#include "../../folder.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Gives out the text, unless it begins with '!'. */
static bool
parse_text(struct ctx *ctx, const char *path, const void **parsed)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	const char *copy;

	if (fd >= 0)
		close(fd);
	if (len < 0)
		return fault(ctx, FAULT_CONFIG, "%s: is not there", path);
	if (text[0] == '!')
		return fault(ctx, FAULT_CONFIG, "%s: is broken", path);
	if (!ctx_strndup(ctx, text, (size_t)len, &copy))
		return false;
	*parsed = copy;
	return true;
}

/* The same, and marks in the file's folder that it was asked. */
static bool
parse_and_tell(struct ctx *ctx, const char *path, const void **parsed)
{
	char mark[PATH_SIZE];

	assert_true(snprintf(mark, sizeof mark, "%s.read", path) < PATH_SIZE);
	file_write_text(mark, "");
	return parse_text(ctx, path, parsed);
}

static bool
was_read(const char *path)
{
	char mark[PATH_SIZE];

	assert_true(snprintf(mark, sizeof mark, "%s.read", path) < PATH_SIZE);
	return unlink(mark) == 0;
}

/* What is kept of the file as the next request sees it; NULL with a fault. */
static const char *
ask(struct ctx *ctx, const char *path)
{
	const void *parsed = NULL;

	ctx_wipe(ctx);
	filecache_revalidate(ctx);
	return filecache_get(ctx, FILECACHE_CONFIG, path, parse_and_tell, &parsed) ? parsed : NULL;
}

static void
rename_over(const char *path, const char *text)
{
	char other[PATH_SIZE];

	assert_true(snprintf(other, sizeof other, "%s.new", path) < PATH_SIZE);
	file_write_text(other, text);
	assert_int_equal(rename(other, path), 0);
}

/* --- what may happen to a file */

static void
is_left_alone(const char *path)
{
	(void)path;
}

static void
is_looked_at(const char *path)
{
	size_t len;

	free(file_read(path, &len));
}

static void
is_edited(const char *path)
{
	file_write_text(path, "two");
}

static void
is_edited_and_set_back(const char *path)
{
	struct stat before;

	assert_int_equal(stat(path, &before), 0);
	file_write_text(path, "two");
	assert_int_equal(utimensat(AT_FDCWD, path,
			     (const struct timespec[]){ before.st_atim, before.st_mtim }, 0),
	    0);
}

static void
is_replaced(const char *path)
{
	rename_over(path, "two");
}

static void
is_replaced_by_one_as_old(const char *path)
{
	char other[PATH_SIZE];

	assert_true(snprintf(other, sizeof other, "%s.as-old", path) < PATH_SIZE);
	assert_int_equal(rename(other, path), 0);
}

static void
gets_another_mode(const char *path)
{
	assert_int_equal(chmod(path, 0400), 0);
}

static void
is_broken(const char *path)
{
	file_write_text(path, "!");
}

static void
is_removed(const char *path)
{
	assert_int_equal(unlink(path), 0);
}

static const struct row {
	const char *label;
	void (*happens)(const char *path);
	const char *then; /* NULL: a fault */
	bool read;
} rows[] = {
	{ "left alone", is_left_alone, "one", false },
	{ "looked at", is_looked_at, "one", false },
	{ "edited, of the same size", is_edited, "two", true },
	{ "edited, and its time set back", is_edited_and_set_back, "two", true },
	{ "replaced", is_replaced, "two", true },
	{ "replaced by one as old and as large", is_replaced_by_one_as_old, "two", true },
	{ "given another mode", gets_another_mode, "one", true },
	{ "broken", is_broken, NULL, true },
	{ "removed", is_removed, NULL, true },
};

struct one {
	char path[PATH_SIZE];
	struct ctx ctx;
	struct filecache filecache;
};

static void
set_up(struct one *one, const char *folder, size_t number)
{
	char name[32];
	char other[PATH_SIZE];

	snprintf(name, sizeof name, "file-%zu", number);
	path_in(folder, name, one->path);
	file_write_text(one->path, "one");
	assert_true(snprintf(other, sizeof other, "%s.as-old", one->path) < PATH_SIZE);
	file_write_text(other, "two");
	assert_true(ctx_open(&one->ctx, 65536));
	assert_true(filecache_open(&one->ctx, &one->filecache));
}

static void
tear_down(struct one *one)
{
	filecache_close(&one->ctx);
	ctx_close(&one->ctx);
}

/* Until the file is old enough for its times to tell of any change. */
static void
let_settle(const char *path)
{
	const struct timespec a_little = { .tv_nsec = 50000000 };
	struct timespec now;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	do {
		nanosleep(&a_little, NULL);
		clock_gettime(CLOCK_REALTIME, &now);
	} while (now.tv_sec - st.st_ctim.tv_sec <= FILECACHE_SAFE_AGE_S);
}

static void
check_text(const char *label, const char *got, const char *expected)
{
	if (expected == NULL)
		DEMAND(label, got == NULL);
	else
		same_text(label, got == NULL ? "a fault" : got, expected);
}

static void
reads_what_has_changed(void **state)
{
	static struct one ones[ROWS(rows)];

	for (size_t i = 0; i < ROWS(rows); i++) {
		set_up(&ones[i], *state, i);
		check_text(rows[i].label, ask(&ones[i].ctx, ones[i].path), "one");
		DEMAND("a new file", was_read(ones[i].path));
		check_text(rows[i].label, ask(&ones[i].ctx, ones[i].path), "one");
		DEMAND("a file that is read while new", was_read(ones[i].path));
	}
	let_settle(ones[ROWS(rows) - 1].path);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct one *one = &ones[i];

		check_text(rows[i].label, ask(&one->ctx, one->path), "one");
		DEMAND("a file that has settled", was_read(one->path));
		for (int again = 0; again < 3; again++) {
			check_text(rows[i].label, ask(&one->ctx, one->path), "one");
			DEMAND("a file that was read when settled", !was_read(one->path));
		}
		rows[i].happens(one->path);
		check_text(rows[i].label, ask(&one->ctx, one->path), rows[i].then);
		DEMAND(rows[i].label, was_read(one->path) == rows[i].read);
		check_text(rows[i].label, ask(&one->ctx, one->path), rows[i].then);
		tear_down(one);
	}
}

static void
tells_a_fault_until_it_is_mended(void **state)
{
	static struct one one;

	set_up(&one, *state, 0);
	check_text("good", ask(&one.ctx, one.path), "one");
	for (int again = 0; again < 3; again++) {
		char reason[PATH_SIZE + 32];

		rename_over(one.path, "!");
		check_text("broken", ask(&one.ctx, one.path), NULL);
		snprintf(reason, sizeof reason, "%s: is broken", one.path);
		assert_int_equal(one.ctx.kind, FAULT_CONFIG);
		same_text("the fault", one.ctx.reason, reason);
	}
	rename_over(one.path, "mended");
	check_text("mended", ask(&one.ctx, one.path), "mended");
	assert_int_equal(one.ctx.kind, FAULT_NONE);
	tear_down(&one);
}

/* Two steps of one request see the same, and what the first was given stays. */
static void
is_the_same_throughout_a_request(void **state)
{
	static struct one one;
	const void *again = NULL;
	const char *first;

	set_up(&one, *state, 0);
	first = ask(&one.ctx, one.path);
	rename_over(one.path, "two");
	assert_true(filecache_get(&one.ctx, FILECACHE_CONFIG, one.path, parse_and_tell, &again));
	assert_ptr_equal(again, first);
	same_text("what was given first", first, "one");
	check_text("the next request", ask(&one.ctx, one.path), "two");
	tear_down(&one);
}

static void
knows_one_path_from_another(void **state)
{
	static struct one one;
	char other[PATH_SIZE];
	const void *parsed = NULL;

	set_up(&one, *state, 0);
	path_in(*state, "other", other);
	file_write_text(other, "other");
	check_text("the first", ask(&one.ctx, one.path), "one");
	assert_true(filecache_get(&one.ctx, FILECACHE_CONFIG, other, parse_and_tell, &parsed));
	same_text("another path in the same request", parsed, "other");
	check_text("the first again", ask(&one.ctx, one.path), "one");
	tear_down(&one);
}

static void
keeps_nothing_where_nothing_is_kept(void **state)
{
	struct ctx ctx;
	char path[PATH_SIZE];

	path_in(*state, "file", path);
	file_write_text(path, "one");
	assert_true(ctx_open(&ctx, 65536));
	for (int again = 0; again < 2; again++) {
		check_text("as CGI", ask(&ctx, path), "one");
		DEMAND("as CGI", was_read(path));
	}
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(reads_what_has_changed),
		IN_FOLDER(tells_a_fault_until_it_is_mended),
		IN_FOLDER(is_the_same_throughout_a_request),
		IN_FOLDER(knows_one_path_from_another),
		IN_FOLDER(keeps_nothing_where_nothing_is_kept),
	};

	return cmocka_run_group_tests_name("filecache", tests, NULL, NULL);
}
