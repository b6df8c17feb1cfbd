/* shard_set.h - one complete change of a shard, from copy to commit. */
#ifndef SHARD_SET_H
#define SHARD_SET_H

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

#endif
