/* config_store.c - config_check_store, see config.h. */
#include "config/config.h"

#include "base/file.h"

#include <stdio.h>

/* The folders in the store, which others can reach once they can enter the store. */
static bool
check_folders(struct ctx *ctx, const struct store_config *store)
{
	static const char *const folders[] = { "connections", "escrow", "events" };
	const char *path;
	struct stat st;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (!ctx_printf(ctx, &path, "%s/%s", store->path, folders[i])
		    || (stat(path, &st) == 0 && !file_trusted(ctx, &st, path)))
			return false;
	return true;
}

bool
config_check_store(struct ctx *ctx, const struct store_config *store)
{
	struct stat st;

	if (stat(store->path, &st) != 0)
		return true;
	return file_trusted(ctx, &st, store->path)
	    && ((st.st_mode & (S_IXGRP | S_IXOTH)) == 0 || check_folders(ctx, store));
}
