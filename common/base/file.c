/* file.c - see file.h. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE   4096 /* bytes */
#define MODE_TOO_OPEN 0137 /* all but u=rw,g=r */
#define NOT_REGULAR   "is not a regular file"

/* AT_EUID is the user that the program was started as, and costs no system call.  One that has
 * become another user since (run_as.h) was started as root. */
static bool
owner_is_trusted(struct ctx *ctx, const struct stat *st, const char *path)
{
	return st->st_uid == 0 || st->st_uid == getauxval(AT_EUID) || st->st_uid == geteuid()
	    || fault(ctx, FAULT_CONFIG,
		"%s: its owner, user %lu, can change it; it must belong to root or to user %lu",
		path, (unsigned long)st->st_uid, (unsigned long)geteuid());
}

bool
file_trusted(struct ctx *ctx, const struct stat *st, const char *path)
{
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return fault(ctx, FAULT_CONFIG, "%s: mode %04o lets other users change it", path,
		    (unsigned)st->st_mode & 07777);
	return owner_is_trusted(ctx, st, path);
}

static bool
mode_is_secret(struct ctx *ctx, const struct stat *st, const char *path)
{
	return (st->st_mode & MODE_TOO_OPEN) == 0
	    || fault(ctx, FAULT_CONFIG,
		"%s: mode %04o; it must be 0600, or 0640 with the web server's group", path,
		(unsigned)st->st_mode & 07777);
}

static bool
is_secret(struct ctx *ctx, const struct stat *st, const char *path)
{
	return mode_is_secret(ctx, st, path) && owner_is_trusted(ctx, st, path);
}

typedef bool rule(struct ctx *ctx, const struct stat *st, const char *path);

static bool
check(struct ctx *ctx, int fd, const char *path, rule *accepted)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fault(ctx, FAULT_CONFIG, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault(ctx, FAULT_CONFIG, "%s: " NOT_REGULAR, path);
	return accepted(ctx, &st, path);
}

/* Puts the stream's buffer into the arena, which is wiped. */
static bool
buffer_in_arena(struct ctx *ctx, FILE *file)
{
	char *buffer;

	return ctx_alloc(ctx, BUFFER_SIZE, &buffer)
	    && (setvbuf(file, buffer, _IOFBF, BUFFER_SIZE) == 0
		|| fault(ctx, FAULT_SERVER, "the buffer of a stream cannot be set"));
}

static bool
open_checked(struct ctx *ctx, const char *path, rule *accepted, FILE **file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return fault(ctx, FAULT_CONFIG, "%s: %s", path, file_open_error(errno));
	if (!check(ctx, fd, path, accepted)) {
		close(fd);
		return false;
	}
	*file = fdopen(fd, "r");
	if (*file == NULL) {
		close(fd);
		return fault(ctx, FAULT_SERVER, "%s: %s", path, strerror(errno));
	}
	if (buffer_in_arena(ctx, *file))
		return true;
	fclose(*file);
	return false;
}

int
file_open(const char *path, int flags)
{
	int fd;

	do
		fd = open(path, flags, 0600);
	while (fd < 0 && errno == EINTR);
	return fd;
}

int
file_open_regular(const char *path, int flags)
{
	int fd = file_open(path, flags | O_NONBLOCK);
	struct stat st;
	int error;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (S_ISREG(st.st_mode))
		return fd;
	else
		error = S_ISDIR(st.st_mode) ? EISDIR : ENOTSUP;
	close(fd);
	errno = error;
	return -1;
}

FILE *
file_open_stream(const char *path)
{
	int fd = file_open_regular(path, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL && fd >= 0)
		close(fd);
	return file;
}

/* "No such device or address" is what open(2) says of a socket, and of a FIFO that nobody reads. */
const char *
file_open_error(int error)
{
	return error == ENOTSUP || error == ENXIO ? NOT_REGULAR : strerror(error);
}

static bool
sync_file(int fd)
{
	while (fsync(fd) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* The descriptor is one of an open directory, so these errors can only mean that the file system
 * does not implement the call for directories. */
bool
file_directory_syncable(int error)
{
	return error != EINVAL && error != EBADF && error != ENOTSUP && error != ENOSYS;
}

bool
file_open_trusted(struct ctx *ctx, const char *path, FILE **file)
{
	return open_checked(ctx, path, file_trusted, file);
}

bool
file_open_secret(struct ctx *ctx, const char *path, FILE **file)
{
	return open_checked(ctx, path, is_secret, file);
}

bool
file_open_anybodys_secret(struct ctx *ctx, const char *path, FILE **file)
{
	return open_checked(ctx, path, mode_is_secret, file);
}

bool
file_sync_directory(struct ctx *ctx, const char *path)
{
	int fd = file_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && (sync_file(fd) || !file_directory_syncable(errno));

	if (!ok)
		ctx_fault(ctx, FAULT_STORAGE, "%s: cannot be synced: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}

bool
file_write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return false;
		bytes += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return true;
}
