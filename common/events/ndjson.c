/* ndjson.c - see ndjson.h. */
#include "events/ndjson.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static bool
read_end(struct ndjson *file)
{
	char last = '\n';
	struct stat st;

	if (fstat(file->fd, &st) != 0
	    || (st.st_size > 0 && pread(file->fd, &last, 1, st.st_size - 1) != 1))
		return false;
	file->size = st.st_size;
	file->torn = last != '\n';
	return true;
}

bool
ndjson_open(struct ctx *ctx, const char *path, struct ndjson *file)
{
	file->path = path;
	file->fd = file_open_regular(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC);
	if (file->fd >= 0 && read_end(file))
		return true;
	ctx_fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
	if (file->fd >= 0)
		close(file->fd);
	return false;
}

bool
ndjson_append(struct ctx *ctx, const struct ndjson *file, const char *line, size_t len)
{
	char newline[] = "\n";
	struct iovec parts[] = {
		{ .iov_base = newline, .iov_len = file->torn },
		{ .iov_base = (void *)(uintptr_t)line, .iov_len = len },
		{ .iov_base = newline, .iov_len = 1 },
	};
	ssize_t written = writev(file->fd, parts, 3);

	if (written == (ssize_t)(file->torn + len + 1))
		return true;
	if (written >= 0)
		errno = ENOSPC; /* for a short write, which sets no errno */
	ctx_fault(ctx, FAULT_STORAGE, "%s: %s", file->path, strerror(errno));
	if (written > 0 && ftruncate(file->fd, file->size) != 0)
		log_note(ctx, "not_undone", strerror(errno));
	return false;
}
