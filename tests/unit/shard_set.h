/* shard_set.h - one complete change of a shard, from copy to commit, and what it then contains. */
#ifndef SHARD_SET_H
#define SHARD_SET_H

#include "table.h"

#include "store/shard.h"

static inline bool
shard_set(struct ctx *ctx, const char *path, const char *key, const char *value, time_t expires)
{
	const struct shard_op change = { key, value, expires };

	const char *copy_path;

	return ctx_printf(ctx, &copy_path, "%s.new", path)
	    && shard_prepare(ctx, path, copy_path, &change, 1)
	    && shard_commit(ctx, path, copy_path);
}

/* shard_set, which must succeed. */
static inline void
put(const char *path, const char *key, const char *value, time_t expires)
{
	struct ctx ctx;

	open_ctx(&ctx);
	if (!shard_set(&ctx, path, key, value, expires))
		fail_msg("%s: %s", key, ctx.reason);
	ctx_close(&ctx);
}

/* expected is NULL if there must be no such record. */
static inline void
has_value(const char *label, const char *path, const char *key, const char *expected)
{
	struct ctx ctx;
	const char *value = "not set";

	open_ctx(&ctx);
	if (!shard_get(&ctx, path, key, &value))
		fail_msg("%s: %s", label, ctx.reason);
	same_text(label, value, expected);
	ctx_close(&ctx);
}

#endif
