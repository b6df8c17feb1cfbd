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
#include "connection/save_plan.h"

#include <stdio.h>
#include <string.h>

/* What runs in the sections of the claimant's pointer and of the account. */
struct save {
	const struct config *cfg;
	const struct keyring *ring;
	save_plan_step *step;
	const struct save_input *in;
	struct save_plan plan;
	const char *former; /* the key that the claimant's pointer held before; NULL: none */
};

/* Where connections are shared, an account has one: that of its newest authorization. */
static bool
erase_others(
    struct ctx *ctx, const struct config *cfg, const struct save_input *in, const char *users)
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
find_former(struct ctx *ctx, const struct config *cfg, const struct save_input *in,
    const char *pointer, const char **former)
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
commit(struct ctx *ctx, const struct config *cfg, const struct save_input *in,
    const struct save_plan *plan, const char **former)
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

static bool
save_in_account(struct ctx *ctx, void *arg)
{
	struct save *save = arg;
	struct save_plan *plan = &save->plan;

	*plan = (struct save_plan){ .pointer = plan->pointer };
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
	const struct save_input *in = save->in;
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
	struct save_input in = { NULL, identity->account_id, identity->user_id, claim,
		authorization, &connection, tokens };
	struct save save = { .cfg = cfg, .ring = ring, .step = save_plan_new, .in = &in };

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
	struct save_input in = { .key = key, .claim = claim, .authorization = authorization };
	struct save save = { .cfg = cfg, .ring = ring, .step = save_plan_claim, .in = &in };

	*found = false;
	if (!record_key_read(key, &in.account_id, &in.amocrm_user_id))
		return true;
	if (!run(ctx, &save))
		return false;
	*found = !save.plan.skip;
	return true;
}
