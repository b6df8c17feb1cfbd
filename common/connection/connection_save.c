/* connection_save.c - storing the connection of an authorization, and claiming a stored one; see
 * connection_internal.h.
 *
 * Both write all their records in one commit of the store, in this order: the account's index, the
 * connection, the claimant's pointer, the authorization code's record.  A crash leaves a prefix of
 * them.  A connection that has been replaced is erased after the commit, and leaves its account's
 * index last.
 */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"

#include <stdio.h>
#include <string.h>

/* What the caller asks for. */
struct input {
	const char *key; /* of the connection's record; the two ids are its parts */
	int64_t account_id;
	int64_t amocrm_user_id;
	const struct claim *claim;
	const struct authorization *authorization;
	const struct connection *connection; /* of connection_save: all but its app user */
	const struct tokens *tokens;         /* of connection_save */
};

/* What is decided from the input and the store, in the sections, and then written. */
struct plan {
	const char *pointer;       /* the claimant's, set to the key; NULL: nobody claims it now */
	bool skip;                 /* there is nothing to claim: nothing is written */
	bool done;                 /* all is stored already, and the event */
	const char *app_user;      /* of connection_save: the connection's */
	const char *record;        /* the connection's new value; NULL: it stays as it is */
	const char *stale_pointer; /* erased, if it holds the key; NULL: none */
};

typedef bool plan_step(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct input *in, struct plan *plan);

/* What runs in the sections of the claimant's pointer and of the account. */
struct save {
	const struct config *cfg;
	const struct keyring *ring;
	plan_step *step;
	const struct input *in;
	struct plan plan;
	const char *former; /* the key that the claimant's pointer held before; NULL: none */
};

/* Where connections are shared, an account has one: that of its newest authorization. */
static bool
erase_others(struct ctx *ctx, const struct config *cfg, const struct input *in, const char *users)
{
	struct account_index_edit edit = { in->amocrm_user_id, ACCOUNT_KEEP_ONLY, NULL };
	struct store_op op;
	int64_t user;
	bool any = false;

	while (account_index_next(&users, &user))
		if (user != in->amocrm_user_id) {
			any = true;
			if (!connection_erase_record(ctx, cfg, in->account_id, user))
				return false;
		}
	return !any
	    || (account_index_op(ctx, in->account_id, &edit, &op)
		&& store_commit(ctx, &cfg->store, &op, 1));
}

/* The key that the pointer holds, or held before an earlier attempt, which may have set it. */
static bool
find_former(struct ctx *ctx, const struct config *cfg, const struct input *in, const char *pointer,
    const char **former)
{
	char *kept = in->authorization->former;

	if (!user_lookup(ctx, cfg, pointer, former))
		return false;
	if (kept == NULL)
		return true;
	if (*former != NULL && strcmp(*former, in->key) != 0)
		snprintf(kept, STORE_KEY_MAX + 1, "%s", *former);
	else if (*kept != '\0')
		*former = kept;
	return true;
}

/* *former is the key that the claimant's pointer held before, or NULL. */
static bool
commit(struct ctx *ctx, const struct config *cfg, const struct input *in, const struct plan *plan,
    const char **former)
{
	struct account_index_edit edit = { in->amocrm_user_id, ACCOUNT_ADD, NULL };
	struct store_op ops[STORE_OPS_MAX];
	size_t count = 0;

	if (!account_index_op(ctx, in->account_id, &edit, &ops[count++]))
		return false;
	if (plan->stale_pointer != NULL)
		ops[count++] = user_erase_op(plan->stale_pointer, in->key);
	if (plan->record != NULL)
		ops[count++] = store_op_put(in->key, plan->record, 0);
	if (plan->pointer != NULL) {
		if (!find_former(ctx, cfg, in, plan->pointer, former))
			return false;
		ops[count++] = store_op_put(plan->pointer, in->key, 0);
	}
	if (in->authorization->code_op != NULL)
		ops[count++] = *in->authorization->code_op;
	return store_commit(ctx, &cfg->store, ops, count)
	    && (plan->pointer == NULL || !connections_shared(cfg)
		|| erase_others(ctx, cfg, in, edit.before));
}

/* Decides whose the connection becomes.  stored is the record that is replaced, or NULL.  Until an
 * authorization is claimed it must not connect users whose connection was revoked, has expired or
 * is gone. */
static bool
plan_app_user(struct ctx *ctx, const struct config *cfg, const struct claim *claim,
    const struct connection *stored, struct plan *plan)
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
is_newer(const struct connection *stored, const struct input *in)
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
find_newer(struct ctx *ctx, const struct config *cfg, const struct input *in, const char *pointer,
    const struct connection *stored, bool *newer)
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

/* Whether the record is of an earlier attempt.  A commit of a database whose acknowledgement was
 * lost has stored all, and since then the connection may have been refreshed or revoked.  Files may
 * have only a part of it. */
static bool
is_stored(const struct config *cfg, const struct connection *stored, const struct input *in)
{
	return cfg->store.engine == ENGINE_POSTGRESQL && is_of(stored, in->authorization->id);
}

static bool
plan_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct input *in, struct plan *plan)
{
	struct connection connection = *in->connection;
	struct connection stored;
	bool found;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	if (!connection_find_or_skip_corrupt(ctx, cfg, in->key, &found, &stored))
		return false;
	plan->done = found && is_stored(cfg, &stored, in);
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
static bool
plan_claim(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct input *in, struct plan *plan)
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

static bool
save_in_account(struct ctx *ctx, void *arg)
{
	struct save *save = arg;
	struct plan *plan = &save->plan;

	*plan = (struct plan){ .pointer = plan->pointer };
	save->former = NULL;
	return save->step(ctx, save->cfg, save->ring, save->in, plan)
	    && (plan->skip || plan->done || commit(ctx, save->cfg, save->in, plan, &save->former));
}

/* Erases the connection that the app user had before, unless it is the same. */
static bool
erase_former(struct ctx *ctx, const struct save *save)
{
	return connections_shared(save->cfg) || save->former == NULL
	    || strcmp(save->former, save->in->key) == 0
	    || connection_erase_owned(ctx, save->cfg, save->former, save->in->claim->app_user);
}

/* In the section, so that in a database the event is stored with the connection. */
static bool
report_saved(struct ctx *ctx, const struct save *save)
{
	const struct input *in = save->in;
	struct connection connection;

	if (in->connection == NULL || save->plan.skip)
		return true;
	connection = *in->connection;
	connection.app_user = save->plan.app_user;
	log_note(ctx, "stored", in->key);
	log_note(ctx, "host", connection.host);
	return save->plan.done
	    || connection_event_append(ctx, save->cfg, "connected", &connection, NULL);
}

static bool
save_for_later(struct ctx *ctx, void *arg)
{
	return save_in_account(ctx, arg) && report_saved(ctx, arg);
}

static bool
save_for_claimant(struct ctx *ctx, void *arg)
{
	const struct save *save = arg;

	return account_index_together(
		   ctx, &save->cfg->store, save->in->account_id, save_in_account, arg)
	    && erase_former(ctx, save) && report_saved(ctx, save);
}

static bool
claims_now(const struct config *cfg, const struct claim *claim)
{
	return claim->kind == CLAIM_USER
	    || (claim->kind == CLAIM_ANONYMOUS && connections_shared(cfg));
}

/* The section of the claimant's pointer serializes the claims of one user: each erases the
 * connection of the one before. */
static bool
run(struct ctx *ctx, struct save *save)
{
	const struct claim *claim = save->in->claim;

	if (!claims_now(save->cfg, claim))
		return account_index_together(
		    ctx, &save->cfg->store, save->in->account_id, save_for_later, save);
	return user_key(ctx, save->cfg, claim->app_user, &save->plan.pointer)
	    && store_together(ctx, &save->cfg->store, save->plan.pointer, save_for_claimant, save);
}

bool
connection_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct claim *claim,
    const struct authorization *authorization)
{
	time_t now = authorization->at != 0 ? authorization->at : time(NULL);
	struct connection connection = {
		.account_id = identity->account_id,
		.amocrm_user_id = identity->user_id,
		.host = identity->host,
		.authorization = authorization->id,
		.state = CONNECTION_ACTIVE,
		.connected_at = now,
		.refreshed_at = now,
		.expires_at = tokens->expires_at,
	};
	struct input in = { NULL, identity->account_id, identity->user_id, claim, authorization,
		&connection, tokens };
	struct save save = { .cfg = cfg, .ring = ring, .step = plan_save, .in = &in };

	if (!record_key(ctx, identity->account_id, identity->user_id, &in.key) || !run(ctx, &save))
		return false;
	if (authorization->outdated != NULL)
		*authorization->outdated = save.plan.skip;
	return true;
}

bool
connection_claim(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct claim *claim, const struct authorization *authorization,
    bool *found)
{
	struct input in = { .key = key, .claim = claim, .authorization = authorization };
	struct save save = { .cfg = cfg, .ring = ring, .step = plan_claim, .in = &in };

	*found = false;
	if (!record_key_read(key, &in.account_id, &in.amocrm_user_id))
		return true;
	if (!run(ctx, &save))
		return false;
	*found = !save.plan.skip;
	return true;
}
