/* store_postgresql.h - the store of ENGINE_POSTGRESQL: a database that several hosts share, reached
 * through amo-crm-postgresql (see helper/postgresql.h).  Each function does what store.h says of
 * the function of its name.
 */
#ifndef STORE_POSTGRESQL_H
#define STORE_POSTGRESQL_H

#include "store/store.h"

bool store_postgresql_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value);
bool store_postgresql_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count);
bool store_postgresql_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count);
bool store_postgresql_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg);
bool store_postgresql_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg);

/* lease->name is set. */
bool store_postgresql_hold(struct ctx *ctx, const struct store_config *store,
    const struct store_wait *wait, struct store_lease *lease);
void store_postgresql_let_go(
    struct ctx *ctx, const struct store_config *store, struct store_lease *lease);

#endif
