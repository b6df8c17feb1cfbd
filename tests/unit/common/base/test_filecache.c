/* test_filecache.c - a file is parsed again when it has changed, and only then.
 */
#include "base/filecache.h"

#include "../../folder.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Gives the text of the file, unless it begins with '!'. */
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

/* The same, and creates a file that marks the call. */
static bool
parse_and_mark(struct ctx *ctx, const char *path, const void **parsed)
{
	char mark[PATH_SIZE];

	assert_true(snprintf(mark, sizeof mark, "%s.read", path) < PATH_SIZE);
	file_write_text(mark, "");
	return parse_text(ctx, path, parsed);
}

static bool
was_parsed(const char *path)
{
	char mark[PATH_SIZE];

	assert_true(snprintf(mark, sizeof mark, "%s.read", path) < PATH_SIZE);
	return unlink(mark) == 0;
}

/* The text that the next request gets; NULL with a fault. */
static const char *
get_in_next_request(struct ctx *ctx, const char *path)
{
	const void *parsed = NULL;

	ctx_wipe(ctx);
	filecache_revalidate(ctx);
	return filecache_get(ctx, FILECACHE_CONFIG, path, parse_and_mark, &parsed) ? parsed : NULL;
}

static void
rename_over(const char *path, const char *text)
{
	char other[PATH_SIZE];

	assert_true(snprintf(other, sizeof other, "%s.new", path) < PATH_SIZE);
	file_write_text(other, text);
	assert_int_equal(rename(other, path), 0);
}

/* --- changes of a file */

static void
is_not_changed(const char *path)
{
	(void)path;
}

static void
is_only_read(const char *path)
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
is_edited_with_its_old_mtime(const char *path)
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
is_replaced_by_a_file_as_old(const char *path)
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
is_made_invalid(const char *path)
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
	void (*change)(const char *path);
	const char *expected; /* NULL: a fault */
	bool parsed;
} rows[] = {
	{ "not changed", is_not_changed, "one", false },
	{ "only read", is_only_read, "one", false },
	{ "edited without changing its size", is_edited, "two", true },
	{ "edited, with its mtime set back", is_edited_with_its_old_mtime, "two", true },
	{ "replaced", is_replaced, "two", true },
	{ "replaced by a file of the same age and size", is_replaced_by_a_file_as_old, "two",
	    true },
	{ "with another mode", gets_another_mode, "one", true },
	{ "invalid", is_made_invalid, NULL, true },
	{ "removed", is_removed, NULL, true },
};

struct file {
	char path[PATH_SIZE];
	struct ctx ctx;
	struct filecache filecache;
};

static void
set_up(struct file *file, const char *folder, size_t number)
{
	char name[32];
	char other[PATH_SIZE];

	snprintf(name, sizeof name, "file-%zu", number);
	path_in(folder, name, file->path);
	file_write_text(file->path, "one");
	assert_true(snprintf(other, sizeof other, "%s.as-old", file->path) < PATH_SIZE);
	file_write_text(other, "two");
	assert_true(ctx_open(&file->ctx, 65536));
	assert_true(filecache_open(&file->ctx, &file->filecache));
}

static void
tear_down(struct file *file)
{
	filecache_close(&file->ctx);
	ctx_close(&file->ctx);
}

/* Waits until the file is old enough for its timestamps to show any change. */
static void
wait_until_timestamps_are_safe(const char *path)
{
	const struct timespec interval = { .tv_nsec = 50000000 };
	struct timespec now;
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	do {
		nanosleep(&interval, NULL);
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
parses_a_file_again_after_a_change(void **state)
{
	static struct file files[ROWS(rows)];

	for (size_t i = 0; i < ROWS(rows); i++) {
		set_up(&files[i], *state, i);
		check_text(rows[i].label, get_in_next_request(&files[i].ctx, files[i].path), "one");
		DEMAND("a new file", was_parsed(files[i].path));
		check_text(rows[i].label, get_in_next_request(&files[i].ctx, files[i].path), "one");
		DEMAND("a new file in the next request", was_parsed(files[i].path));
	}
	wait_until_timestamps_are_safe(files[ROWS(rows) - 1].path);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct file *file = &files[i];

		check_text(rows[i].label, get_in_next_request(&file->ctx, file->path), "one");
		DEMAND("a file that has become old enough", was_parsed(file->path));
		for (int again = 0; again < 3; again++) {
			check_text(
			    rows[i].label, get_in_next_request(&file->ctx, file->path), "one");
			DEMAND("a file that was parsed when old enough", !was_parsed(file->path));
		}
		rows[i].change(file->path);
		check_text(
		    rows[i].label, get_in_next_request(&file->ctx, file->path), rows[i].expected);
		DEMAND(rows[i].label, was_parsed(file->path) == rows[i].parsed);
		check_text(
		    rows[i].label, get_in_next_request(&file->ctx, file->path), rows[i].expected);
		tear_down(file);
	}
}

static void
reports_a_fault_until_it_is_corrected(void **state)
{
	static struct file file;

	set_up(&file, *state, 0);
	check_text("valid", get_in_next_request(&file.ctx, file.path), "one");
	for (int again = 0; again < 3; again++) {
		char reason[PATH_SIZE + 32];

		rename_over(file.path, "!");
		check_text("invalid", get_in_next_request(&file.ctx, file.path), NULL);
		snprintf(reason, sizeof reason, "%s: is broken", file.path);
		assert_int_equal(file.ctx.kind, FAULT_CONFIG);
		same_text("the fault", file.ctx.reason, reason);
	}
	rename_over(file.path, "mended");
	check_text("corrected", get_in_next_request(&file.ctx, file.path), "mended");
	assert_int_equal(file.ctx.kind, FAULT_NONE);
	tear_down(&file);
}

/* Two steps of one request get the same result, which stays valid until the request ends. */
static void
is_the_same_throughout_a_request(void **state)
{
	static struct file file;
	const void *again = NULL;
	const char *first;

	set_up(&file, *state, 0);
	first = get_in_next_request(&file.ctx, file.path);
	rename_over(file.path, "two");
	assert_true(filecache_get(&file.ctx, FILECACHE_CONFIG, file.path, parse_and_mark, &again));
	assert_ptr_equal(again, first);
	same_text("the first result", first, "one");
	check_text("the next request", get_in_next_request(&file.ctx, file.path), "two");
	tear_down(&file);
}

static void
distinguishes_paths(void **state)
{
	static struct file file;
	char other[PATH_SIZE];
	const void *parsed = NULL;

	set_up(&file, *state, 0);
	path_in(*state, "other", other);
	file_write_text(other, "other");
	check_text("the first", get_in_next_request(&file.ctx, file.path), "one");
	assert_true(filecache_get(&file.ctx, FILECACHE_CONFIG, other, parse_and_mark, &parsed));
	same_text("another path in the same request", parsed, "other");
	check_text("the first again", get_in_next_request(&file.ctx, file.path), "one");
	tear_down(&file);
}

static void
parses_every_time_without_a_cache(void **state)
{
	struct ctx ctx;
	char path[PATH_SIZE];

	path_in(*state, "file", path);
	file_write_text(path, "one");
	assert_true(ctx_open(&ctx, 65536));
	for (int again = 0; again < 2; again++) {
		check_text("as CGI", get_in_next_request(&ctx, path), "one");
		DEMAND("as CGI", was_parsed(path));
	}
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(parses_a_file_again_after_a_change),
		IN_FOLDER(reports_a_fault_until_it_is_corrected),
		IN_FOLDER(is_the_same_throughout_a_request),
		IN_FOLDER(distinguishes_paths),
		IN_FOLDER(parses_every_time_without_a_cache),
	};

	return cmocka_run_group_tests_name("filecache", tests, NULL, NULL);
}
