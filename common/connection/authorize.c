/* authorize.c - see authorize.h. */
#include "connection/authorize.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/host_allowlist.h"
#include "connection/auth_code.h"
#include "connection/connection_internal.h"
#include "crypto/seal.h"
#include "helper/helper.h"

#include <string.h>

#define LOCK_MARGIN_MS 2000 /* what a waiter adds to limit_ms, for the holder's store changes */

bool
authorize_host(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *referer, const char **host)
{
	char lowered[HOST_SIZE];

	if (referer == NULL && cfg->account == NULL)
		return fault(
		    ctx, FAULT_REQUEST, "referer is missing, and [amocrm] account is not set");
	if (referer == NULL) {
		*host = cfg->account;
		return true;
	}
	if (!host_allowed(cfg->account_domains, referer, lowered))
		return fault(ctx, FAULT_REQUEST,
		    "referer \"%.80s\" is not a host below account_domains", referer);
	if (cfg->account != NULL && strcmp(lowered, cfg->account) != 0)
		return fault(ctx, FAULT_REQUEST, "referer %s is not [amocrm] account", lowered);
	return ctx_strndup(ctx, lowered, strlen(lowered), host);
}

/* Finds tokens that amoCRM has issued for this code while its account could not be asked. */
static bool
find_pending(struct ctx *ctx, const struct store_config *store, const struct keyring *ring,
    const char *pending_key, bool *found, struct tokens *tokens)
{
	const char *sealed;
	const char *text;

	if (!store_get(ctx, store, pending_key, &sealed))
		return false;
	*found = sealed != NULL;
	return !*found
	    || (unseal(ctx, ring, pending_key, sealed, &text) && tokens_read(ctx, text, tokens));
}

static bool
put_pending(struct ctx *ctx, const struct store_config *store, const struct keyring *ring,
    const char *pending_key, const struct tokens *tokens)
{
	const char *text;
	const char *sealed;

	ring = keyring_reload(ctx, store->keys, ring);
	return tokens_write(ctx, tokens, &text) && seal(ctx, ring, pending_key, text, &sealed)
	    && store_put(ctx, store, pending_key, sealed, time(NULL) + AUTH_CODE_LIFE_S);
}

static struct claim
claim_of(const struct grant *grant)
{
	if (grant->claimant != NULL)
		return (struct claim){ CLAIM_USER, grant->claimant };
	if (grant->reserved_for != NULL || grant->unclaimable)
		return (struct claim){ CLAIM_LATER, NULL };
	return (struct claim){ CLAIM_ANONYMOUS, NULL };
}

/* Stores the connection and, in the same commit, the code's record. */
static bool
save(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const struct identity *identity, const struct tokens *tokens,
    const char *record)
{
	const struct claim claim = claim_of(grant);
	struct auth_code code = { NULL, grant->reserved_for, grant->claimant, grant->unclaimable };
	struct store_op op;
	struct authorization authorization = { .code_op = &op };

	return record_key(ctx, identity->account_id, identity->user_id, &code.connection)
	    && auth_code_id(ctx, record, &authorization.id) && auth_code_op(ctx, record, &code, &op)
	    && connection_save(ctx, cfg, ring, identity, tokens, &claim, &authorization);
}

/* A code is single-use, so what could fail on our side is tried first: the store, the key ring, the
 * helpers.  Tokens whose account cannot be asked now are kept for the next attempt. */
static bool
exchange_new(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const char *record, int64_t deadline_ms)
{
	const char *pending_key;
	struct tokens tokens;
	struct identity identity;
	bool pending;

	if (grant->host == NULL)
		return fault(ctx, FAULT_REFUSED, "the record of the code has just expired");
	helper_start(ctx, HELPER_HTTPS);
	helper_start(ctx, HELPER_CRYPTO);
	if (!store_ready(ctx, &cfg->store)
	    || !auth_code_key(ctx, "pending", grant->code, &pending_key)
	    || !find_pending(ctx, &cfg->store, ring, pending_key, &pending, &tokens)
	    || (!pending
		&& !amocrm_exchange(ctx, cfg, grant->host, grant->code, deadline_ms, &tokens)))
		return false;
	if (amocrm_identity_from_token(ctx, grant->host, &tokens, &identity))
		return save(ctx, cfg, grant, ring, &identity, &tokens, record);
	return (pending || put_pending(ctx, &cfg->store, ring, pending_key, &tokens))
	    && amocrm_identity_from_api(ctx, cfg, grant->host, &tokens, deadline_ms, &identity)
	    && save(ctx, cfg, grant, ring, &identity, &tokens, record)
	    && store_erase(ctx, &cfg->store, pending_key);
}

static bool
is_other(const char *app_user, const char *claimant)
{
	return app_user != NULL && strcmp(app_user, claimant) != 0;
}

/* The fault of a code whose connection is gone or taken. */
static bool
connection_lost(struct ctx *ctx, const struct config *cfg, const char *key, bool claimed)
{
	struct connection newer;
	bool found;

	if (!connection_find(ctx, cfg, key, &found, &newer))
		return false;
	if (found && !claimed)
		return fault(ctx, FAULT_CLAIMED,
		    "the same amoCRM user has authorized a newer connection; connect again");
	return fault(ctx, FAULT_REFUSED, "the code's connection has been erased; connect again");
}

/* A known code claims its connection once, so it does not take back what another user has claimed
 * since.  The claimant may have a newer connection already, and a newer authorization may have
 * replaced this one. */
static bool
claim_known(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const char *record, struct auth_code *code)
{
	const struct claim claim = { CLAIM_USER, grant->claimant };
	bool claimed = code->claimed_by != NULL;
	struct connection other;
	struct store_op op;
	struct authorization authorization = { .code_op = &op };
	bool found = false;

	if (grant->claimant == NULL)
		return true;
	if (code->unclaimable || is_other(code->reserved_for, grant->claimant)
	    || is_other(code->claimed_by, grant->claimant))
		return fault(
		    ctx, FAULT_CLAIMED, "the code is reserved for, or claimed by, another user");
	code->claimed_by = grant->claimant;
	if (!claimed
	    && (!auth_code_id(ctx, record, &authorization.id)
		|| !auth_code_op(ctx, record, code, &op)
		|| !connection_claim(
		    ctx, cfg, ring, code->connection, &claim, &authorization, &found)))
		return false;
	if (found)
		return true;
	if (!connection_find_by_user(ctx, cfg, grant->claimant, &found, &other))
		return false;
	if (!found)
		return connection_lost(ctx, cfg, code->connection, claimed);
	return claimed || store_commit(ctx, &cfg->store, &op, 1);
}

/* limit_ms, or what is left until the grant's deadline. */
static int64_t
remaining_ms(const struct grant *grant, int64_t limit_ms)
{
	int64_t left_ms = grant->deadline_ms - clock_ms();

	if (grant->deadline_ms == 0 || left_ms >= limit_ms)
		return limit_ms;
	return left_ms > 0 ? left_ms : 0;
}

/* Under the code's lock: the process that held it before has written the code's record, or has
 * failed. */
static bool
authorize_locked(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const char *record, int64_t limit_ms)
{
	const struct keyring *ring;
	struct auth_code code;
	bool known;

	if (!keyring_read(ctx, cfg->store.keys, &ring)
	    || !auth_code_find(ctx, &cfg->store, record, &known, &code))
		return false;
	return known ? claim_known(ctx, cfg, grant, ring, record, &code)
		     : exchange_new(
			 ctx, cfg, grant, ring, record, clock_ms() + remaining_ms(grant, limit_ms));
}

bool
authorize_known(struct ctx *ctx, const struct config *cfg, const char *code, bool *known)
{
	const char *record;
	const char *value;

	if (!auth_code_key(ctx, "code", code, &record)
	    || !store_get(ctx, &cfg->store, record, &value))
		return false;
	*known = value != NULL;
	return true;
}

bool
authorize(struct ctx *ctx, const struct config *cfg, const struct grant *grant, int64_t limit_ms)
{
	const char *record;
	struct lock lock;
	sigset_t before;
	bool ok;

	if (!auth_code_key(ctx, "code", grant->code, &record)
	    || !store_lock(
		ctx, &cfg->store, record, remaining_ms(grant, limit_ms + LOCK_MARGIN_MS), &lock))
		return false;
	log_note_secret(ctx, "code", grant->code);
	signals_block(&before);
	ok = authorize_locked(ctx, cfg, grant, record, limit_ms);
	signals_restore(&before);
	lock_release(&lock);
	return ok;
}
