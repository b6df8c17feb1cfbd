/* folder.h - a temporary folder for a test, and files in it. */
#ifndef FOLDER_H
#define FOLDER_H

#include "table.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PATH_SIZE 512

/* A test whose *state is the path of its temporary folder. */
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

static inline int
folder_make(void **state)
{
	const char *base = getenv("TMPDIR");
	char *path = malloc(PATH_SIZE);

	if (path == NULL)
		return -1;
	snprintf(path, PATH_SIZE, "%s/amo-crm-test.XXXXXX", base == NULL ? "/tmp" : base);
	*state = mkdtemp(path);
	return *state == NULL ? -1 : 0;
}

static inline int
remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int
folder_remove(void **state)
{
	int wrong = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return wrong;
}

static inline void
path_in(const char *folder, const char *name, char path[PATH_SIZE])
{
	assert_true(snprintf(path, PATH_SIZE, "%s/%s", folder, name) < PATH_SIZE);
}

static inline void
file_write(const char *path, const void *bytes, size_t len, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static inline void
file_write_text(const char *path, const char *text)
{
	file_write(path, text, strlen(text), 0600);
}

/* The content of a file; the caller frees it. */
static inline uint8_t *
file_read(const char *path, size_t *len)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	*len = (size_t)st.st_size;
	bytes = malloc(*len + 1);
	assert_non_null(bytes);
	assert_int_equal(read(fd, bytes, *len), *len);
	close(fd);
	return bytes;
}

/* The number of entries of the folder whose names end with end. */
static inline int
folder_count(const char *path, const char *end)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	int count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)) != NULL) {
		size_t len = strlen(entry->d_name);

		count += len >= strlen(end) && strcmp(entry->d_name + len - strlen(end), end) == 0;
	}
	closedir(folder);
	return count;
}

/* Whether a file holds exactly that text. */
static inline void
file_holds(const char *label, const char *path, const char *expected)
{
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	same_number(label, (long long)len, (long long)strlen(expected));
	same_bytes(label, bytes, expected, len);
	free(bytes);
}

#endif
