/* folder.h - a temporary folder for a fuzz target, and files in it. */
#ifndef FUZZ_FOLDER_H
#define FUZZ_FOLDER_H

#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define FUZZ_PATH_SIZE 512

static inline int
fuzz_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The folder of this process; it is made at the first call. */
static inline const char *fuzz_folder(void);

static inline void
fuzz_folder_remove(void)
{
	nftw(fuzz_folder(), fuzz_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline const char *
fuzz_folder(void)
{
	static char path[] = "/dev/shm/amo-crm-fuzz.XXXXXX"; /* in memory: fsync costs nothing */
	static bool made;

	if (!made) {
		if (access("/dev/shm", W_OK) != 0)
			snprintf(path, sizeof path, "/tmp/amo-crm-fuzz.XXXXXX");
		MUST(mkdtemp(path) != NULL);
		made = true;
		atexit(fuzz_folder_remove);
	}
	return path;
}

static inline void
fuzz_path(const char *name, char path[FUZZ_PATH_SIZE])
{
	MUST(snprintf(path, FUZZ_PATH_SIZE, "%s/%s", fuzz_folder(), name) < FUZZ_PATH_SIZE);
}

static inline void
fuzz_make_folder(const char *name)
{
	char path[FUZZ_PATH_SIZE];

	fuzz_path(name, path);
	MUST(mkdir(path, 0700) == 0);
}

static inline void
fuzz_write(const char *name, const void *bytes, size_t len)
{
	char path[FUZZ_PATH_SIZE];
	int fd;

	fuzz_path(name, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0);
}

#endif
