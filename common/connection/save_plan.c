/* save_plan.c - see save_plan.h. */
#include "connection/save_plan.h"

#include <string.h>

/* Decides whose the connection becomes.  stored is the record that is replaced, or NULL.  Until an
 * authorization is claimed it must not connect users whose connection was revoked, has expired or
 * is gone. */
static bool
plan_app_user(struct ctx *ctx, const struct config *cfg, const struct claim *claim,
    const struct connection *stored, struct save_plan *plan)
{
	const char *same = stored == NULL ? NULL : stored->app_user;

	switch (claim->kind) {
	case CLAIM_USER:
		plan->app_user = connections_shared(cfg) ? NULL : claim->app_user;
		return true;
	case CLAIM_ANONYMOUS:
		plan->app_user = connections_shared(cfg) ? NULL : same;
		return true;
	case CLAIM_LATER:
		break;
	}
	if (stored != NULL && connection_usable(stored))
		plan->app_user = same;
	else if (connections_shared(cfg))
		return user_key(ctx, cfg, NULL, &plan->stale_pointer);
	return true;
}

static bool
is_of(const struct connection *connection, const char *authorization)
{
	return authorization != NULL && connection->authorization != NULL
	    && strcmp(connection->authorization, authorization) == 0;
}

/* Whether the record is of a later authorization, or has later tokens of this one.  A time in the
 * future was stored while the clock was ahead; it does not make the record newer than an
 * authorization of a time that has come. */
static bool
is_newer(const struct connection *stored, const struct save_input *in)
{
	time_t at = in->authorization->at;
	time_t latest = time(NULL) + CLOCK_SLACK_S;

	if (is_of(stored, in->authorization->id))
		return stored->refreshed_at > at;
	return stored->connected_at >= at && (stored->connected_at <= latest || at > latest);
}

/* *newer tells whether something later is stored: as the same connection, or as another one that
 * the claimant has authorized since. */
static bool
find_newer(struct ctx *ctx, const struct config *cfg, const struct save_input *in,
    const char *pointer, const struct connection *stored, bool *newer)
{
	const char *app_user = in->claim->app_user;
	struct connection other;
	const char *key;
	bool found;

	*newer = stored != NULL && is_newer(stored, in);
	if (*newer || pointer == NULL)
		return true;
	if (!user_lookup(ctx, cfg, pointer, &key))
		return false;
	if (key == NULL || strcmp(key, in->key) == 0)
		return true;
	if (!connection_find_or_skip_corrupt(ctx, cfg, key, &found, &other))
		return false;
	*newer = found && is_newer(&other, in)
	    && (connections_shared(cfg)
		|| (other.app_user != NULL && strcmp(other.app_user, app_user) == 0));
	return true;
}

/* *done tells whether an earlier attempt has stored all.  In a database a commit whose
 * acknowledgement was lost has, and since then the connection may have been refreshed or revoked.
 * Files may have a part of it, and a database that was restored too. */
static bool
find_done(struct ctx *ctx, const struct config *cfg, const struct save_input *in,
    const struct connection *stored, bool *done)
{
	const struct store_op *code = in->authorization->code_op;
	const char *value;

	*done = cfg->store.engine == ENGINE_POSTGRESQL && is_of(stored, in->authorization->id);
	if (!*done || code == NULL)
		return true;
	if (!store_get(ctx, &cfg->store, code->key, &value))
		return false;
	*done = value != NULL;
	return true;
}

bool
save_plan_new(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct save_input *in, struct save_plan *plan)
{
	struct connection connection = *in->connection;
	struct connection stored;
	bool found;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	if (!connection_find_or_skip_corrupt(ctx, cfg, in->key, &found, &stored))
		return false;
	if (found && !find_done(ctx, cfg, in, &stored, &plan->done))
		return false;
	if (plan->done)
		return true;
	if (in->authorization->folded
	    && !find_newer(ctx, cfg, in, plan->pointer, found ? &stored : NULL, &plan->skip))
		return false;
	if (plan->skip)
		return true;
	if (!plan_app_user(ctx, cfg, in->claim, found ? &stored : NULL, plan))
		return false;
	connection.app_user = plan->app_user;
	return record_write(ctx, ring, &connection, in->tokens, &plan->record);
}

static bool
is_of_another(const struct connection *connection, const struct authorization *authorization)
{
	return authorization->id != NULL && connection->authorization != NULL
	    && strcmp(connection->authorization, authorization->id) != 0;
}

/* The record names its app user, unless connections are shared. */
bool
save_plan_claim(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct save_input *in, struct save_plan *plan)
{
	struct connection stored;
	struct tokens tokens;
	bool found;

	if (!connection_find_or_skip_corrupt(ctx, cfg, in->key, &found, &stored))
		return false;
	plan->skip = !found || is_of_another(&stored, in->authorization);
	if (plan->skip || in->claim->kind != CLAIM_USER || connections_shared(cfg))
		return true;
	if (!record_tokens(ctx, ring, &stored, &tokens))
		return false;
	stored.app_user = in->claim->app_user;
	return record_write(ctx, ring, &stored, &tokens, &plan->record);
}
