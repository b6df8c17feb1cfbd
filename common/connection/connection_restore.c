/* connection_restore.c - restoring exported records; see connection.h. */
#include "connection/account_index.h"
#include "connection/connection_internal.h"

#include <string.h>

struct restoring {
	const struct config *cfg;
	const struct keyring *ring;
	const char *key;
	const struct connection *connection;
	const struct tokens *tokens;
	bool *stored;
};

static bool
restore(struct ctx *ctx, void *arg)
{
	const struct restoring *in = arg;
	const struct connection *connection = in->connection;
	struct connection now;
	bool found;

	if (!connection_find_or_skip_corrupt(ctx, in->cfg, in->key, &found, &now))
		return false;
	*in->stored = !found || now.refreshed_at < connection->refreshed_at;
	return account_index_add(
		   ctx, &in->cfg->store, connection->account_id, connection->amocrm_user_id)
	    && (!*in->stored
		|| connection_put(ctx, in->cfg, in->ring, in->key, connection, in->tokens));
}

/* The rule by which tokens are taken from amoCRM, with a message for each way to break it. */
static bool
check_token(struct ctx *ctx, const char *name, const char *token)
{
	if (amocrm_token_valid(token))
		return true;
	if (*token == '\0')
		return fault(ctx, FAULT_REQUEST, "its %s is empty", name);
	if (strlen(token) > AMOCRM_TOKEN_MAX)
		return fault(ctx, FAULT_REQUEST, "its %s is over %d bytes", name, AMOCRM_TOKEN_MAX);
	return fault(ctx, FAULT_REQUEST, "its %s has a blank, or no ASCII", name);
}

bool
connection_restore(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *value, const struct tokens *tokens, bool *stored)
{
	struct connection connection;
	struct restoring in = { cfg, ring, key, &connection, NULL, stored };
	struct tokens opened;
	const char *own_key;

	if (!record_read(ctx, value, &connection)
	    || !record_key(ctx, connection.account_id, connection.amocrm_user_id, &own_key))
		return false;
	if (strcmp(key, own_key) != 0)
		return fault(ctx, FAULT_STORAGE, "the record belongs to %s", own_key);
	if (tokens == NULL && !record_tokens(ctx, ring, &connection, &opened))
		return false;
	if (tokens == NULL)
		tokens = &opened;
	in.tokens = tokens;
	return check_token(ctx, "access_token", tokens->access_token)
	    && check_token(ctx, "refresh_token", tokens->refresh_token)
	    && account_index_together(ctx, &cfg->store, connection.account_id, restore, &in);
}

struct pointing {
	const struct config *cfg;
	const char *pointer;
	const char *key;
	bool stored;
};

static bool
restore_pointer(struct ctx *ctx, void *arg)
{
	struct pointing *in = arg;
	const char *before;

	if (!user_lookup(ctx, in->cfg, in->pointer, &before))
		return false;
	in->stored = before == NULL;
	return !in->stored || store_put(ctx, &in->cfg->store, in->pointer, in->key, 0);
}

/* In the user's section: a claim that has read the pointer before this writes it would replace it
 * without erasing the connection it points to. */
bool
connection_restore_user(
    struct ctx *ctx, const struct config *cfg, const char *pointer, const char *key, bool *stored)
{
	struct pointing in = { cfg, pointer, key, false };
	bool ok = store_together(ctx, &cfg->store, pointer, restore_pointer, &in);

	*stored = ok && in.stored;
	return ok;
}
