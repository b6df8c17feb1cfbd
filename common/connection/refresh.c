/* refresh.c - see refresh.h. */
#include "connection/refresh.h"

#include "amocrm/amocrm.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/host_allowlist.h"
#include "connection/connection_escrow.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"
#include "store/escrow.h"
#include "store/store.h"

#include <string.h>

#define CALLS_MAX      5    /* two attempts, the new host, and two attempts there */
#define WAIT_MARGIN_MS 2000 /* beyond amoCRM's time, for the store */

bool
refresh_due(const struct connection *connection, time_t usable_until)
{
	return connection->expires_at < usable_until
	    || connection->refreshed_at > time(NULL) + CLOCK_SLACK_S;
}

/* The host is checked again: account_domains may have changed, and an imported record may have been
 * edited. */
static bool
read_active(struct ctx *ctx, const struct config *cfg, const struct keyring *ring, const char *key,
    struct connection *connection, struct tokens *tokens)
{
	char lowered[HOST_SIZE];
	bool found;

	if (!connection_find(ctx, cfg, key, &found, connection))
		return false;
	if (!found)
		return fault(ctx, FAULT_REFUSED, "%s is not connected", key);
	if (connection->state != CONNECTION_ACTIVE)
		return fault(ctx, FAULT_REFUSED, "%s is revoked; connect again", key);
	if (!host_allowed(cfg->amocrm.account_domains, connection->host, lowered))
		return fault(ctx, FAULT_CONFIG, "%s is at %s, which account_domains does not allow",
		    key, connection->host);
	return record_tokens(ctx, ring, connection, tokens);
}

/* Retries once if the reply is lost.  amoCRM may have rotated the tokens then; Kommo still accepts
 * the old refresh token in that case. */
static bool
refresh_with_retry(struct ctx *ctx, const struct config *cfg, const char *host,
    const struct tokens *old, struct tokens *fresh, struct budget_turn *turn)
{
	const char *token = old->refresh_token;

	if (amocrm_refresh(ctx, cfg, host, token, amocrm_deadline(cfg), fresh, turn))
		return true;
	if (ctx->kind != FAULT_REPLY_LOST)
		return false;
	ctx_clear_fault(ctx);
	return amocrm_refresh(ctx, cfg, host, token, amocrm_deadline(cfg), fresh, turn);
}

/* After a fault that a renamed account causes: refreshes at its new host, if it has one.  Otherwise
 * the fault stays the same. */
static bool
refresh_at_new_host(struct ctx *ctx, const struct config *cfg, struct connection *connection,
    const struct tokens *old, struct tokens *fresh, struct budget_turn *turn)
{
	struct ctx before = *ctx;
	const char *host;

	if (ctx->kind != FAULT_MOVED && ctx->kind != FAULT_CLIENT)
		return false;
	ctx_clear_fault(ctx);
	if (!amocrm_current_host(ctx, cfg, old, amocrm_deadline(cfg), &host)
	    || strcmp(host, connection->host) == 0) {
		ctx_clear_fault(ctx);
		return fault(ctx, before.kind, "%s", before.reason);
	}
	log_note(ctx, "renamed", host);
	connection->host = host;
	return refresh_with_retry(ctx, cfg, host, old, fresh, turn);
}

/* After a holder that was killed, the newest pair may wait in the escrow of another host: a refusal
 * of the old one says nothing then.  Nor does it while a pair waits here that could not be stored:
 * other hosts do not see it. */
static bool
refresh_and_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    struct store_lease *lease, const char *key, struct connection *connection,
    struct tokens *tokens)
{
	struct budget_turn turn;
	struct tokens fresh;
	struct lock slot;
	bool ok;

	if (!connection_rehearse_refreshed(ctx, cfg, key, connection, &slot))
		return false;
	if (refresh_with_retry(ctx, cfg, connection->host, tokens, &fresh, &turn)
	    || refresh_at_new_host(ctx, cfg, connection, tokens, &fresh, &turn)) {
		const struct refreshed refreshed = { key, connection, &fresh, time(NULL) };

		*tokens = fresh;
		ok =
		    connection_keep_refreshed(ctx, cfg, ring, &refreshed, &slot, &lease->abandoned);
		budget_end(ctx, cfg, &turn);
		escrow_release(&slot);
		return ok;
	}
	escrow_release(&slot);
	if (ctx->kind == FAULT_REFUSED && !lease->abandoned
	    && !connection_escrow_may_hold(ctx, cfg, key))
		connection_mark_refused(ctx, cfg, key, connection);
	else
		(void)connection_event_append(ctx, cfg, "refresh_failed", connection, ctx->reason);
	return false;
}

/* Under the connection's lease: another process may have refreshed it in the meantime, or have left
 * its new tokens in the escrow.  Those of a newer authorization, which replace the pair, may be
 * there too. */
static bool
refresh_leased(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    struct store_lease *lease, const char *key, time_t usable_until, struct tokens *tokens)
{
	struct fold_filter authorized = { .account_id = 0 };
	struct connection connection;
	int64_t user;

	ring = keyring_reload(ctx, cfg->store.keys, ring);
	if (record_key_read(key, &authorized.account_id, &user))
		(void)connection_fold_nowait(ctx, cfg, &authorized);
	if (!connection_fold(ctx, cfg, key)
	    || !read_active(ctx, cfg, ring, key, &connection, tokens))
		return false;
	if (refresh_due(&connection, usable_until))
		return refresh_and_save(ctx, cfg, ring, lease, key, &connection, tokens);
	lease->abandoned = false;
	return true;
}

int64_t
refresh_longest_ms(const struct config *cfg)
{
	return CALLS_MAX * (cfg->amocrm.timeout * INT64_C(1000)) + WAIT_MARGIN_MS;
}

bool
refresh_tokens(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, time_t usable_until, struct tokens *tokens)
{
	const int64_t longest_ms = refresh_longest_ms(cfg);
	const struct store_wait wait = { longest_ms, longest_ms + STORE_TERM_MARGIN_MS };
	struct connection connection;
	const char *name;
	struct store_lease lease;
	sigset_t before;
	bool ok;

	if (!read_active(ctx, cfg, ring, key, &connection, tokens))
		return false;
	if (!refresh_due(&connection, usable_until))
		return true;
	if (!ctx_printf(ctx, &name, "refresh:%s", key)
	    || !store_hold(ctx, &cfg->store, name, &wait, &lease))
		return false;
	signals_block(&before);
	ok = refresh_leased(ctx, cfg, ring, &lease, key, usable_until, tokens);
	signals_restore(&before);
	store_let_go(ctx, &cfg->store, &lease);
	return ok;
}

bool
refresh_usable_tokens(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, struct tokens *tokens)
{
	const struct keyring *ring;
	const char *key;

	return keyring_read(ctx, cfg->store.keys, &ring)
	    && record_key(ctx, connection->account_id, connection->amocrm_user_id, &key)
	    && refresh_tokens(ctx, cfg, ring, key, time(NULL) + REFRESH_LEFT_MIN_S, tokens);
}
