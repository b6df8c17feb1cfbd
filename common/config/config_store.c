/* config_store.c - config_check_store, see config.h. */
#include "config/config.h"

#include "base/file.h"

#include <stdio.h>

/* Which of the store's own folders others can reach, once they can enter the store. */
static bool
check_folder(struct ctx *ctx, const struct store_config *store, const char *name)
{
	const char *path;
	struct stat st;

	return ctx_printf(ctx, &path, "%s/%s", store->path, name)
	    && (stat(path, &st) != 0 || file_trusted(ctx, &st, path));
}

bool
config_check_store(struct ctx *ctx, const struct store_config *store)
{
	struct stat st;

	if (stat(store->path, &st) != 0)
		return true;
	return file_trusted(ctx, &st, store->path)
	    && ((st.st_mode & (S_IXGRP | S_IXOTH)) == 0
		|| (check_folder(ctx, store, "connections") && check_folder(ctx, store, "events")));
}
