/* shard.c - see shard.h. */
#include "shard.h"

#include <errno.h>
#include <fcntl.h>
#include <gdbm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPIRY_SIZE 8 /* bytes before each value: seconds since 1970, big-endian; 0: never */
#define COPY_MAX    (1 << 30) /* bytes; what is left of a larger shard is read and written */
#define SWEEP_MAX   32        /* records swept out by one change: more than one change ever adds */

/* GDBM would end the process. */
static void
never_exit(const char *message)
{
	(void)message;
}

static bool
gdbm_fault(struct work *w, const char *path, const char *doing)
{
	gdbm_error error = gdbm_errno;

	return fault(w, FAULT_STORAGE, "%s: %s: %s%s%s", path, doing, gdbm_strerror(error),
	    gdbm_check_syserr(error) ? ": " : "", gdbm_check_syserr(error) ? strerror(errno) : "");
}

/* *db is NULL when there is no such file. */
static bool
open_reader(struct work *w, const char *path, GDBM_FILE *db)
{
	*db = gdbm_open(path, 0, GDBM_READER | GDBM_NOLOCK | GDBM_CLOEXEC, 0, never_exit);
	if (*db == NULL && !(gdbm_errno == GDBM_FILE_OPEN_ERROR && errno == ENOENT))
		return gdbm_fault(w, path, "cannot be opened");
	return true;
}

static datum
datum_of(const char *key)
{
	return (datum){ .dptr = (char *)(uintptr_t)key, .dsize = (int)strlen(key) };
}

static void
free_datum(datum d)
{
	if (d.dptr != NULL) {
		explicit_bzero(d.dptr, (size_t)d.dsize);
		free(d.dptr);
	}
}

static bool
is_over(datum stored, time_t now)
{
	uint64_t expires = 0;

	for (int i = 0; i < EXPIRY_SIZE; i++)
		expires = expires << 8 | (uint8_t)stored.dptr[i];
	return expires != 0 && expires <= (uint64_t)now;
}

/* The value of a record in an open file; NULL when there is none, or its time is over. */
static bool
fetch(struct work *w, GDBM_FILE db, const char *path, datum key, const char **value)
{
	datum stored = gdbm_fetch(db, key);
	bool done = true;

	*value = NULL;
	if (stored.dptr == NULL)
		return gdbm_errno == GDBM_ITEM_NOT_FOUND || gdbm_fault(w, path, "cannot be read");
	if (stored.dsize < EXPIRY_SIZE)
		done = fault(w, FAULT_STORAGE, "%s: holds a record that is cut short", path);
	else if (!is_over(stored, time(NULL)))
		done = work_copy(
		    w, stored.dptr + EXPIRY_SIZE, (size_t)stored.dsize - EXPIRY_SIZE, value);
	free_datum(stored);
	return done;
}

bool
shard_get(struct work *w, const char *path, const char *key, const char **value)
{
	GDBM_FILE db;
	bool done;

	*value = NULL;
	if (!open_reader(w, path, &db))
		return false;
	if (db == NULL)
		return true;
	done = fetch(w, db, path, datum_of(key), value);
	gdbm_close(db);
	return done;
}

static bool
has_prefix(datum key, const char *prefix, size_t prefix_len)
{
	return (size_t)key.dsize >= prefix_len && memcmp(key.dptr, prefix, prefix_len) == 0;
}

/* Visits one record, unless its time is over. */
static bool
visit_record(
    struct work *w, GDBM_FILE db, const char *path, datum key, shard_visit *visit, void *context)
{
	const char *name;
	const char *value;
	size_t mark = work_mark(w);
	bool go_on = work_copy(w, key.dptr, (size_t)key.dsize, &name)
	    && fetch(w, db, path, key, &value) && (value == NULL || visit(w, context, name, value));

	work_release(w, mark);
	return go_on;
}

bool
shard_each(struct work *w, const char *path, const char *prefix, shard_visit *visit, void *context)
{
	GDBM_FILE db;
	datum key;
	bool go_on = true;

	if (!open_reader(w, path, &db))
		return false;
	if (db == NULL)
		return true;
	key = gdbm_firstkey(db);
	while (go_on && key.dptr != NULL) {
		datum next;

		if (has_prefix(key, prefix, strlen(prefix)))
			go_on = visit_record(w, db, path, key, visit, context);
		next = gdbm_nextkey(db, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	if (go_on && gdbm_errno != GDBM_ITEM_NOT_FOUND)
		go_on = gdbm_fault(w, path, "cannot be read to its end");
	gdbm_close(db);
	return go_on;
}

static bool
copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_MAX, 0);

	if (n < 0 && errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
		return false;
	while ((n = read(from, buffer, sizeof buffer)) > 0) {
		errno = ENOSPC; /* what a short write means; a failed one says so itself */
		if (write(to, buffer, (size_t)n) != n)
			return false;
	}
	return n == 0;
}

/* The copy a change is made in; without a file to copy, an empty one. */
static bool
copy_file(struct work *w, const char *path, const char *copy_path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	int to;
	bool done;

	if (from < 0 && errno != ENOENT)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	to = open(copy_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	done = to >= 0 && (from < 0 || copy_bytes(from, to));
	if (!done)
		work_fault(w, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0)
		done = fault(w, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	return done;
}

/* Sweeps out records that share the key's prefix and whose time is over. */
static bool
sweep(struct work *w, GDBM_FILE db, const char *path, const char *like)
{
	size_t prefix_len = strcspn(like, ":") + 1;
	time_t now = time(NULL);
	datum over[SWEEP_MAX];
	int count = 0;
	bool done = true;

	for (datum key = gdbm_firstkey(db); key.dptr != NULL;) {
		datum next = gdbm_nextkey(db, key);
		datum stored = { 0 };

		if (count < SWEEP_MAX && has_prefix(key, like, prefix_len))
			stored = gdbm_fetch(db, key);
		if (stored.dptr != NULL && stored.dsize >= EXPIRY_SIZE && is_over(stored, now))
			over[count++] = key;
		else
			free(key.dptr);
		free_datum(stored);
		key = next;
	}
	while (count > 0) {
		datum key = over[--count];

		if (done && gdbm_delete(db, key) != 0)
			done = gdbm_fault(w, path, "cannot be swept");
		free(key.dptr);
	}
	return done;
}

static bool
put(struct work *w, GDBM_FILE db, const char *path, const char *key, const char *value,
    time_t expires)
{
	size_t len = strlen(value);
	datum stored;

	if (!work_alloc(w, EXPIRY_SIZE + len, &stored.dptr))
		return false;
	for (int i = 0; i < EXPIRY_SIZE; i++)
		stored.dptr[i] = (char)((uint64_t)expires >> (8 * (EXPIRY_SIZE - 1 - i)) & 0xff);
	memcpy(stored.dptr + EXPIRY_SIZE, value, len);
	stored.dsize = (int)(EXPIRY_SIZE + len);
	return gdbm_store(db, datum_of(key), stored, GDBM_REPLACE) == 0
	    || gdbm_fault(w, path, "cannot be written");
}

static bool
take_out(struct work *w, GDBM_FILE db, const char *path, const char *key)
{
	return gdbm_delete(db, datum_of(key)) == 0 || gdbm_errno == GDBM_ITEM_NOT_FOUND
	    || gdbm_fault(w, path, "cannot be erased from");
}

/* Without mmap: writing a mapped file on a full disk is a SIGBUS instead of an error. */
static bool
change_copy(
    struct work *w, const char *copy_path, const char *key, const char *value, time_t expires)
{
	GDBM_FILE db = gdbm_open(copy_path, 0,
	    GDBM_WRCREAT | GDBM_NOLOCK | GDBM_NOMMAP | GDBM_CLOEXEC, 0600, never_exit);
	bool done;

	if (db == NULL)
		return gdbm_fault(w, copy_path, "cannot be opened");
	done = (value == NULL ? take_out(w, db, copy_path, key)
			      : put(w, db, copy_path, key, value, expires))
	    && (expires == 0 || sweep(w, db, copy_path, key))
	    && (gdbm_sync(db) == 0 || gdbm_fault(w, copy_path, "cannot be synced"));
	if (gdbm_close(db) != 0 && done)
		done = gdbm_fault(w, copy_path, "cannot be closed");
	return done;
}

static bool
directory_of(struct work *w, const char *path, const char **directory)
{
	return work_copy(w, path, (size_t)(strrchr(path, '/') - path), directory);
}

static bool
sync_directory(struct work *w, const char *directory)
{
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool done = fd >= 0 && fsync(fd) == 0;

	if (!done)
		work_fault(
		    w, FAULT_STORAGE, "%s: cannot be synced: %s", directory, strerror(errno));
	if (fd >= 0)
		close(fd);
	return done;
}

bool
shard_set(struct work *w, const char *path, const char *key, const char *value, time_t expires)
{
	const char *copy_path;
	const char *directory;

	if (!work_print(w, &copy_path, "%s.new", path) || !directory_of(w, path, &directory))
		return false;
	if (!copy_file(w, path, copy_path) || !change_copy(w, copy_path, key, value, expires)) {
		unlink(copy_path);
		return false;
	}
	if (rename(copy_path, path) != 0)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	return sync_directory(w, directory);
}
