/* test_journal_faults.c - a disk that is full or fails, and the order of the calls that write to
 * it.
 *
 * The module is compiled in here with the calls that write to the disk replaced: they record each
 * call, and fail when a test demands it.
 */
#include "../../child.h"
#include "../../folder.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

static struct {
	char calls[256];     /* the calls so far, a word for each */
	const char *failing; /* the call that fails with EIO */
	size_t writable;     /* bytes that still fit on the disk */
	bool unreadable;     /* its sectors, not its directories */
} disk;

static bool
record_call(const char *call)
{
	snprintf(disk.calls + strlen(disk.calls), sizeof disk.calls - strlen(disk.calls), "%s%s",
	    disk.calls[0] == '\0' ? "" : " ", call);
	errno = EIO;
	return disk.failing == NULL || strcmp(disk.failing, call) != 0;
}

static int
recorded_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return record_call(S_ISDIR(st.st_mode) ? "sync-directory" : "sync-file") ? fsync(fd) : -1;
}

static int
recorded_fdatasync(int fd)
{
	return record_call("sync-data") ? fdatasync(fd) : -1;
}

static int
recorded_ftruncate(int fd, off_t len)
{
	return record_call("truncate") ? ftruncate(fd, len) : -1;
}

/* Writes as many bytes as still fit on the disk. */
static ssize_t
recorded_writev(int fd, const struct iovec *parts, int count)
{
	size_t written = 0;

	if (!record_call("write"))
		return -1;
	for (int i = 0; i < count; i++) {
		size_t len = parts[i].iov_len < disk.writable ? parts[i].iov_len : disk.writable;

		assert_int_equal(write(fd, parts[i].iov_base, len), len);
		disk.writable -= len;
		written += len;
	}
	errno = ENOSPC;
	return written == 0 ? -1 : (ssize_t)written;
}

static ssize_t
failing_pread(int fd, void *bytes, size_t len, off_t at)
{
	errno = EIO;
	return disk.unreadable ? -1 : pread(fd, bytes, len, at);
}

#define pread     failing_pread
#define fsync     recorded_fsync
#define fdatasync recorded_fdatasync
#define ftruncate recorded_ftruncate
#define writev    recorded_writev
#include "base/file.c"
#include "events/journal.c"
#include "events/journal_read.c"
#include "events/ndjson.c"
#undef pread
#undef fsync
#undef fdatasync
#undef ftruncate
#undef writev

#define EVENT "{\"n\":1}"
#define LINE  (sizeof EVENT) /* with its newline */

static void
disk_works(void)
{
	disk.calls[0] = '\0';
	disk.failing = NULL;
	disk.writable = SIZE_MAX;
	disk.unreadable = false;
}

static void
try_append(const char *label, const struct journal *journal, enum fault_kind expected)
{
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(label, &ctx, journal_append(&ctx, journal, EVENT), expected);
	ctx_close(&ctx);
}

static const char *
first_segment(const char *folder)
{
	static char path[PATH_SIZE];

	path_in(folder, "events/0000000001.ndjson", path);
	return path;
}

static void
holds(const char *label, const char *folder, const char *expected)
{
	size_t len;
	uint8_t *bytes = file_read(first_segment(folder), &len);

	same_number(label, (long long)len, (long long)strlen(expected));
	same_bytes(label, bytes, expected, len);
	free(bytes);
}

/* The new file's directory entry, and its directory's, are synced before the first event is. */
static void
syncs_before_it_returns(void **state)
{
	struct journal journal = { *state, (int64_t)(2 * LINE), 0, 0 };

	disk_works();
	try_append("the first event", &journal, FAULT_NONE);
	same_text("the first event", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
	disk_works();
	try_append("the second", &journal, FAULT_NONE);
	same_text("the second", disk.calls, "write sync-data");
	disk_works();
	try_append("the first of a new segment", &journal, FAULT_NONE);
	same_text("the first of a new segment", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
}

/* The writer that created it may have been killed before it synced the directory. */
static void
syncs_a_segment_found_empty(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	char path[PATH_SIZE];

	path_in(*state, "events", path);
	assert_int_equal(mkdir(path, 0700), 0);
	file_write_text(first_segment(*state), "");
	disk_works();
	try_append("into an empty file", &journal, FAULT_NONE);
	same_text("into an empty file", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
}

static void
reports_a_disk_that_fails(void **state)
{
	static const struct {
		const char *label, *failing, *calls, *left;
	} table[] = {
		{ "the new file cannot be synced", "sync-file", "sync-file", "" },
		{ "its directory cannot be synced", "sync-directory", "sync-file sync-directory",
		    "" },
		{ "the write fails", "write", "sync-file sync-directory sync-directory write", "" },
		{ "the data cannot be synced", "sync-data",
		    "sync-file sync-directory sync-directory write sync-data", EVENT "\n" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };

		disk_works();
		disk.failing = table[i].failing;
		try_append(table[i].label, &journal, FAULT_STORAGE);
		same_text(table[i].label, disk.calls, table[i].calls);
		holds(table[i].label, *state, table[i].left);
		disk_works();
		try_append("when the disk works again", &journal, FAULT_NONE);
		assert_int_equal(unlink(first_segment(*state)), 0);
	}
}

static void
truncates_an_incomplete_line(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };

	disk_works();
	try_append("while there is space", &journal, FAULT_NONE);
	for (size_t space = 0; space < LINE; space++) {
		disk_works();
		disk.writable = space;
		try_append("too little space", &journal, FAULT_STORAGE);
		same_text("the calls", disk.calls, space == 0 ? "write" : "write truncate");
		holds("the segment is unchanged", *state, EVENT "\n");
	}
	disk_works();
	disk.writable = LINE;
	try_append("just enough", &journal, FAULT_NONE);
	holds("both events", *state, EVENT "\n" EVENT "\n");
}

static void
ends_a_torn_line_that_it_cannot_truncate(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };

	disk_works();
	try_append("while there is space", &journal, FAULT_NONE);
	disk.writable = 3;
	disk.failing = "truncate";
	try_append("too little space, and truncate fails", &journal, FAULT_STORAGE);
	holds("a torn line", *state,
	    EVENT "\n"
		  "{\"n");
	disk_works();
	disk.writable = 1;
	try_append("space for the newline before the event only", &journal, FAULT_STORAGE);
	holds("the same torn line", *state,
	    EVENT "\n"
		  "{\"n");
	disk_works();
	try_append("when there is space again", &journal, FAULT_NONE);
	holds("the event is a line of its own", *state,
	    EVENT "\n"
		  "{\"n\n" EVENT "\n");
	disk_works();
	try_append("the next event", &journal, FAULT_NONE);
	holds("no newline before the next event", *state,
	    EVENT "\n"
		  "{\"n\n" EVENT "\n" EVENT "\n");
}

static void
reports_missing_and_wrong_directories(void **state)
{
	char path[PATH_SIZE];
	struct journal missing = { path, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct ctx ctx;

	disk_works();
	path_in(*state, "missing", path);
	try_append("no store", &missing, FAULT_STORAGE);
	open_ctx(&ctx);
	same_fault("no store to read", &ctx,
	    journal_each(&ctx, &missing, &position, NULL, NULL, &torn), FAULT_STORAGE);
	has_text("the path", ctx.reason, path);
	ctx_wipe(&ctx);
	same_fault(
	    "no store to seek in", &ctx, journal_seek(&ctx, &missing, 0, &position), FAULT_STORAGE);
	ctx_wipe(&ctx);

	path_in(*state, "events", path);
	file_write_text(path, "");
	try_append("a file instead of the directory", &journal, FAULT_STORAGE);
	same_fault("a file instead of the directory: read", &ctx,
	    journal_each(&ctx, &journal, &position, NULL, NULL, &torn), FAULT_STORAGE);
	ctx_close(&ctx);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(mkdir(path, 0700), 0);
	path_in(*state, "events/0000000001.ndjson", path);
	assert_int_equal(mkdir(path, 0700), 0);
	try_append("a directory instead of a segment", &journal, FAULT_STORAGE);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	open_ctx(&ctx);
	same_fault("a FIFO instead of a segment", &ctx, journal_append(&ctx, &journal, EVENT),
	    FAULT_STORAGE);
	has_text("a FIFO instead of a segment", ctx.reason, "is not a regular file");
	ctx_close(&ctx);
}

struct other_user {
	struct journal journal;
	bool (*use)(struct ctx *ctx, const struct journal *journal);
};

static bool
use_append(struct ctx *ctx, const struct journal *journal)
{
	return journal_append(ctx, journal, EVENT);
}

static bool
use_read(struct ctx *ctx, const struct journal *journal)
{
	struct journal_position position = { 0 };
	int64_t torn = 0;

	return journal_each(ctx, journal, &position, NULL, NULL, &torn);
}

static bool
is_refused(void *arg)
{
	const struct other_user *other_user = arg;
	struct ctx ctx;

	return (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0))
	    && ctx_open(&ctx, 65536) && !other_user->use(&ctx, &other_user->journal)
	    && ctx.kind == FAULT_STORAGE;
}

static void
reports_missing_permissions(void **state)
{
	struct other_user other_user = { { *state, JOURNAL_SEGMENT_MAX, 0, 0 }, use_append };
	char path[PATH_SIZE];

	disk_works();
	assert_int_equal(chmod(*state, 0555), 0);
	in_child("the directory cannot be created", is_refused, &other_user);
	assert_int_equal(chmod(*state, 0755), 0);
	try_append("as the owner", &other_user.journal, FAULT_NONE);
	path_in(*state, "events", path);
	assert_int_equal(chmod(path, 0555), 0);
	assert_int_equal(chmod(first_segment(*state), 0), 0);
	in_child("a segment that cannot be written", is_refused, &other_user);
	other_user.use = use_read;
	in_child("a segment that cannot be read", is_refused, &other_user);
	assert_int_equal(chmod(path, 0), 0);
	in_child("a directory that cannot be read", is_refused, &other_user);
	assert_int_equal(chmod(path, 0700), 0);
}

static bool
note_position(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct journal_position *position = arg;

	(void)ctx;
	(void)line;
	*position = *next;
	return true;
}

/* An I/O error does not mean that the journal is another one. */
static void
keeps_a_position_before_which_nothing_can_be_read(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };
	struct journal_position end = { 0 };
	int64_t torn = 0;
	struct ctx ctx;
	bool fits;

	disk_works();
	try_append("an event", &journal, FAULT_NONE);
	open_ctx(&ctx);
	assert_true(journal_each(&ctx, &journal, &position, note_position, &end, &torn));
	disk.unreadable = true;
	assert_true(journal_fit(&ctx, &journal, &end, 0, &fits));
	DEMAND("the position is kept", fits);
	same_number("the offset", end.offset, LINE);
	ctx_close(&ctx);
	disk_works();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(syncs_before_it_returns),
		IN_FOLDER(syncs_a_segment_found_empty),
		IN_FOLDER(reports_a_disk_that_fails),
		IN_FOLDER(truncates_an_incomplete_line),
		IN_FOLDER(ends_a_torn_line_that_it_cannot_truncate),
		IN_FOLDER(reports_missing_and_wrong_directories),
		IN_FOLDER(reports_missing_permissions),
		IN_FOLDER(keeps_a_position_before_which_nothing_can_be_read),
	};

	return cmocka_run_group_tests_name("journal, faults", tests, NULL, NULL);
}
