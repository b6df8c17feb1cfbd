/* store_op.c - see store_op.h, and store_op_put in store.h. */
#include "store/store_op.h"

#include <string.h>

/* The edit of store_op_put. */
static bool
replace(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)ctx;
	(void)old;
	*value = arg;
	return true;
}

struct store_op
store_op_put(const char *key, const char *value, time_t expires)
{
	return (struct store_op){ key, expires, replace, (void *)(uintptr_t)value };
}

bool
store_op_is_put(const struct store_op *op)
{
	return op->edit == replace;
}

bool
store_op_differs(const struct store_op *op, const char *old, const char *value)
{
	if (value == old)
		return false;
	return value == NULL || old == NULL || op->expires != 0 || strcmp(value, old) != 0;
}
