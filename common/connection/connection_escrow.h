/* connection_escrow.h - tokens that could not be stored where they belong wait in the store's
 * escrow, sealed, until the next program that needs them folds them in.
 *
 *   {"refresh":"connection:1:2","account_id":1,"host":…,"connected_at":…,"replaces":…,…}
 *   {"code":"code:<sha256>","account_id":1,"host":…,"reserved_for":…,"claimant":…,…}
 *   <the two tokens, sealed, with the line above as their context>
 *
 * The first line, of one of the two kinds, holds what is needed to complete the change: which pair
 * the tokens replace, or whose they become.  Folding is idempotent, and never replaces a newer pair
 * or a newer authorization, be it of another connection of the same app user.  Refreshed tokens
 * restore a connection that is lost, as its account still lists it; they do not revive one that was
 * erased, nor undo a revocation.  Those of an authorization would, so they are folded before a
 * connection is erased or revoked.
 */
#ifndef CONNECTION_ESCROW_H
#define CONNECTION_ESCROW_H

#include "base/lock.h"
#include "connection/authorize.h"
#include "connection/connection_internal.h"

/* Tokens on their way into a reserved slot: refreshed ones, or those of an authorization. */
struct authorized;
struct escrow_entry {
	const struct config *cfg;
	const struct keyring *ring;
	const struct lock *slot;
	const struct refreshed *refreshed;   /* or NULL */
	const struct authorized *authorized; /* or NULL */
	const char *text;                    /* as written last; NULL: that has not succeeded yet */
};

/* Writes the tokens into the slot, so that a kill does not lose them; again after an error.  Until
 * then they are in memory alone, so this is done at once, and with the ring as it was read before.
 * A failure is only noted in the log, since connection_escrow_leave tries again. */
void connection_escrow_note(struct ctx *ctx, struct escrow_entry *entry);

/* After a step that failed: leaves the tokens in the slot, durably, and sealed with the first key
 * of the ring as the file is now.  Clears the fault, whose reason the caller gets.  False: the
 * tokens are lost. */
bool connection_escrow_leave(
    struct ctx *ctx, struct escrow_entry *entry, char reason[CTX_REASON_MAX]);

/* A text, taken apart. */
struct kept {
	const char *clear;
	const char *sealed;
	const char *key;  /* of the connection that was refreshed; or NULL */
	const char *code; /* the key of the code's record; or NULL */
	const char *host;
	struct connection before; /* of a refresh: which pair is replaced */
	struct grant grant;       /* of a code */
	int64_t account_id;       /* 0: not known */
	time_t at;                /* when amoCRM issued the tokens */
};

/* Fault: FAULT_CORRUPT. */
bool kept_read(struct ctx *ctx, const char *text, struct kept *kept);
bool kept_tokens(
    struct ctx *ctx, const struct keyring *ring, const struct kept *kept, struct tokens *tokens);

/* Which texts are folded: those that match one of these. */
struct fold_filter {
	const char *key;      /* of a connection, or of a code's record */
	const char *app_user; /* who may get it; "": everybody */
	int64_t account_id;   /* texts whose account is not known match all */
	bool all;
	bool disconnecting;  /* their texts that cannot be decrypted are dropped */
	int64_t deadline_ms; /* of the request, by clock_ms; 0: none */
	bool all_readable; /* a slot that cannot be read is a fault: it may hold a matching text */
};

/* As connection_fold. */
bool connection_fold_matching(
    struct ctx *ctx, const struct config *cfg, const struct fold_filter *filter);

/* After amoCRM has refused a token or code, perhaps because it was used before: whether the tokens
 * that it was used for may be in the escrow but cannot be stored now.  Then the fault in ctx says
 * that instead of the refusal; else it stays as it is.  key: as in fold_filter. */
bool connection_escrow_may_hold(struct ctx *ctx, const struct config *cfg, const char *key);

/* Folds what can be folded at once, without waiting for other processes or asking amoCRM, and notes
 * in the log what cannot.  Whether there was any. */
bool connection_fold_nowait(
    struct ctx *ctx, const struct config *cfg, const struct fold_filter *filter);

/* escrow_reserve; if that fails, folds what can be folded at once, which frees slots, and tries
 * again.  Fault: as escrow_reserve. */
bool connection_escrow_reserve(
    struct ctx *ctx, const struct config *cfg, int slots, struct lock *slot);

#endif
