/* shard_write.c - the copy-on-write of a shard; see shard.h. */
#include "store/gdbm_file.h"
#include "store/shard.h"
#include "store/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COPY_MAX  (1 << 30) /* bytes; the rest of a larger shard is copied by read and write */
#define SWEEP_MAX 32        /* records swept out by one operation, which adds one at most */

static bool
copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t n = copy_file_range(from, NULL, to, NULL, COPY_MAX, 0);

	if (n < 0 && errno != EXDEV && errno != ENOSYS && errno != EINVAL && errno != EOPNOTSUPP)
		return false;
	while ((n = read(from, buffer, sizeof buffer)) > 0) {
		errno = ENOSPC; /* the cause of a short write; a failed write sets errno itself */
		if (write(to, buffer, (size_t)n) != n)
			return false;
	}
	return n == 0;
}

static bool
use_nothing(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	(void)ctx;
	(void)db;
	(void)arg;
	return true;
}

/* Creates an empty shard in memory, to be copied: GDBM fsyncs a file that it creates on disk.
 * *fd is -1 where memfd_create does not work; GDBM then creates the copy itself. */
static bool
empty_shard(struct ctx *ctx, int *fd)
{
	const char *path;

	*fd = memfd_create("shard", MFD_CLOEXEC);
	if (*fd < 0)
		return true;
	if (!ctx_printf(ctx, &path, "/proc/self/fd/%d", *fd))
		return false;
	return access(path, W_OK) != 0 || gdbm_file_write(ctx, path, use_nothing, NULL);
}

/* Opens the source file; *from is -1 if there is none. */
static bool
open_source(struct ctx *ctx, const char *path, int *from)
{
	*from = open(path, O_RDONLY | O_CLOEXEC);
	if (*from >= 0)
		return true;
	if (errno != ENOENT)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	if (empty_shard(ctx, from))
		return true;
	close(*from);
	return false;
}

static bool
copy_file(struct ctx *ctx, const char *path, const char *copy_path)
{
	int from;
	int to;
	bool ok;

	if (!open_source(ctx, path, &from))
		return false;
	to = open(copy_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ok = to >= 0 && (from < 0 || copy_bytes(from, to));
	if (!ok)
		ctx_fault(ctx, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	if (from >= 0)
		close(from);
	if (to >= 0 && close(to) != 0)
		ok = fault(ctx, FAULT_STORAGE, "%s: %s", copy_path, strerror(errno));
	return ok;
}

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
	return ok;
}

bool
shard_prepare(struct ctx *ctx, const char *path, const char *copy_path, const struct shard_op *op,
    size_t count)
{
	struct ops ops = { op, count };

	if (copy_file(ctx, path, copy_path) && gdbm_file_write(ctx, copy_path, apply_ops, &ops))
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
