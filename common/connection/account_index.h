/* account_index.h - which amoCRM users of an account have a connection.
 *
 * The store's record "account:<account id>" lists them: "1 2 3".  Whoever has a connection is on it
 * at every moment: put there before the connection is stored, and taken off when it is gone.
 */
#ifndef ACCOUNT_INDEX_H
#define ACCOUNT_INDEX_H

#include "base/ctx.h"
#include "base/lock.h"
#include "config/config.h"
#include "store/store.h"

#include <stdint.h>

/* Changes of several records of one account must not interleave: held across them, for
 * milliseconds.  A list that is corrupt is made anew, of what the store holds.
 * Fault: FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool account_index_lock(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, struct lock *lock);

/* The list, or NULL when nobody is on it; account_index_next steps through it. */
bool account_index_users(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, const char **list);
bool account_index_next(const char **list, int64_t *amocrm_user_id);

bool account_index_contains(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, bool *listed);

/* Puts a user on the list, or takes one off it. */
bool account_index_add(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id);
bool account_index_remove(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id);

/* The same as one of several changes of the store (store_commit): edit is what it does, and
 * must live as long as the change. */
struct account_index_edit {
	int64_t amocrm_user_id;
	enum { ACCOUNT_ADD, ACCOUNT_REMOVE, ACCOUNT_LEAVE_ONLY } how;
	const char *before; /* out: the list as it was, or NULL */
};
bool account_index_op(
    struct ctx *ctx, int64_t account_id, struct account_index_edit *edit, struct store_op *change);

#endif
