/* connection_repair.h - makes the records that describe connections consistent again, after damaged
 * shards were repaired (see store_repair.h).
 *
 * Accounts' indexes and app users' pointers are restored from the connections themselves.  What
 * still leads to a connection that is missing tells who must connect again, and is removed.
 * Everybody's pointer is not restored: nothing else tells everybody's connection from one that is
 * still reserved for an app user.
 */
#ifndef CONNECTION_REPAIR_H
#define CONNECTION_REPAIR_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

struct connection_repair {
	/* A connection that was added to its account's index, or whose pointer was restored. */
	void (*restored)(void *arg, const char *key);
	/* A connection that is missing, and whose index or pointer led to it. */
	void (*missing)(void *arg, const char *key);
	/* An app user whose pointer led to a missing connection; "": everybody's. */
	void (*disconnected)(void *arg, const char *app_user);
	void *arg;
};

/* Three walks over the store: connections, indexes, pointers.  Idempotent.
 * Fault: FAULT_CORRUPT with the first of what could not be read or changed, after all the rest is
 * repaired. */
bool connection_repair(
    struct ctx *ctx, const struct config *cfg, const struct connection_repair *report);

/* Whether there is no shared connection, nor tokens in the escrow that will restore it. */
bool connection_everybody_gone(struct ctx *ctx, const struct config *cfg, bool *gone);

#endif
