/* connection_internal.h - what the modules of this folder share about connections.
 *
 * Leases, sections (see store.h) and locks are always taken in this order, and at most one of a
 * kind at a time, so writers cannot deadlock:
 *
 *   code:<sha256>, refresh:<record>   lease: one exchange of a code, one refresh of a connection
 *   a slot's of the escrow            lock: tokens that are being stored
 *   app:<app user>                    section: changes of whose a connection is
 *   account:<account id>              section: changes of records of one account
 *   a shard's                         lock, inside the store
 *   the journal's                     lock, inside it: an event is being appended
 *
 * With files a writer is never in the sections of two accounts: it stores the new connection,
 * leaves the section, and then erases the connection that was replaced, in the section of that
 * one's account.  A database keeps what a section has locked until the outermost one ends, so there
 * two such writers can deadlock; it ends one of them, whose section runs again.
 */
#ifndef CONNECTION_INTERNAL_H
#define CONNECTION_INTERNAL_H

#include "connection/connection.h"

#define CLOCK_SLACK_S 60 /* a synchronized clock is set back by less */

/* Whose the connection of an authorization becomes. */
enum claim_kind {
	/* Nobody's yet: it is reserved for an app user, or cannot be claimed. */
	CLAIM_LATER,
	/* A browser or amoCRM presents it: everybody's where connections are shared, otherwise
	 * whose it was, if anybody's. */
	CLAIM_ANONYMOUS,
	/* An app user presents it: everybody's where connections are shared, otherwise theirs. */
	CLAIM_USER,
};

struct claim {
	enum claim_kind kind;
	const char *app_user; /* of CLAIM_USER; otherwise NULL */
};

/* The authorization a connection is made of. */
struct authorization {
	const char *id; /* tells it from others of the same amoCRM user; NULL: not known */
	const struct store_op *code_op; /* its code's record, written in the same commit; or NULL */
	time_t at;                      /* when amoCRM issued its tokens; 0: now */
	bool folded;    /* from the escrow: nothing is written if there is something newer */
	bool *outdated; /* whether there was; or NULL */
	char *former;   /* STORE_KEY_MAX + 1 bytes: what a repeated save has to erase; or NULL */
};

/* Stores the tokens of an authorization as the connection of that amoCRM user, active whatever its
 * state was, and claims it as connection_claim does.  With CLAIM_LATER a usable connection keeps
 * its app user until it is claimed; one that was revoked, expired or missing becomes nobody's, so
 * that it connects nobody before it is claimed.  The tokens are sealed with the first key of the
 * ring as the file is in the sections (keyring_reload).
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
bool connection_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct claim *claim,
    const struct authorization *authorization);

/* Makes a stored connection the claimant's.  It replaces the connection that the app user had;
 * where connections are shared, all others of its account.  *found is false if the connection is
 * missing, or belongs to a newer authorization: then nothing is written, also no code_op.
 * Fault: as connection_save. */
bool connection_claim(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct claim *claim, const struct authorization *authorization,
    bool *found);

/* A token pair that amoCRM has issued for another one. */
struct refreshed {
	const char *key;                 /* of the connection's record */
	const struct connection *before; /* as read before the refresh, but with the new host */
	const struct tokens *tokens;
	time_t at;
};

/* Stores a refreshed token pair and the host of a connection.  Other changes made in the meantime
 * stay: a claim, a revocation.  Nothing is written if the connection was erased or its tokens are
 * newer; one that was lost with a damaged shard is restored.  The tokens are sealed as by
 * connection_save.  Idempotent, also after an attempt that failed with its last step. */
bool connection_save_refreshed(struct ctx *ctx, const struct config *cfg,
    const struct keyring *ring, const struct refreshed *refreshed);

/* Whether the connection has newer tokens, or is of another authorization.  Does not need the new
 * tokens of *refreshed. */
bool connection_refreshed_outdated(
    struct ctx *ctx, const struct config *cfg, const struct refreshed *refreshed, bool *outdated);

/* Before amoCRM is asked: does all that connection_save_refreshed will do but the change itself,
 * and reserves a slot of the escrow, to be released by escrow_release.
 * Fault: as store_commit. */
bool connection_rehearse_refreshed(struct ctx *ctx, const struct config *cfg, const char *key,
    const struct connection *connection, struct lock *slot);

/* After amoCRM has answered: writes the pair into the slot, saves it, again after an error, and
 * frees the slot; if it cannot be saved, the slot keeps it, and *waits is set.  True: it is on disk
 * in one of the two places.  Fault: FAULT_STORAGE: it is lost. */
bool connection_keep_refreshed(struct ctx *ctx, const struct config *cfg,
    const struct keyring *ring, const struct refreshed *refreshed, const struct lock *slot,
    bool *waits);

/* Revokes a connection whose refresh token amoCRM refused, unless its tokens have changed since the
 * connection was read. */
bool connection_mark_refused(struct ctx *ctx, const struct config *cfg, const char *key,
    const struct connection *connection);

static inline bool
connections_shared(const struct config *cfg)
{
	return cfg->app.connections == CONNECTIONS_SHARED;
}

/* The key of the app user's pointer; where connections are shared, of everybody's. */
bool user_key(struct ctx *ctx, const struct config *cfg, const char *app_user, const char **key);

/* The key that a pointer holds; NULL if there is no pointer, or it is corrupt. */
bool user_lookup(struct ctx *ctx, const struct config *cfg, const char *pointer, const char **key);

/* The operation that erases a pointer if it holds that key. */
struct store_op user_erase_op(const char *pointer, const char *key);

/* As connection_find, before the record is replaced: a corrupt one counts as absent. */
bool connection_find_or_skip_corrupt(struct ctx *ctx, const struct config *cfg, const char *key,
    bool *found, struct connection *connection);

/* Writes a whole record, in the section of its account. */
bool connection_put(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens);

/* Erases the connection if it is the app user's, in the section of their pointer. */
bool connection_erase_owned(
    struct ctx *ctx, const struct config *cfg, const char *key, const char *app_user);

/* Erases the record alone, in the section of its account. */
bool connection_erase_record(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

#endif
