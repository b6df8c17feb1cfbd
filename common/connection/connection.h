/* connection.h - connections of amoCRM accounts: found, listed, revoked, erased, restored.
 *
 * Three kinds of records of the store (see store.h) describe them:
 *
 *   connection:<account id>:<amoCRM user id>   the tokens, and whose they are (see record.h)
 *   account:<account id>                       which users of the account have a connection
 *   app:<app user>                             pointer: the key of that app user's connection;
 *                                              "app:" is everybody's, where connections are shared
 *
 * A pointer to a missing record counts as absent, so a crash between two changes leaves nothing
 * that misleads.  A connection without a pointer is stored and refreshed, and is nobody's until it
 * is claimed.
 *
 * Connections are made by authorize.h and refreshed by refresh.h.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"
#include "store/store.h"

#define REFRESH_TOKEN_LIFE_S (92 * 86400) /* amoCRM: three months from each refresh */

/* Finds a connection by its record's key; *found is false if there is none.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT. */
bool connection_find(struct ctx *ctx, const struct config *cfg, const char *key, bool *found,
    struct connection *connection);

/* The key of the app user's connection, whose record need not be readable; where connections are
 * shared, everybody's.  NULL: there is none. */
bool connection_key_by_user(
    struct ctx *ctx, const struct config *cfg, const char *app_user, const char **key);

/* Finds the app user's connection; where connections are shared, everybody's, whatever app_user is.
 * A corrupt one counts as absent: a new authorization replaces it.  While another authorization
 * replaces it, this finds the old or the new one.  Must not be called in the section of the user's
 * pointer. */
bool connection_find_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user,
    bool *found, struct connection *connection);

/* Whether the account has an active connection.  One that cannot be read is a fault only if no
 * other is active.  Must not be called in the account's section. */
bool connection_account_active(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, bool *active);

/* Visits every connection, in no order.  A visitor that returns false ends the iteration, which
 * then returns false too.  The arena is rewound after each visit.
 * Fault: FAULT_CORRUPT with the keys of corrupt records, after all others have been visited. */
typedef bool connection_visit(struct ctx *ctx, void *arg, const struct connection *connection);
bool connection_each(struct ctx *ctx, const struct config *cfg, connection_visit *visit, void *arg);

/* As connection_each, for the connections of one account.  If the index lists one that is missing,
 * as while a newer authorization replaces it, all are visited again in the account's section; so
 * the visitor accepts repetitions and enters no section. */
bool connection_each_in_account(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    connection_visit *visit, void *arg);

/* Whether a connection works, or a refresh can make it work. */
bool connection_usable(const struct connection *connection);

/* "active", "revoked", or "expired": its refresh token has outlived REFRESH_TOKEN_LIFE_S. */
const char *connection_state_name(const struct connection *connection);

/* What status tells the app: {"connected":…,"hasTokens":…,"domain":…,"accountId":…,
 * "authorizeUrl":…}.  connection NULL: the user has none, and domain is the pinned account or null.
 * authorize_url NULL: that member is left out. */
bool connection_status_json(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, const char *authorize_url, const char **json);

/* Erases the app user's connection; where connections are shared, everybody's.  Idempotent.  A
 * connection that another user has claimed in the meantime is kept. */
bool connection_erase_by_user(struct ctx *ctx, const struct config *cfg, const char *app_user);

/* Erases one connection with its pointer.  Idempotent. */
bool connection_erase(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

/* Revokes every connection of the account: the records stay, with their tokens, but are not used
 * before a new authorization.  Idempotent.
 * Fault: FAULT_CORRUPT with the keys of corrupt records, after all others have been revoked;
 * FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool connection_revoke_account(struct ctx *ctx, const struct config *cfg, int64_t account_id);

/* Whether the account's index lists the connection: amoCRM's disconnect hook does not revoke a
 * connection that is missing there.  True also if the connection does not exist. */
bool connection_indexed(struct ctx *ctx, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *indexed);

/* Folds in tokens that wait in the escrow (see connection_escrow.h): those of the connection, or of
 * the code, whose record has that key; NULL: all.  True if there are none.  Costs a few system
 * calls then.
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE and others for tokens that still cannot be stored, after
 * all others have been folded in. */
bool connection_fold(struct ctx *ctx, const struct config *cfg, const char *key);

/* How many tokens wait in the escrow, and whose the first are: the connection's key, or, if it is
 * not known, the account's host.  first is set unless *count is 0.  Fault: FAULT_STORAGE. */
bool connection_waiting(
    struct ctx *ctx, const struct config *cfg, size_t *count, char first[STORE_KEY_MAX + 1]);

/* Whether refreshed tokens of the connection with that key wait in the escrow.
 * Fault: FAULT_STORAGE. */
bool connection_waits(struct ctx *ctx, const struct config *cfg, const char *key, bool *waits);

/* Adds an existing connection to the account's index. */
bool connection_index_add(
    struct ctx *ctx, const struct config *cfg, int64_t account_id, int64_t amocrm_user_id);

/* Seals the connection's tokens with the ring's first key; *resealed is false if they are sealed
 * with that key already, or if there is no such connection. */
bool connection_reseal(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, bool *resealed);

/* Restores an exported record, unless the store has one with tokens as new.  tokens NULL: the value
 * holds them, sealed with a key of the ring.  *stored tells whether it was written.
 * Fault: FAULT_STORAGE if the value is not a record of that key, or does not open. */
bool connection_restore(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const char *value, const struct tokens *tokens, bool *stored);

/* Restores an exported pointer, the record "app:<app user>", which holds key, unless the user has
 * one already; a corrupt one is replaced.  Waits for a claim of that user that is under way.
 * *stored tells whether it was written.  Fault: FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool connection_restore_user(
    struct ctx *ctx, const struct config *cfg, const char *pointer, const char *key, bool *stored);

#endif
