/* reserve.c - see reserve.h. */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES     4      /* the records of an authorization, each in a shard of its own */
#define FILE_SIZE 131072 /* bytes; a shard's with a hundred connections */

static bool
name_file(struct work *w, const char *directory, int number, const char **path)
{
	return work_print(w, path, "%s/%d.room", directory, number);
}

/* Making it costs a hundred times what it costs to find it there. */
static bool
fill(struct work *w, const char *path, int fd)
{
	struct stat st;
	int error;

	if (fstat(fd, &st) == 0 && st.st_size >= FILE_SIZE && st.st_blocks * 512 >= FILE_SIZE)
		return true;
	error = posix_fallocate(fd, 0, FILE_SIZE);
	return error == 0 || fault(w, FAULT_STORAGE, "%s: %s", path, strerror(error));
}

static bool
keep_file(struct work *w, const char *directory, int number)
{
	const char *path;
	bool done;
	int fd;

	if (!name_file(w, directory, number, &path))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	done = fill(w, path, fd);
	close(fd);
	return done;
}

bool
reserve_keep(struct work *w, const char *directory)
{
	if (access(directory, W_OK | X_OK) != 0)
		return fault(w, FAULT_STORAGE, "%s: %s", directory, strerror(errno));
	for (int i = 0; i < FILES; i++)
		if (!keep_file(w, directory, i))
			return false;
	return true;
}

void
reserve_give(struct work *w, const char *directory)
{
	const char *path;

	for (int i = 0; i < FILES; i++)
		if (name_file(w, directory, i, &path))
			unlink(path);
}
