/* shard.c - see shard.h. */
#include "shard.h"

#include "database.h"
#include "file.h"
#include "stored.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_MAX  (1 << 30) /* bytes; what is left of a larger shard is read and written */
#define SWEEP_MAX 32        /* records swept out by one change: more than one change ever adds */

static datum
datum_of(const char *key)
{
	return (datum){ .dptr = (char *)(uintptr_t)key, .dsize = (int)strlen(key) };
}

/* The value of a record in an open file; NULL when there is none, or its time is over. */
static bool
fetch(struct work *w, const struct database *db, datum key, const char **value)
{
	datum found = gdbm_fetch(db->file, key);
	const struct stored stored = { found.dptr, (size_t)found.dsize };
	bool done;

	*value = NULL;
	if (found.dptr == NULL)
		return gdbm_errno == GDBM_ITEM_NOT_FOUND || database_fault(w, db, "cannot be read");
	done = stored_read(w, key.dptr, (size_t)key.dsize, &stored, value)
	    || fault(
		w, FAULT_STORAGE, "%s: holds a damaged record; restore it from a backup", db->path);
	database_free(found);
	return done;
}

struct get {
	const char *key;
	const char *value;
};

static bool
get(struct work *w, const struct database *db, void *context)
{
	struct get *get = context;

	return fetch(w, db, datum_of(get->key), &get->value);
}

bool
shard_get(struct work *w, const char *path, const char *key, const char **value)
{
	struct get context = { key, NULL };
	bool done = database_read(w, path, get, &context);

	*value = done ? context.value : NULL;
	return done;
}

static bool
has_prefix(datum key, const char *prefix, size_t prefix_len)
{
	return (size_t)key.dsize >= prefix_len && memcmp(key.dptr, prefix, prefix_len) == 0;
}

struct each {
	const char *prefix;
	shard_visit *visit;
	void *context;
};

/* Visits one record, unless its time is over. */
static bool
visit_record(struct work *w, const struct database *db, datum key, const struct each *each)
{
	const char *name;
	const char *value;
	size_t mark = work_mark(w);
	bool go_on = work_copy(w, key.dptr, (size_t)key.dsize, &name) && fetch(w, db, key, &value)
	    && (value == NULL || each->visit(w, each->context, name, value));

	work_release(w, mark);
	return go_on;
}

static bool
visit_records(struct work *w, const struct database *db, void *context)
{
	const struct each *each = context;
	datum key = gdbm_firstkey(db->file);
	bool go_on = true;

	while (go_on && key.dptr != NULL) {
		datum next;

		if (has_prefix(key, each->prefix, strlen(each->prefix)))
			go_on = visit_record(w, db, key, each);
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	if (go_on && gdbm_errno != GDBM_ITEM_NOT_FOUND)
		return database_fault(w, db, "cannot be read to its end");
	return go_on;
}

bool
shard_each(struct work *w, const char *path, const char *prefix, shard_visit *visit, void *context)
{
	struct each each = { prefix, visit, context };

	return database_read(w, path, visit_records, &each);
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

struct change {
	const char *key;
	const char *value; /* NULL: it is taken out */
	time_t expires;
};

/* GDBM leaves what it frees as it was, so a value that goes is overwritten where it stands. */
static bool
wipe(struct work *w, const struct database *db, datum key)
{
	datum old = gdbm_fetch(db->file, key);
	bool done;

	if (old.dptr == NULL)
		return gdbm_errno == GDBM_ITEM_NOT_FOUND || database_fault(w, db, "cannot be read");
	explicit_bzero(old.dptr, (size_t)old.dsize);
	done = gdbm_store(db->file, key, old, GDBM_REPLACE) == 0
	    || database_fault(w, db, "cannot be written");
	free(old.dptr);
	return done;
}

/* Sweeps out records that share the key's prefix and whose time is over. */
static bool
sweep(struct work *w, const struct database *db, const char *like)
{
	size_t prefix_len = strcspn(like, ":") + 1;
	time_t now = time(NULL);
	datum over[SWEEP_MAX];
	int count = 0;
	bool done = true;

	for (datum key = gdbm_firstkey(db->file); key.dptr != NULL;) {
		datum next = gdbm_nextkey(db->file, key);
		datum found = { 0 };

		if (count < SWEEP_MAX && has_prefix(key, like, prefix_len))
			found = gdbm_fetch(db->file, key);
		if (stored_is_over(&(struct stored){ found.dptr, (size_t)found.dsize }, now))
			over[count++] = key;
		else
			free(key.dptr);
		database_free(found);
		key = next;
	}
	while (count > 0) {
		datum key = over[--count];

		done = done && wipe(w, db, key)
		    && (gdbm_delete(db->file, key) == 0
			|| database_fault(w, db, "cannot be swept"));
		free(key.dptr);
	}
	return done;
}

static bool
put(struct work *w, const struct database *db, const struct change *change)
{
	struct stored stored;
	datum content;

	if (!stored_make(
		w, change->key, strlen(change->key), change->value, change->expires, &stored))
		return false;
	content.dptr = (char *)(uintptr_t)stored.bytes;
	content.dsize = (int)stored.len;
	return gdbm_store(db->file, datum_of(change->key), content, GDBM_REPLACE) == 0
	    || database_fault(w, db, "cannot be written");
}

static bool
take_out(struct work *w, const struct database *db, const char *key)
{
	return gdbm_delete(db->file, datum_of(key)) == 0 || gdbm_errno == GDBM_ITEM_NOT_FOUND
	    || database_fault(w, db, "cannot be erased from");
}

static bool
make_change(struct work *w, const struct database *db, void *context)
{
	const struct change *change = context;

	return wipe(w, db, datum_of(change->key))
	    && (change->value == NULL ? take_out(w, db, change->key) : put(w, db, change))
	    && (change->expires == 0 || sweep(w, db, change->key))
	    && (gdbm_sync(db->file) == 0 || database_fault(w, db, "cannot be synced"));
}

static bool
directory_of(struct work *w, const char *path, const char **directory)
{
	return work_copy(w, path, (size_t)(strrchr(path, '/') - path), directory);
}

bool
shard_set(struct work *w, const char *path, const char *key, const char *value, time_t expires)
{
	struct change change = { key, value, expires };
	const char *copy_path;
	const char *directory;

	if (!work_print(w, &copy_path, "%s.new", path) || !directory_of(w, path, &directory))
		return false;
	if (!copy_file(w, path, copy_path) || !database_write(w, copy_path, make_change, &change)) {
		unlink(copy_path);
		return false;
	}
	if (rename(copy_path, path) != 0)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	return file_sync_directory(w, directory);
}
