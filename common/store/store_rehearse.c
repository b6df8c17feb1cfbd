/* store_rehearse.c - trying a commit; see store_rehearse in store.h. */
#include "store/store_files.h"

#include <string.h>

#define PLACEHOLDER_SIZE 24576 /* bytes; two tokens of 8 KB, sealed, are 22 KB */

/* The values are as long as they may become, so that what the copies need is known to be there. */
static bool
placeholders(struct ctx *ctx, const char *const *keys, size_t count, struct store_op *ops)
{
	char *value;

	if (count > STORE_OPS_MAX)
		return fault(ctx, FAULT_SERVER, "%zu changes at once are too many", count);
	if (!ctx_alloc(ctx, PLACEHOLDER_SIZE, &value))
		return false;
	memset(value, '.', PLACEHOLDER_SIZE - 1);
	for (size_t i = 0; i < count; i++)
		ops[i] = store_op_put(keys[i], value, 0);
	return true;
}

bool
store_files_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count)
{
	size_t mark = arena_mark(ctx);
	struct store_op ops[STORE_OPS_MAX];
	bool ok = placeholders(ctx, keys, count, ops)
	    && store_files_perform(ctx, store, ops, count, true);

	arena_rewind(ctx, mark);
	return ok;
}
