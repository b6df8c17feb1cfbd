/* test_shard_calls.c - system calls that fail once, or that the file system does not have: a change
 * that is acknowledged can be read. */
#include "../../folder.h"

#include "../../shard_set.h"
#include "base/file.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS 200 /* more than a bucket holds, so that GDBM seeks between several */

/* How copy_file_range behaves. */
static struct {
	int error;     /* errno; 0: it works */
	size_t before; /* bytes that it copies, or moves the offsets by, before that */
} copying;

/* The number of the call of lseek that fails with EIO, of those from now on; 0: none. */
static int seek_left;
static int seeks;

static int sync_error; /* of fsync on a directory; 0: it works */
static int sync_interrupts;

ssize_t
copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
	char byte[512];

	(void)flags;
	assert_true(from_at == NULL && to_at == NULL && len > 0);
	if (copying.error == 0)
		return syscall(SYS_copy_file_range, from, NULL, to, NULL, len, 0);
	for (size_t i = 0; i < copying.before; i += sizeof byte) {
		assert_int_equal(read(from, byte, sizeof byte), sizeof byte);
		assert_int_equal(write(to, byte, sizeof byte), sizeof byte);
	}
	errno = copying.error;
	return -1;
}

static off64_t
seek(int fd, off64_t offset, int whence)
{
	seeks++;
	if (seek_left > 0 && --seek_left == 0) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_lseek, fd, offset, whence);
}

off_t
lseek(int fd, off_t offset, int whence)
{
	return seek(fd, offset, whence);
}

off64_t
lseek64(int fd, off64_t offset, int whence)
{
	return seek(fd, offset, whence);
}

int
fsync(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && sync_interrupts > 0) {
		sync_interrupts--;
		errno = EINTR;
		return -1;
	}
	if (S_ISDIR(st.st_mode) && sync_error != 0) {
		errno = sync_error;
		return -1;
	}
	return (int)syscall(SYS_fsync, fd);
}

/* Makes a shard of so many records, a:0 and so on, each with its key as value. */
static void
fill(const char *path, int records)
{
	static char keys[RECORDS][16];
	static struct shard_op ops[RECORDS];
	struct ctx ctx;

	open_ctx(&ctx);
	for (int i = 0; i < records; i++) {
		snprintf(keys[i], sizeof keys[i], "a:%d", i);
		ops[i] = (struct shard_op){ keys[i], keys[i], 0 };
	}
	if (!shard_prepare(&ctx, path, path, ops, (size_t)records))
		fail_msg("no shard: %s", ctx.reason);
	ctx_close(&ctx);
}

static bool
note_record(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	bool(*seen)[RECORDS] = arg;
	long number = strtol(key + 2, NULL, 10);

	(void)ctx;
	if (number < RECORDS && value != NULL && strcmp(key, value) == 0)
		(*seen)[number] = true;
	return true;
}

/* Whether the records of fill are there, except one. */
static void
has_records(const char *label, const char *path, int records, int but)
{
	bool seen[RECORDS] = { false };
	struct ctx ctx;

	open_ctx(&ctx);
	if (!shard_each(&ctx, path, "a:", note_record, &seen))
		fail_msg("%s: %s", label, ctx.reason);
	for (int i = 0; i < records; i++)
		if (i != but && !seen[i])
			fail_msg("%s: the record %d is lost", label, i);
	ctx_close(&ctx);
}

static void
copies_where_copy_file_range_fails(void **state)
{
	static const struct {
		const char *label;
		int error;
		size_t before;
	} table[] = {
		{ "between two file systems", EXDEV, 0 },
		{ "an old kernel", ENOSYS, 0 },
		{ "a file system without it", EOPNOTSUPP, 0 },
		{ "a file that it does not copy", EINVAL, 0 },
		{ "a container's seccomp profile", EPERM, 0 },
		{ "another profile", EACCES, 0 },
		{ "a network folder", EBADF, 0 },
		{ "another network folder", EIO, 0 },
		{ "a busy file", ETXTBSY, 0 },
		{ "a signal", EINTR, 0 },
		{ "an error after a part was copied", EIO, 1024 },
		{ "no permission after a part was copied", EPERM, 4096 },
	};
	char path[PATH_SIZE];

	path_in(*state, "00.gdbm", path);
	fill(path, RECORDS);
	for (size_t i = 0; i < ROWS(table); i++) {
		copying.error = table[i].error;
		copying.before = table[i].before;
		put(path, "a:new", table[i].label, 0);
		copying.error = 0;
		has_value(table[i].label, path, "a:new", table[i].label);
		has_records(table[i].label, path, RECORDS, -1);
	}
}

/* A change of a shard. */
struct change {
	const char *label;
	int records; /* that the shard has; 0: there is no shard */
	int len;     /* of the new value; -1: the record is erased */
	int life_s;  /* of the new record; 0: it does not expire */
};

static bool
make_change(const char *path, const struct change *change, const char *value)
{
	struct ctx ctx;
	bool ok;

	open_ctx(&ctx);
	ok = shard_set(&ctx, path, "a:100", change->len < 0 ? NULL : value,
	    change->life_s == 0 ? 0 : time(NULL) + change->life_s);
	if (!ok)
		assert_int_equal(ctx.kind, FAULT_STORAGE);
	ctx_close(&ctx);
	return ok;
}

/* Fails each seek of the change.  Whatever is reported, the file is whole, and has the change if
 * that was acknowledged. */
static void
fail_each_seek(const char *path, const struct change *change, const char *value)
{
	const char *before = change->records > 100 ? "a:100" : NULL;
	uint8_t *bytes = NULL;
	size_t len = 0;
	int number = 0;

	if (change->records > 0) {
		fill(path, change->records);
		bytes = file_read(path, &len);
	}

	do {
		char label[128];
		bool ok;

		snprintf(label, sizeof label, "%s: seek %d fails", change->label, ++number);
		unlink(path);
		if (bytes != NULL)
			file_write(path, bytes, len, 0600);
		seeks = 0;
		seek_left = number;
		ok = make_change(path, change, value);
		seek_left = 0;
		has_value(label, path, "a:100", !ok ? before : change->len < 0 ? NULL : value);
		has_records(label, path, change->records, 100);
	} while (seeks >= number);
	assert_true(number > 3);
	free(bytes);
}

static void
acknowledges_only_what_can_be_read_back(void **state)
{
	static const struct change table[] = {
		{ "the first record", 0, 10, 0 },
		{ "the first record, long", 0, 30000, 0 },
		{ "the first record, which expires", 0, 10, 1000 },
		{ "another record", 1, 10, 0 },
		{ "a changed record", 101, 5, 0 },
		{ "a changed record, longer", 101, 5000, 0 },
		{ "one of many, longer", RECORDS, 30000, 0 },
		{ "one of many, which expires", RECORDS, 10, 1000 },
		{ "an erased record", 101, -1, 0 },
		{ "one of many, erased", RECORDS, -1, 0 },
	};
	char path[PATH_SIZE];

	path_in(*state, "00.gdbm", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		char *value = calloc(1, 30001);

		assert_non_null(value);
		memset(value, 'x', table[i].len < 0 ? 0 : (size_t)table[i].len);
		fail_each_seek(path, &table[i], value);
		free(value);
		assert_int_equal(folder_count(*state, ".new"), 0);
	}
}

static void
syncs_a_directory_where_that_is_possible(void **state)
{
	static const struct {
		const char *label;
		int error;
		int interrupts;
		enum fault_kind expected;
	} table[] = {
		{ "it can", 0, 0, FAULT_NONE },
		{ "signals", 0, 3, FAULT_NONE },
		{ "CIFS", EINVAL, 0, FAULT_NONE },
		{ "virtiofs", EBADF, 0, FAULT_NONE },
		{ "not supported", ENOTSUP, 0, FAULT_NONE },
		{ "not implemented", ENOSYS, 0, FAULT_NONE },
		{ "a disk that fails", EIO, 0, FAULT_STORAGE },
		{ "a full disk", ENOSPC, 0, FAULT_STORAGE },
		{ "a disk that has become read-only", EROFS, 0, FAULT_STORAGE },
		{ "a quota", EDQUOT, 0, FAULT_STORAGE },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		sync_error = table[i].error;
		sync_interrupts = table[i].interrupts;
		same_fault(
		    table[i].label, &ctx, file_sync_directory(&ctx, *state), table[i].expected);
		ctx_close(&ctx);
	}
	sync_error = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(copies_where_copy_file_range_fails),
		IN_FOLDER(acknowledges_only_what_can_be_read_back),
		IN_FOLDER(syncs_a_directory_where_that_is_possible),
	};

	return cmocka_run_group_tests_name("shard with failing calls", tests, NULL, NULL);
}
