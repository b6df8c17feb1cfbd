/* exchange.c - see exchange.h. */
#include "connection/exchange.h"

#include "amocrm/amocrm.h"
#include "amocrm/budget.h"
#include "base/log.h"
#include "connection/authorized.h"
#include "connection/save_retry.h"
#include "crypto/seal.h"
#include "helper/helper.h"
#include "store/escrow.h"

#include <string.h>

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

/* After a holder that was killed, or could not store its tokens, these may wait in the escrow of
 * another host: the connection comes with them, so a refusal of the code is not its end. */
static void
keep_refusal(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct store_lease *lease)
{
	char reason[CTX_REASON_MAX];

	if (!lease->abandoned) {
		auth_code_refuse(ctx, &cfg->store, lease->name, grant->host);
		return;
	}
	memcpy(reason, ctx->reason, sizeof reason);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, FAULT_UNAVAILABLE,
	    "its new tokens may wait in the escrow of another host: %.170s", reason);
}

/* A code is single-use, so what could fail on our side is tried first: the store, the key ring, the
 * helpers.  *slot is reserved if this returns true. */
static bool
request_tokens(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct store_lease *lease, int64_t deadline_ms, struct lock *slot, struct tokens *tokens,
    struct budget_turn *turn)
{
	if (!budget_admit(ctx, cfg, grant->host, grant->share))
		return false;
	helper_start(ctx, HELPER_HTTPS);
	helper_start(ctx, HELPER_CRYPTO);
	if (!authorized_rehearse(ctx, cfg, lease->name, grant, slot))
		return false;
	if (amocrm_exchange(
		ctx, cfg, grant->host, grant->code, grant->share, deadline_ms, tokens, turn))
		return true;
	escrow_release(slot);
	if (ctx->kind == FAULT_REFUSED && !connection_escrow_may_hold(ctx, cfg, lease->name))
		keep_refusal(ctx, cfg, grant, lease);
	return false;
}

struct pending {
	const struct config *cfg;
	const struct keyring *ring;
	const struct authorized *authorized;
};

static bool
save_pending(struct ctx *ctx, void *arg)
{
	const struct pending *pending = arg;
	const struct authorized *authorized = pending->authorized;

	return put_pending(ctx, pending->cfg, authorized->grant, pending->ring, authorized->record,
	    authorized->tokens);
}

/* Puts the tokens into the escrow, unless they are known to be of another account. */
static bool
note_tokens(struct ctx *ctx, struct escrow_entry *entry, struct authorized *authorized,
    struct identity *identity)
{
	if (amocrm_identity_from_token(ctx, authorized->grant->host, authorized->tokens, identity))
		authorized->identity = identity;
	if (authorized->identity != NULL && !authorized_check_account(ctx, entry->cfg, authorized))
		return false;
	connection_escrow_note(ctx, entry);
	return true;
}

/* The tokens are in the escrow until they are in the store, with the code's record or as a
 * connection. */
static bool
keep_tokens(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    struct authorized *authorized, const struct lock *slot, const struct budget_turn *turn,
    int64_t deadline_ms, bool *waits)
{
	struct pending pending = { cfg, ring, authorized };
	const struct grant *grant = authorized->grant;
	struct escrow_entry entry = {
		.cfg = cfg, .ring = ring, .slot = slot, .authorized = authorized
	};
	struct identity identity;
	bool noted = note_tokens(ctx, &entry, authorized, &identity);

	budget_end(ctx, cfg, turn);
	if (!noted)
		return false;
	if (authorized->identity == NULL) {
		if (!save_retry(ctx, save_pending, &pending))
			return authorized_leave(ctx, &entry, waits);
		escrow_erase(slot);
		if (!amocrm_identity_from_api(ctx, cfg, grant->host, authorized->tokens,
			grant->share, deadline_ms, &identity))
			return false;
		authorized->identity = &identity;
		return authorized_save(ctx, cfg, ring, authorized);
	}
	if (!authorized_save(ctx, cfg, ring, authorized))
		return authorized_leave(ctx, &entry, waits);
	escrow_erase(slot);
	return true;
}

bool
exchange_code(struct ctx *ctx, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, struct store_lease *lease, int64_t deadline_ms)
{
	struct tokens tokens;
	struct authorized authorized = { .record = lease->name, .grant = grant, .tokens = &tokens };
	struct budget_turn turn;
	struct lock slot;
	bool ok;

	if (grant->host == NULL)
		return fault(ctx, FAULT_REFUSED, "the record of the code has just expired");
	if (!request_tokens(ctx, cfg, grant, lease, deadline_ms, &slot, &tokens, &turn))
		return false;
	authorized.at = time(NULL);
	ok = keep_tokens(ctx, cfg, ring, &authorized, &slot, &turn, deadline_ms, &lease->abandoned);
	escrow_release(&slot);
	return ok;
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
	const struct authorized authorized = { record, &grant, &identity, &tokens, time(NULL),
		false };

	return budget_admit(ctx, cfg, grant.host, grant.share) && store_ready(ctx, &cfg->store)
	    && unseal(ctx, ring, record, code->tokens, &text) && tokens_read(ctx, text, &tokens)
	    && (amocrm_identity_from_token(ctx, grant.host, &tokens, &identity)
		|| amocrm_identity_from_api(
		    ctx, cfg, grant.host, &tokens, grant.share, deadline_ms, &identity))
	    && authorized_save(ctx, cfg, ring, &authorized);
}
