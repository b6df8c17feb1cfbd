/* disk_reserve.c - see disk_reserve.h. */
#include "store/disk_reserve.h"

#include "base/file.h"
#include "store/store_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 4
#define STEP  131072 /* bytes by which each grows, so that few new records make it grow */

/* How much a change may add to a shard: GDBM appends the new value, and may need another bucket and
 * a longer directory of buckets. */
#define GROWTH (STORE_VALUE_MAX + 32768) /* bytes */

static const struct timespec never[2] = { { 0 }, { 0 } };

static int64_t
size_for(int64_t largest)
{
	return (largest + GROWTH + STEP - 1) / STEP * STEP;
}

static bool
name_file(struct ctx *ctx, const char *directory, int number, const char **path)
{
	return ctx_printf(ctx, path, "%s/%d.room", directory, number);
}

static bool
is_filled(const struct stat *st, int64_t size)
{
	return S_ISREG(st->st_mode) && st->st_size >= size && st->st_blocks * 512 >= size;
}

/* Finding the space allocated is a hundred times cheaper than allocating it.  If that fails, the
 * file is marked as outgrown, whatever size it has reached. */
static bool
fill(struct ctx *ctx, const char *path, int fd, int64_t size)
{
	struct stat st;
	int error = 0;

	if (fstat(fd, &st) != 0 || !is_filled(&st, size))
		error = posix_fallocate(fd, 0, size);
	futimens(fd, error == 0 ? NULL : never);
	return error == 0 || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(error));
}

static bool
keep_file(struct ctx *ctx, const char *directory, int number, int64_t size)
{
	const char *path;
	bool ok;
	int fd;

	if (!name_file(ctx, directory, number, &path))
		return false;
	fd = file_open_regular(path, O_WRONLY | O_CREAT | O_CLOEXEC);
	if (fd < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
	ok = fill(ctx, path, fd, size);
	close(fd);
	return ok;
}

/* Fills the first file last, because its mtime marks the whole reserve. */
bool
disk_reserve_fill(struct ctx *ctx, const char *directory, int64_t largest)
{
	if (access(directory, W_OK | X_OK) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", directory, strerror(errno));
	for (int i = FILES - 1; i >= 0; i--)
		if (!keep_file(ctx, directory, i, size_for(largest)))
			return false;
	return true;
}

bool
disk_reserve_ready(struct ctx *ctx, const char *directory)
{
	struct stat first = { 0 };
	struct stat st;
	const char *path;

	if (access(directory, W_OK | X_OK) != 0)
		return false;
	for (int i = 0; i < FILES; i++) {
		if (!name_file(ctx, directory, i, &path) || stat(path, &st) != 0)
			return false;
		if (i == 0)
			first = st;
		if (!is_filled(&st, first.st_size))
			return false;
	}
	return first.st_size > 0 && first.st_mtime != 0;
}

bool
disk_reserve_check_size(struct ctx *ctx, const char *directory, const char *shard)
{
	struct stat size;
	struct stat reserved;
	const char *path;

	if (!name_file(ctx, directory, 0, &path))
		return false;
	if (stat(shard, &size) == 0 && stat(path, &reserved) == 0
	    && reserved.st_size < size_for(size.st_size))
		utimensat(AT_FDCWD, path, never, 0);
	return true;
}

void
disk_reserve_release(struct ctx *ctx, const char *directory)
{
	const char *path;

	for (int i = 0; i < FILES; i++)
		if (name_file(ctx, directory, i, &path))
			unlink(path);
}
