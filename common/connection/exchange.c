/* exchange.c - see exchange.h. */
#include "connection/exchange.h"

#include "amocrm/amocrm.h"
#include "amocrm/budget.h"
#include "base/log.h"
#include "connection/connection_internal.h"
#include "crypto/seal.h"
#include "helper/helper.h"

static bool
put_code(
    struct ctx *ctx, const struct config *cfg, const char *record, const struct auth_code *code)
{
	struct store_op op;

	return auth_code_op(ctx, record, code, &op) && store_commit(ctx, &cfg->store, &op, 1);
}

static bool
put_pending(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const char *record, const struct tokens *tokens)
{
	struct auth_code code = { .host = grant->host,
		.reserved_for = grant->reserved_for,
		.unclaimable = grant->unclaimable };
	const char *text;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	return tokens_write(ctx, tokens, &text) && seal(ctx, ring, record, text, &code.tokens)
	    && put_code(ctx, cfg, record, &code);
}

/* Keeps the fault of the refusal: that the record could not be written matters less. */
static void
put_refused(
    struct ctx *ctx, const struct config *cfg, const struct grant *grant, const char *record)
{
	struct ctx before = *ctx;
	const struct auth_code code = { .host = grant->host, .refused = before.kind };

	ctx_clear_fault(ctx);
	if (!put_code(ctx, cfg, record, &code))
		log_note(ctx, "not_recorded", ctx->reason);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, before.kind, "%s", before.reason);
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

/* Tokens of another account than the pinned one are not stored; the code is used up. */
static bool
check_account(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct identity *identity, const char *record)
{
	if (cfg->amocrm.account_id == 0 || identity->account_id == cfg->amocrm.account_id)
		return true;
	ctx_fault(ctx, FAULT_OTHER_ACCOUNT, "%s is account %lld, not [amocrm] account_id",
	    identity->host, (long long)identity->account_id);
	put_refused(ctx, cfg, grant, record);
	return false;
}

/* Stores the connection and, in the same commit, the code's record. */
static bool
save(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const struct identity *identity, const struct tokens *tokens,
    const char *record)
{
	const struct claim claim = claim_of(grant);
	struct auth_code code = { .reserved_for = grant->reserved_for,
		.claimed_by = grant->claimant,
		.unclaimable = grant->unclaimable };
	struct store_op op;
	struct authorization authorization = { .code_op = &op };

	return check_account(ctx, cfg, grant, identity, record)
	    && record_key(ctx, identity->account_id, identity->user_id, &code.connection)
	    && auth_code_id(ctx, record, &authorization.id) && auth_code_op(ctx, record, &code, &op)
	    && connection_save(ctx, cfg, ring, identity, tokens, &claim, &authorization);
}

/* A code is single-use, so what could fail on our side is tried first: the store, the key ring, the
 * helpers. */
static bool
request_tokens(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const char *record, int64_t deadline_ms, struct tokens *tokens)
{
	if (!budget_admit(ctx, cfg, grant->host, grant->share))
		return false;
	helper_start(ctx, HELPER_HTTPS);
	helper_start(ctx, HELPER_CRYPTO);
	if (!store_ready(ctx, &cfg->store))
		return false;
	if (amocrm_exchange(ctx, cfg, grant->host, grant->code, grant->share, deadline_ms, tokens))
		return true;
	if (ctx->kind == FAULT_REFUSED)
		put_refused(ctx, cfg, grant, record);
	return false;
}

bool
exchange_code(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const char *record, int64_t deadline_ms)
{
	struct tokens tokens;
	struct identity identity;

	if (grant->host == NULL)
		return fault(ctx, FAULT_REFUSED, "the record of the code has just expired");
	if (!request_tokens(ctx, cfg, grant, record, deadline_ms, &tokens))
		return false;
	if (!amocrm_identity_from_token(ctx, grant->host, &tokens, &identity)
	    && (!put_pending(ctx, cfg, grant, ring, record, &tokens)
		|| !amocrm_identity_from_api(
		    ctx, cfg, grant->host, &tokens, grant->share, deadline_ms, &identity)))
		return false;
	return save(ctx, cfg, grant, ring, &identity, &tokens, record);
}

bool
exchange_finish(struct ctx *ctx, const struct config *cfg, const struct grant *presented,
    const struct keyring *ring, const char *record, const struct auth_code *code,
    int64_t deadline_ms)
{
	const struct grant grant = { .host = code->host,
		.reserved_for = code->reserved_for,
		.unclaimable = code->unclaimable,
		.claimant = presented->claimant,
		.share = presented->share };
	const char *text;
	struct tokens tokens;
	struct identity identity;

	return budget_admit(ctx, cfg, grant.host, grant.share) && store_ready(ctx, &cfg->store)
	    && unseal(ctx, ring, record, code->tokens, &text) && tokens_read(ctx, text, &tokens)
	    && (amocrm_identity_from_token(ctx, grant.host, &tokens, &identity)
		|| amocrm_identity_from_api(
		    ctx, cfg, grant.host, &tokens, grant.share, deadline_ms, &identity))
	    && save(ctx, cfg, &grant, ring, &identity, &tokens, record);
}
