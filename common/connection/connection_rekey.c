/* connection_rekey.c - re-encrypting connections, and repairing their account's index; see
 * connection.h. */
#include "connection/account_index.h"
#include "connection/connection_internal.h"

#include <string.h>

struct resealing {
	const struct config *cfg;
	const struct keyring *ring;
	const char *key;
	bool *resealed;
};

static bool
reseal(struct ctx *ctx, void *arg)
{
	const struct resealing *resealing = arg;
	const struct keyring *ring = resealing->ring;
	const char *kid = ring->keys[0].kid;
	struct connection connection;
	struct tokens tokens;
	bool found;

	if (!connection_find(ctx, resealing->cfg, resealing->key, &found, &connection))
		return false;
	*resealing->resealed = found
	    && (strncmp(connection.sealed, kid, strlen(kid)) != 0
		|| connection.sealed[strlen(kid)] != '.');
	return !*resealing->resealed
	    || (record_tokens(ctx, ring, &connection, &tokens)
		&& connection_put(ctx, resealing->cfg, ring, resealing->key, &connection, &tokens));
}

bool
connection_reseal(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *resealed)
{
	struct resealing resealing = { cfg, ring, key, resealed };
	struct connection connection;
	bool found;

	*resealed = false;
	if (!connection_find(ctx, cfg, key, &found, &connection) || !found)
		return ctx->kind == FAULT_NONE;
	return account_index_together(ctx, &cfg->store, connection.account_id, reseal, &resealing);
}

static bool
is_indexed(struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id,
    bool *indexed)
{
	const char *key;
	const char *value;

	if (!account_index_contains(ctx, &cfg->store, account_id, amocrm_user_id, indexed))
		return false;
	if (*indexed)
		return true;
	if (!record_key(ctx, account_id, amocrm_user_id, &key)
	    || !store_get(ctx, &cfg->store, key, &value))
		return false;
	*indexed = value == NULL;
	return true;
}

struct indexing {
	const struct config *cfg;
	int64_t account_id;
	int64_t amocrm_user_id;
	bool indexed;
};

static bool
find_indexed(struct ctx *ctx, void *arg)
{
	struct indexing *in = arg;

	return is_indexed(ctx, in->cfg, in->account_id, in->amocrm_user_id, &in->indexed);
}

/* Usually it is indexed, which costs no section.  A connection that is being erased may seem to be
 * missing from the index, so that answer is confirmed in the section. */
bool
connection_indexed(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *indexed)
{
	struct indexing in = { cfg, account_id, amocrm_user_id, false };

	if (!find_indexed(ctx, &in)
	    || (!in.indexed
		&& !account_index_together(ctx, &cfg->store, account_id, find_indexed, &in)))
		return false;
	*indexed = in.indexed;
	return true;
}

static bool
add_unless_indexed(struct ctx *ctx, void *arg)
{
	struct indexing *in = arg;

	return find_indexed(ctx, in)
	    && (in->indexed
		|| account_index_add(ctx, &in->cfg->store, in->account_id, in->amocrm_user_id));
}

bool
connection_index_add(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id)
{
	struct indexing in = { cfg, account_id, amocrm_user_id, false };

	return account_index_together(ctx, &cfg->store, account_id, add_unless_indexed, &in);
}
