/* test_journal_faults.c - a disk that is full or fails, and the order in which things reach it.
 *
 * The module is compiled in here with the calls that reach the disk replaced: they note that they
 * were called, and fail when a test says so.
 */
#include "../../child.h"
#include "../../folder.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/uio.h>

static struct {
	char calls[256];     /* what was called, a word each */
	const char *failing; /* the call that fails with EIO */
	size_t writable;     /* bytes that a write still takes */
} disk;

static bool
called(const char *call)
{
	snprintf(disk.calls + strlen(disk.calls), sizeof disk.calls - strlen(disk.calls), "%s%s",
	    disk.calls[0] == '\0' ? "" : " ", call);
	errno = EIO;
	return disk.failing == NULL || strcmp(disk.failing, call) != 0;
}

static int
told_fsync(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return called(S_ISDIR(st.st_mode) ? "sync-directory" : "sync-file") ? fsync(fd) : -1;
}

static int
told_fdatasync(int fd)
{
	return called("sync-data") ? fdatasync(fd) : -1;
}

static int
told_ftruncate(int fd, off_t len)
{
	return called("truncate") ? ftruncate(fd, len) : -1;
}

/* Takes as many bytes as the disk has left. */
static ssize_t
told_writev(int fd, const struct iovec *parts, int count)
{
	size_t written = 0;

	if (!called("write"))
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

#define fsync     told_fsync
#define fdatasync told_fdatasync
#define ftruncate told_ftruncate
#define writev    told_writev
#include "base/file.c"
#include "events/journal.c"
#undef fsync
#undef fdatasync
#undef ftruncate
#undef writev

#define EVENT "{\"n\":1}"
#define LINE  (sizeof EVENT) /* with its newline */

static void
disk_is_well(void)
{
	disk.calls[0] = '\0';
	disk.failing = NULL;
	disk.writable = SIZE_MAX;
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

/* A new file is in its directory, and that in the store, before the first event goes into it. */
static void
syncs_before_it_answers(void **state)
{
	struct journal journal = { *state, (int64_t)(2 * LINE), 0 };

	disk_is_well();
	try_append("the first event", &journal, FAULT_NONE);
	same_text("the first event", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
	disk_is_well();
	try_append("the second", &journal, FAULT_NONE);
	same_text("the second", disk.calls, "write sync-data");
	disk_is_well();
	try_append("the first of a new segment", &journal, FAULT_NONE);
	same_text("the first of a new segment", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
}

/* As when its maker was killed before it had synced the directory. */
static void
syncs_a_segment_found_empty(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };
	char path[PATH_SIZE];

	path_in(*state, "events", path);
	assert_int_equal(mkdir(path, 0700), 0);
	file_write_text(first_segment(*state), "");
	disk_is_well();
	try_append("into an empty file", &journal, FAULT_NONE);
	same_text("into an empty file", disk.calls,
	    "sync-file sync-directory sync-directory write sync-data");
}

static void
says_when_the_disk_fails(void **state)
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
		struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };

		disk_is_well();
		disk.failing = table[i].failing;
		try_append(table[i].label, &journal, FAULT_STORAGE);
		same_text(table[i].label, disk.calls, table[i].calls);
		holds(table[i].label, *state, table[i].left);
		disk_is_well();
		try_append("when the disk is well again", &journal, FAULT_NONE);
		assert_int_equal(unlink(first_segment(*state)), 0);
	}
}

static void
undoes_what_was_cut_short(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };

	disk_is_well();
	try_append("while there is space", &journal, FAULT_NONE);
	for (size_t space = 0; space < LINE; space++) {
		disk_is_well();
		disk.writable = space;
		try_append("too little space", &journal, FAULT_STORAGE);
		same_text("undone", disk.calls, space == 0 ? "write" : "write truncate");
		holds("as it was", *state, EVENT "\n");
	}
	disk_is_well();
	disk.writable = LINE;
	try_append("just enough", &journal, FAULT_NONE);
	holds("both", *state, EVENT "\n" EVENT "\n");
}

static void
leaves_a_torn_line_alone(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };

	disk_is_well();
	try_append("while there is space", &journal, FAULT_NONE);
	disk.writable = 3;
	disk.failing = "truncate";
	try_append("and cannot be undone", &journal, FAULT_STORAGE);
	holds("torn", *state,
	    EVENT "\n"
		  "{\"n");
	disk_is_well();
	disk.writable = 1;
	try_append("space for the newline before it alone", &journal, FAULT_STORAGE);
	holds("still torn", *state,
	    EVENT "\n"
		  "{\"n");
	disk_is_well();
	try_append("when there is space again", &journal, FAULT_NONE);
	holds("a line of its own", *state,
	    EVENT "\n"
		  "{\"n\n" EVENT "\n");
	disk_is_well();
	try_append("and the next", &journal, FAULT_NONE);
	holds("no newline before it", *state,
	    EVENT "\n"
		  "{\"n\n" EVENT "\n" EVENT "\n");
}

static void
says_when_there_is_no_place(void **state)
{
	char path[PATH_SIZE];
	struct journal missing = { path, JOURNAL_SEGMENT_MAX, 0 };
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct ctx ctx;

	disk_is_well();
	path_in(*state, "missing", path);
	try_append("no store", &missing, FAULT_STORAGE);
	open_ctx(&ctx);
	same_fault("no store to read", &ctx,
	    journal_each(&ctx, &missing, &position, NULL, NULL, &torn), FAULT_STORAGE);
	has_text("its path is told", ctx.reason, path);
	ctx_wipe(&ctx);
	same_fault(
	    "no store to seek in", &ctx, journal_seek(&ctx, &missing, 0, &position), FAULT_STORAGE);
	ctx_wipe(&ctx);

	path_in(*state, "events", path);
	file_write_text(path, "");
	try_append("a file instead of the directory", &journal, FAULT_STORAGE);
	same_fault("and to read", &ctx, journal_each(&ctx, &journal, &position, NULL, NULL, &torn),
	    FAULT_STORAGE);
	ctx_close(&ctx);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(mkdir(path, 0700), 0);
	path_in(*state, "events/0000000001.ndjson", path);
	assert_int_equal(mkdir(path, 0700), 0);
	try_append("a directory instead of a segment", &journal, FAULT_STORAGE);
}

struct stranger {
	struct journal journal;
	bool (*may)(struct ctx *ctx, const struct journal *journal);
};

static bool
may_append(struct ctx *ctx, const struct journal *journal)
{
	return journal_append(ctx, journal, EVENT);
}

static bool
may_read(struct ctx *ctx, const struct journal *journal)
{
	struct journal_position position = { 0 };
	int64_t torn = 0;

	return journal_each(ctx, journal, &position, NULL, NULL, &torn);
}

static bool
refused(void *arg)
{
	const struct stranger *stranger = arg;
	struct ctx ctx;

	return (geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0))
	    && ctx_open(&ctx, 65536) && !stranger->may(&ctx, &stranger->journal)
	    && ctx.kind == FAULT_STORAGE;
}

static void
says_when_it_has_no_permission(void **state)
{
	struct stranger stranger = { { *state, JOURNAL_SEGMENT_MAX, 0 }, may_append };
	char path[PATH_SIZE];

	disk_is_well();
	assert_int_equal(chmod(*state, 0555), 0);
	in_child("no directory can be made", refused, &stranger);
	assert_int_equal(chmod(*state, 0755), 0);
	try_append("its owner", &stranger.journal, FAULT_NONE);
	path_in(*state, "events", path);
	assert_int_equal(chmod(path, 0555), 0);
	assert_int_equal(chmod(first_segment(*state), 0), 0);
	in_child("a segment that cannot be written", refused, &stranger);
	stranger.may = may_read;
	in_child("a segment that cannot be read", refused, &stranger);
	assert_int_equal(chmod(path, 0), 0);
	in_child("a directory that cannot be read", refused, &stranger);
	assert_int_equal(chmod(path, 0700), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(syncs_before_it_answers),
		IN_FOLDER(syncs_a_segment_found_empty),
		IN_FOLDER(says_when_the_disk_fails),
		IN_FOLDER(undoes_what_was_cut_short),
		IN_FOLDER(leaves_a_torn_line_alone),
		IN_FOLDER(says_when_there_is_no_place),
		IN_FOLDER(says_when_it_has_no_permission),
	};

	return cmocka_run_group_tests_name("journal, faults", tests, NULL, NULL);
}
