/* shard_write.c - the copy-on-write of a shard; see shard.h. */
#include "store/gdbm_file.h"
#include "store/shard.h"
#include "store/shard_copy.h"
#include "store/value.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_MAX 32 /* records swept out by one operation, which adds one at most */

/* Overwrites a value in place before it is replaced or erased: GDBM does not wipe the space that it
 * frees. */
static bool
wipe(struct ctx *ctx, const struct gdbm_file *db, datum key)
{
	datum old = gdbm_fetch(db->file, key);
	bool ok;

	if (old.dptr == NULL)
		return gdbm_errno == GDBM_ITEM_NOT_FOUND
		    || gdbm_file_fault(ctx, db, "cannot be read");
	explicit_bzero(old.dptr, (size_t)old.dsize);
	ok = gdbm_store(db->file, key, old, GDBM_REPLACE) == 0
	    || gdbm_file_fault(ctx, db, "cannot be written");
	free(old.dptr);
	return ok;
}

/* Erases expired records that share the key's prefix. */
static bool
sweep(struct ctx *ctx, const struct gdbm_file *db, const char *changed_key)
{
	size_t prefix_len = strcspn(changed_key, ":") + 1;
	time_t now = time(NULL);
	datum expired[SWEEP_MAX];
	int count = 0;
	bool ok = true;

	for (datum key = gdbm_firstkey(db->file); key.dptr != NULL;) {
		datum next = gdbm_nextkey(db->file, key);
		datum found = { 0 };

		if (count < SWEEP_MAX && gdbm_file_key_has_prefix(key, changed_key, prefix_len))
			found = gdbm_fetch(db->file, key);
		if (value_expired(&(struct encoded_value){ found.dptr, (size_t)found.dsize }, now))
			expired[count++] = key;
		else
			free(key.dptr);
		gdbm_file_free_datum(found);
		key = next;
	}
	while (count > 0) {
		datum key = expired[--count];

		ok = ok && wipe(ctx, db, key)
		    && (gdbm_delete(db->file, key) == 0
			|| gdbm_file_fault(ctx, db, "expired records cannot be erased"));
		free(key.dptr);
	}
	return ok;
}

static bool
put(struct ctx *ctx, const struct gdbm_file *db, const struct shard_op *op)
{
	struct encoded_value encoded;
	datum content;

	if (!value_encode(ctx, op->key, strlen(op->key), op->value, op->expires, &encoded))
		return false;
	content.dptr = (char *)(uintptr_t)encoded.bytes;
	content.dsize = (int)encoded.len;
	return gdbm_store(db->file, gdbm_file_key(op->key), content, GDBM_REPLACE) == 0
	    || gdbm_file_fault(ctx, db, "cannot be written");
}

static bool
erase(struct ctx *ctx, const struct gdbm_file *db, const char *key)
{
	return gdbm_delete(db->file, gdbm_file_key(key)) == 0 || gdbm_errno == GDBM_ITEM_NOT_FOUND
	    || gdbm_file_fault(ctx, db, "a record cannot be erased");
}

static bool
apply_op(struct ctx *ctx, const struct gdbm_file *db, const struct shard_op *op)
{
	return wipe(ctx, db, gdbm_file_key(op->key))
	    && (op->value == NULL ? erase(ctx, db, op->key) : put(ctx, db, op))
	    && (op->expires == 0 || sweep(ctx, db, op->key));
}

/* GDBM notes an error after which the file may be inconsistent, also one that it did not return. */
static bool
needs_recovery(struct ctx *ctx, const struct gdbm_file *db)
{
	if (gdbm_needs_recovery(db->file) == 0)
		return false;
	ctx_fault(ctx, FAULT_STORAGE, "%s: is inconsistent after an error", db->path);
	return true;
}

struct ops {
	const struct shard_op *op;
	size_t count;
};

static bool
apply_ops(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	const struct ops *ops = arg;
	bool ok = true;

	for (size_t i = 0; ok && i < ops->count; i++)
		ok = apply_op(ctx, db, &ops->op[i]);
	return ok && !needs_recovery(ctx, db);
}

static bool
is_expired(const struct shard_op *op)
{
	return op->expires != 0 && op->expires <= time(NULL);
}

/* Whether the file holds what the operation was to leave. */
static bool
has_result(struct ctx *ctx, const struct gdbm_file *db, const struct shard_op *op)
{
	datum found = gdbm_fetch(db->file, gdbm_file_key(op->key));
	const struct encoded_value encoded = { found.dptr, (size_t)found.dsize };
	const char *value = NULL;
	bool ok;

	if (found.dptr == NULL)
		return (op->value == NULL || is_expired(op)) && gdbm_errno == GDBM_ITEM_NOT_FOUND;
	ok = value_decode(ctx, op->key, strlen(op->key), &encoded, &value) && op->value != NULL
	    && (value == NULL ? is_expired(op) : strcmp(value, op->value) == 0);
	gdbm_file_free_datum(found);
	return ok;
}

static bool
read_back(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	const struct ops *ops = arg;

	for (size_t i = 0; i < ops->count; i++) {
		size_t mark = arena_mark(ctx);
		bool ok = has_result(ctx, db, &ops->op[i]);

		arena_rewind(ctx, mark);
		if (!ok)
			return fault(ctx, FAULT_STORAGE,
			    "%s: %s does not read back as it was written", db->path,
			    ops->op[i].key);
	}
	return !needs_recovery(ctx, db);
}

bool
shard_prepare(struct ctx *ctx, const char *path, const char *copy_path, const struct shard_op *op,
    size_t count)
{
	struct ops ops = { op, count };

	if (shard_copy(ctx, path, copy_path) && gdbm_file_write(ctx, copy_path, apply_ops, &ops)
	    && gdbm_file_read(ctx, copy_path, read_back, &ops))
		return true;
	unlink(copy_path);
	return false;
}

bool
shard_commit(struct ctx *ctx, const char *path, const char *copy_path)
{
	return rename(copy_path, path) == 0
	    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
}
