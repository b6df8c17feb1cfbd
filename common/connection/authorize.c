/* authorize.c - see authorize.h. */
#include "connection/authorize.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/host_allowlist.h"
#include "connection/auth_code.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"
#include "connection/exchange.h"

#include <string.h>

#define WAIT_MARGIN_MS 2000 /* what a waiter adds to limit_ms, for the holder's store changes */

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
	/* an account pinned by number may have been renamed: its tokens tell */
	if (cfg->account_id == 0 && cfg->account != NULL && strcmp(lowered, cfg->account) != 0)
		return fault(
		    ctx, FAULT_OTHER_ACCOUNT, "referer %s is not [amocrm] account", lowered);
	return ctx_strndup(ctx, lowered, strlen(lowered), host);
}

bool
authorize_check_code(struct ctx *ctx, const char *code)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				       "0123456789-._~+/=";

	return code[strspn(code, alphabet)] == '\0'
	    || fault(ctx, FAULT_REQUEST, "the code contains a character that no code has");
}

static bool
is_other(const char *app_user, const char *claimant)
{
	return app_user != NULL && strcmp(app_user, claimant) != 0;
}

static bool
check_claimant(struct ctx *ctx, const struct grant *grant, const struct auth_code *code)
{
	if (grant->claimant != NULL
	    && (code->unclaimable || is_other(code->reserved_for, grant->claimant)
		|| is_other(code->claimed_by, grant->claimant)))
		return fault(
		    ctx, FAULT_CLAIMED, "the code is reserved for, or claimed by, another user");
	return true;
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

/* A refusal counts for the host it came from: another host may accept the code. */
static bool
is_refused(const struct grant *grant, const struct auth_code *code)
{
	return code->refused != FAULT_NONE
	    && (grant->host == NULL || !is_other(code->host, grant->host));
}

static bool
fault_refused_before(struct ctx *ctx, const struct auth_code *code)
{
	return fault(ctx, code->refused, "the code was refused before; amoCRM is not asked again");
}

/* Finds the code's record.  As long as it has no connection, the tokens may wait in the escrow:
 * beside no record, a refusal by another host, or pending tokens that a kill has left in both
 * places.  After the escrow the record is read again in any case: another process may just have
 * folded the tokens in. */
static bool
find_code(struct ctx *ctx, const struct config *cfg, const struct grant *grant, const char *record,
    bool *known, struct auth_code *code)
{
	const struct fold_filter filter = { .key = record, .deadline_ms = grant->deadline_ms };

	if (!auth_code_find(ctx, &cfg->store, record, known, code))
		return false;
	if (*known && (code->connection != NULL || is_refused(grant, code)))
		return true;
	return connection_fold_matching(ctx, cfg, &filter)
	    && auth_code_find(ctx, &cfg->store, record, known, code);
}

/* Under the code's lease: the process that held it before has written the code's record, or has
 * left the tokens in the escrow, or has failed. */
static bool
authorize_leased(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    struct store_lease *lease, int64_t limit_ms)
{
	const char *record = lease->name;
	const struct keyring *ring;
	struct auth_code code;
	bool known;

	if (!keyring_read(ctx, cfg->store.keys, &ring)
	    || !find_code(ctx, cfg, grant, record, &known, &code))
		return false;
	if (known && is_refused(grant, &code))
		return fault_refused_before(ctx, &code);
	if (known && !check_claimant(ctx, grant, &code))
		return false;
	if (known && code.connection != NULL)
		return claim_known(ctx, cfg, grant, ring, record, &code);
	limit_ms = remaining_ms(grant, limit_ms);
	return known && code.tokens != NULL
	    ? exchange_finish(ctx, cfg, grant, ring, record, &code, clock_ms() + limit_ms)
	    : exchange_code(ctx, cfg, grant, ring, lease, clock_ms() + limit_ms);
}

bool
authorize_known(
    struct ctx *ctx, const struct config *cfg, const char *code, enum code_knowledge *known)
{
	const char *record;
	struct auth_code found;
	bool any;

	if (!auth_code_key(ctx, code, &record)
	    || !auth_code_find(ctx, &cfg->store, record, &any, &found))
		return false;
	*known = !any || found.refused != FAULT_NONE ? CODE_NEW
	    : found.connection == NULL               ? CODE_PENDING
						     : CODE_CONNECTED;
	return true;
}

bool
authorize(struct ctx *ctx, const struct config *cfg, const struct grant *grant, int64_t limit_ms)
{
	const struct store_wait wait = { remaining_ms(grant, limit_ms + WAIT_MARGIN_MS),
		limit_ms + STORE_TERM_MARGIN_MS };
	const char *record;
	struct store_lease lease;
	sigset_t before;
	bool ok;

	if (!auth_code_key(ctx, grant->code, &record)
	    || !store_hold(ctx, &cfg->store, record, &wait, &lease))
		return false;
	log_note_secret(ctx, "code", grant->code);
	signals_block(&before);
	ok = authorize_leased(ctx, cfg, grant, &lease, limit_ms);
	signals_restore(&before);
	lease.abandoned &= !ok;
	store_let_go(ctx, &cfg->store, &lease);
	return ok;
}
