/* shard.c - reading a shard; see shard.h.  It is changed in shard_write.c. */
#include "store/shard.h"

#include "store/gdbm_file.h"
#include "store/value.h"

#include <stdlib.h>
#include <string.h>

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
	    || fault(w, FAULT_DAMAGED, "%s: %.*s is damaged; restore it from a backup", db->path,
		key.dsize, key.dptr);
	database_free(found);
	return done;
}

struct get {
	const char *key;
	const char *value;
};

static bool
get(struct work *w, const struct database *db, void *arg)
{
	struct get *get = arg;

	return fetch(w, db, database_key(get->key), &get->value);
}

bool
shard_get(struct work *w, const char *path, const char *key, const char **value)
{
	struct get arg = { key, NULL };
	bool done = database_read(w, path, get, &arg);

	*value = done ? arg.value : NULL;
	return done;
}

struct each {
	const char *prefix;
	shard_visit *visit;
	void *arg;
};

/* Visits one record, unless its time is over. */
static bool
visit_value(struct work *w, const struct database *db, datum key, const struct each *each)
{
	const char *name;
	const char *value;
	bool damaged = false;

	if (!work_copy(w, key.dptr, (size_t)key.dsize, &name))
		return false;
	if (!fetch(w, db, key, &value)) {
		damaged = w->kind == FAULT_DAMAGED;
		if (!damaged)
			return false;
		work_recover(w);
	}
	return (value == NULL && !damaged) || each->visit(w, each->arg, name, value);
}

static bool
visit_record(struct work *w, const struct database *db, datum key, const struct each *each)
{
	size_t mark = work_mark(w);
	bool go_on = visit_value(w, db, key, each);

	work_release(w, mark);
	return go_on;
}

static bool
visit_records(struct work *w, const struct database *db, void *arg)
{
	const struct each *each = arg;
	datum key = gdbm_firstkey(db->file);
	bool go_on = true;

	while (go_on && key.dptr != NULL) {
		datum next;

		if (database_key_begins(key, each->prefix, strlen(each->prefix)))
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
shard_each(struct work *w, const char *path, const char *prefix, shard_visit *visit, void *arg)
{
	struct each each = { prefix, visit, arg };

	return database_read(w, path, visit_records, &each);
}
