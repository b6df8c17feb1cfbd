/* account.h - which amoCRM users of an account have a connection.
 *
 * The store's record "account:<account id>" lists them: "1 2 3".
 */
#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "config.h"
#include "lock.h"
#include "work.h"

#include <stdint.h>

/* Changes of several records of one account must not interleave: held across them, for
 * milliseconds.  Fault: FAULT_UNAVAILABLE, FAULT_STORAGE. */
bool account_lock(
    struct work *w, const struct store_config *store, int64_t account_id, struct lock *lock);

/* The list, or NULL when nobody is on it; account_next steps through it. */
bool account_users(
    struct work *w, const struct store_config *store, int64_t account_id, const char **list);
bool account_next(const char **list, int64_t *amocrm_user_id);

/* Puts a user on the list, or takes one off it. */
bool account_add(
    struct work *w, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id);
bool account_remove(
    struct work *w, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id);

/* Leaves one user on the list; *before is the list as it was, or NULL. */
bool account_leave_only(struct work *w, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, const char **before);

#endif
