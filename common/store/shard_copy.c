/* shard_copy.c - see shard_copy.h. */
#include "store/shard_copy.h"

#include "base/file.h"
#include "store/gdbm_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMORY_DIR "/proc/self/fd/"
#define COPY_MAX   (1 << 30) /* bytes; the rest of a larger shard is copied by read and write */

/* Copies by read and write what copy_file_range leaves, which is everything if it fails: file
 * systems, network folders and the seccomp profiles of containers refuse it with an error of their
 * own each.  An error of the disk itself comes again. */
static bool
copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_MAX, 0);

	if (n < 0 && (lseek(from, 0, SEEK_SET) != 0 || lseek(to, 0, SEEK_SET) != 0))
		return false;
	while ((n = read(from, buffer, sizeof buffer)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || !file_write_all(to, buffer, (size_t)n))
			return false;
	}
	return true;
}

static bool
use_nothing(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	(void)ctx;
	(void)db;
	(void)arg;
	return true;
}

/* Creates a file in memory.  *fd is -1 where that does not work, or the file has no path. */
static bool
create_in_memory(struct ctx *ctx, const char **path, int *fd)
{
	bool ok;

	*fd = memfd_create("shard", MFD_CLOEXEC);
	if (*fd < 0)
		return true;
	ok = ctx_printf(ctx, path, MEMORY_DIR "%d", *fd);
	if (ok && access(*path, W_OK) == 0)
		return true;
	close(*fd);
	*fd = -1;
	return ok;
}

/* Creates an empty shard in memory, to be copied: GDBM fsyncs a file that it creates on disk.
 * *fd is -1 where that does not work; GDBM then creates the copy itself. */
static bool
empty_shard(struct ctx *ctx, int *fd)
{
	const char *path;

	if (!create_in_memory(ctx, &path, fd))
		return false;
	if (*fd < 0 || gdbm_file_write(ctx, path, use_nothing, NULL))
		return true;
	close(*fd);
	return false;
}

/* Opens the source file; *from is -1 if there is none. */
static bool
open_source(struct ctx *ctx, const char *path, int *from)
{
	*from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (*from >= 0)
		return true;
	if (errno != ENOENT)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	return empty_shard(ctx, from);
}

/* What else is in the copy's place, a link, a FIFO or an empty folder, is removed: only the holder
 * of the lock uses that name. */
static int
open_copy(const char *path)
{
	bool memory = strncmp(path, MEMORY_DIR, strlen(MEMORY_DIR)) == 0; /* a link itself */
	int flags =
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | (memory ? 0 : O_NOFOLLOW);
	int fd = file_open(path, flags);

	if (fd < 0 && (errno == EISDIR || errno == ENXIO || errno == ELOOP)
	    && (unlink(path) == 0 || rmdir(path) == 0))
		fd = file_open(path, flags);
	return fd;
}

bool
shard_copy(struct ctx *ctx, const char *path, const char *copy_path)
{
	int from;
	int to;
	bool ok;

	if (!open_source(ctx, path, &from))
		return false;
	to = open_copy(copy_path);
	ok = to >= 0 && (from < 0 || copy_bytes(from, to));
	if (!ok)
		ctx_fault(ctx, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0)
		ok = fault(ctx, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	return ok;
}

/* An error may pass; a copy that is left would stay until the next commit that begins with the same
 * shard. */
void
shard_copy_remove(const char *copy_path, int fd)
{
	if (fd >= 0)
		close(fd);
	else if (copy_path != NULL && unlink(copy_path) != 0 && errno != ENOENT)
		unlink(copy_path);
}

bool
shard_copy_in_memory(struct ctx *ctx, const char **copy_path, int *fd)
{
	const char *path;

	*fd = open_copy(*copy_path);
	if (*fd < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", *copy_path, strerror(errno));
	close(*fd);
	shard_copy_remove(*copy_path, -1);
	if (!create_in_memory(ctx, &path, fd))
		return false;
	if (*fd >= 0)
		*copy_path = path;
	return true;
}
