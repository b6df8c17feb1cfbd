/* account_index.h - which amoCRM users of an account have a connection.
 *
 * The store's record "account:<account id>" lists their ids: "1 2 3".  An id is added before the
 * connection is stored and removed after it has been erased, so every connection is listed, even if
 * a writer is killed.  After a power failure one may be missing (see store_commit); `amocrmctl
 * rekey` adds it.
 */
#ifndef ACCOUNT_INDEX_H
#define ACCOUNT_INDEX_H

#include "base/ctx.h"
#include "config/config.h"
#include "store/store.h"

#include <stdint.h>

/* The key of that record. */
bool account_index_key(struct ctx *ctx, int64_t account_id, const char **key);

/* The section of the account (see store_together), in which several of its records are changed.  A
 * corrupt index is rebuilt from the account's connections first.
 * Fault: as store_together. */
bool account_index_together(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    store_body *body, void *arg);

/* Rebuilds the index if it is corrupt.  Fault: FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool account_index_repair(struct ctx *ctx, const struct store_config *store, int64_t account_id);

/* The index, or NULL if it is empty.  account_index_next takes the next id from it; false: there is
 * none. */
bool account_index_users(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, const char **users);
bool account_index_next(const char **users, int64_t *amocrm_user_id);

bool account_index_contains(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, bool *listed);

/* Adds a user to the index.  Idempotent. */
bool account_index_add(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id);

/* A change of the index as one operation of store_commit; edit must live as long as the
 * operation. */
struct account_index_edit {
	int64_t amocrm_user_id;
	enum { ACCOUNT_ADD, ACCOUNT_REMOVE, ACCOUNT_KEEP_ONLY } how;
	const char *before; /* out: the index before the change, or NULL */
};
bool account_index_op(
    struct ctx *ctx, int64_t account_id, struct account_index_edit *edit, struct store_op *op);

#endif
