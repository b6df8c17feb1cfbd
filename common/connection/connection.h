/* connection.h - what a connected account is.
 *
 * The records of the store (see store.h):
 *
 *   connection:<account id>:<amoCRM user id>   the tokens and whose they are (see record.h)
 *   account:<account id>                       who in it has one (see account_index.h)
 *   app:<app user>                             which connection is theirs; "app:" is everybody's
 *
 * A pointer that leads nowhere counts as absent, so it hardly matters where a change is cut short.
 * A connection that nobody has claimed is stored, and belongs to nobody yet.
 *
 * Locks, in the order they are taken in; whoever has one waits for none above it, and never has two
 * of a kind, so nobody waits in a circle:
 *
 *   code:<sha256>, refresh:<record>   one exchange of a code, one refresh of a connection
 *   app:<app user>                    who makes a connection theirs, or ends it
 *   account:<account id>              who changes what belongs together in the account
 *   a shard's                         inside the store
 *
 * So a connection that takes another's place is stored under its own account's lock, and the other
 * is erased under that of its account when the first is free again.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"
#include "store/store.h"

#define REFRESH_TOKEN_LIFE_S (92 * 86400) /* amoCRM: three months from each renewal */

/* Whose a connection becomes: the app user's; without one (NULL) in a shared set-up everybody's,
 * and otherwise nobody's who is known. */
struct owner {
	const char *app_user;
};

/* What tells an authorization from others of the same amoCRM user. */
struct authorization {
	const char *id;               /* NULL: it is not known */
	const struct store_op *along; /* is made with it, or not at all; NULL: nothing */
};

/* Stores the tokens as the connection of that amoCRM user, active whatever it was before, and makes
 * it the owner's, as connection_adopt does.  owner NULL: that waits.  Whose it was it stays, unless
 * nobody could use it any more: then it is nobody's, so that it connects nobody before it is
 * adopted.  authorization may be NULL.  The tokens are sealed with the first key of the ring as it
 * is then (keyring_reload).
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
bool connection_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const struct owner *owner,
    const struct authorization *authorization);

/* Stores the new pair of a connection, as it was when it was read, and its host.  What else changed
 * meanwhile stays: it may have been claimed or revoked; one that was erased is not brought back,
 * and the tokens of a newer authorization are left alone.  The tokens are sealed as by
 * connection_save. */
bool connection_renewed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens);

/* Revokes a connection whose refresh token amoCRM refused, unless its tokens have changed since it
 * was read. */
bool connection_refused(struct ctx *ctx, const struct config *cfg, const char *key,
    const struct connection *connection);

/* Seals the connection's tokens with the ring's first key; *resealed is false when they were
 * already. */
bool connection_reseal(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *resealed);

/* Whether a connection is on its account's list, as every one has to be: one that is not, amoCRM's
 * hook would not revoke.  One that is not stored is none that is missing there. */
bool connection_listed(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *listed);

/* Puts one that is stored there. */
bool connection_enlist(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

/* Brings a record back from elsewhere, unless there is one whose tokens are as new.  tokens NULL:
 * the value holds them, sealed by a key of the ring.  *stored tells whether it was stored.
 * Fault: FAULT_STORAGE when it is no record of that key, or does not open. */
bool connection_restore(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *value, const struct tokens *tokens, bool *stored);

/* Makes a stored connection the owner's, in place of the one they had; in a shared set-up in place
 * of the account's others.  *found is false when there is no such connection any more, or it is of
 * a newer authorization than that: then nothing is changed, and nothing along with it. */
bool connection_adopt(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct owner *owner, const struct authorization *authorization,
    bool *found);

/* The key of the record that says which connection is the app user's; in a shared set-up
 * everybody's. */
bool user_key(struct ctx *ctx, const struct config *cfg, const char *app_user, const char **key);

/* Where such a pointer leads; NULL: nowhere, or it is corrupt. */
bool user_lookup(struct ctx *ctx, const struct config *cfg, const char *pointer, const char **key);

/* The app user's connection; in a shared set-up everybody's.  One that is corrupt is none: a new
 * authorization takes its place. */
bool connection_find_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user,
    bool *found, struct connection *connection);

/* Works, or can be made to work by a refresh. */
bool connection_usable(const struct connection *connection);

/* "active", "revoked", or "expired": its refresh token has outlived REFRESH_TOKEN_LIFE_S. */
const char *connection_state_name(const struct connection *connection);

/* What status tells the app: {"connected":…,"hasTokens":…,"domain":…,"accountId":…,
 * "authorizeUrl":…}.  connection NULL: the user has none, and domain is the pinned account or null.
 * authorize_url NULL: that member is left out. */
bool connection_status_json(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, const char *authorize_url, const char **json);

/* Erases the app user's connection; in a shared set-up everybody's.  None is erased already, and so
 * is one that has become somebody else's. */
bool connection_erase_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user);

/* Erases that connection if it is the app user's, under the lock of their pointer
 * (connection_find_by_user). */
bool connection_erase_owned(
    struct ctx *ctx, const struct config *cfg, const char *key, const char *app_user);

/* Erases one connection, and what says whose it is. */
bool connection_erase(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

/* The change of the store that erases a pointer, if it leads to that connection. */
struct store_op connection_forgetting(const char *pointer, const char *key);

/* Erases the record alone, under the lock of its account. */
bool connection_erase_record(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

/* Every connection of the account is revoked: kept, sealed as it is, but not used.
 * Fault: FAULT_CORRUPT, when all others are; FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool connection_revoke_account(struct ctx *ctx, const struct config *cfg, int64_t account_id);

/* Whether the account has a connection that is active. */
bool connection_account_known(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *known);

/* Every connection, in no order, until visit is false, which ends it and makes this false too.  The
 * visitor's arena is taken back after each.
 * Fault: FAULT_CORRUPT, with the names of records that cannot be read, when all others were
 * visited. */
typedef bool connection_visit(struct ctx *ctx, void *arg, const struct connection *connection);
bool connection_each(struct ctx *ctx, const struct config *cfg, connection_visit *visit, void *arg);

/* The same for the connections of one account. */
bool connection_each_in_account(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    connection_visit *visit, void *arg);

/* One connection by the name of its record; *found is false when there is none.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT. */
bool connection_find(struct ctx *ctx, const struct config *cfg, const char *key, bool *found,
    struct connection *connection);

/* The same for whoever will put another in its place: a corrupt one is none. */
bool connection_find_or_skip_corrupt(struct ctx *ctx, const struct config *cfg, const char *key,
    bool *found, struct connection *connection);

/* Writes one whole, under the lock of its account (see account_index.h). */
bool connection_put(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens);

#endif
