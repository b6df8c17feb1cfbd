/* shard.c - reading a shard; shard_write.c changes it.  See shard.h. */
#include "store/shard.h"

#include "store/gdbm_file.h"
#include "store/value.h"

#include <stdlib.h>
#include <string.h>

/* Reads a record of an open file; *value is NULL if there is none, or it has expired. */
static bool
fetch(struct ctx *ctx, const struct gdbm_file *db, datum key, const char **value)
{
	datum found = gdbm_fetch(db->file, key);
	const struct encoded_value encoded = { found.dptr, (size_t)found.dsize };
	bool ok;

	*value = NULL;
	if (found.dptr == NULL)
		return gdbm_errno == GDBM_ITEM_NOT_FOUND
		    || gdbm_file_fault(ctx, db, "cannot be read");
	ok = value_decode(ctx, key.dptr, (size_t)key.dsize, &encoded, value)
	    || fault(ctx, FAULT_CORRUPT, "%s: %.*s is corrupt; run amocrmctl repair", db->path,
		key.dsize, key.dptr);
	gdbm_file_free_datum(found);
	return ok;
}

struct get {
	const char *key;
	const char *value;
};

static bool
get(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	struct get *get = arg;

	return fetch(ctx, db, gdbm_file_key(get->key), &get->value);
}

bool
shard_get(struct ctx *ctx, const char *path, const char *key, const char **value)
{
	struct get arg = { key, NULL };
	bool ok = gdbm_file_read(ctx, path, get, &arg);

	*value = ok ? arg.value : NULL;
	return ok;
}

struct each {
	const char *prefix;
	shard_visit *visit;
	void *arg;
};

/* Visits one record, unless it has expired. */
static bool
visit_value(struct ctx *ctx, const struct gdbm_file *db, datum key, const struct each *each)
{
	const char *name;
	const char *value;
	bool corrupt = false;

	if (!ctx_strndup(ctx, key.dptr, (size_t)key.dsize, &name))
		return false;
	if (!fetch(ctx, db, key, &value)) {
		corrupt = ctx->kind == FAULT_CORRUPT;
		if (!corrupt)
			return false;
		ctx_clear_fault(ctx);
	}
	return (value == NULL && !corrupt) || each->visit(ctx, each->arg, name, value);
}

static bool
visit_record(struct ctx *ctx, const struct gdbm_file *db, datum key, const struct each *each)
{
	size_t mark = arena_mark(ctx);
	bool go_on = visit_value(ctx, db, key, each);

	arena_rewind(ctx, mark);
	return go_on;
}

static bool
visit_records(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	const struct each *each = arg;
	datum key = gdbm_firstkey(db->file);
	bool go_on = true;

	while (go_on && key.dptr != NULL) {
		datum next;

		if (gdbm_file_key_has_prefix(key, each->prefix, strlen(each->prefix)))
			go_on = visit_record(ctx, db, key, each);
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	if (go_on && gdbm_errno != GDBM_ITEM_NOT_FOUND)
		return gdbm_file_fault(ctx, db, "cannot be read to its end");
	return go_on;
}

bool
shard_each(struct ctx *ctx, const char *path, const char *prefix, shard_visit *visit, void *arg)
{
	struct each each = { prefix, visit, arg };

	return gdbm_file_read(ctx, path, visit_records, &each);
}
