/* connection_waiting.c - what waits in the escrow; see connection_escrow.h and connection.h. */
#include "connection/connection_escrow.h"
#include "store/escrow.h"

#include <stdio.h>
#include <string.h>

struct search {
	const char *key;
	bool found;
};

static bool
compare_key(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct search *search = arg;
	struct kept kept;

	(void)number;
	if (kept_read(ctx, text, &kept))
		search->found |= kept.key != NULL && strcmp(kept.key, search->key) == 0;
	else
		ctx_clear_fault(ctx);
	return true;
}

/* A slot that cannot be read may hold them. */
bool
connection_waits(struct ctx *ctx, const struct config *cfg, const char *key, bool *waits)
{
	struct first_reason unreadable = { 0 };
	struct search search = { key, false };
	bool ok = escrow_each(ctx, &cfg->store, compare_key, &search, &unreadable);

	*waits = search.found;
	return ok
	    && (search.found || unreadable.count == 0
		|| fault(ctx, FAULT_STORAGE, "%s", unreadable.text));
}

struct waiting {
	size_t count;
	char *first;
};

static bool
count_waiting(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct waiting *waiting = arg;
	struct kept kept;

	(void)number;
	if (!kept_read(ctx, text, &kept))
		ctx_clear_fault(ctx);
	if (waiting->count++ == 0)
		snprintf(waiting->first, STORE_KEY_MAX + 1, "%.*s", STORE_KEY_MAX,
		    kept.key != NULL        ? kept.key
			: kept.host != NULL ? kept.host
					    : "an unknown connection");
	return true;
}

bool
connection_waiting(
    struct ctx *ctx, const struct config *cfg, size_t *count, char first[STORE_KEY_MAX + 1])
{
	struct waiting waiting = { 0, first };
	struct first_reason unreadable = { 0 };
	bool ok = escrow_each(ctx, &cfg->store, count_waiting, &waiting, &unreadable)
	    && (unreadable.count == 0 || fault(ctx, FAULT_STORAGE, "%s", unreadable.text));

	*count = waiting.count;
	return ok;
}
