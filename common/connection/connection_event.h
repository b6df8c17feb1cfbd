/* connection_event.h - changes of connections, told to whoever reads the events.
 *
 * An event like amoCRM's own, of the entity "connection" and the action "connected",
 * "refresh_failed", "revoked" or "disconnected".
 */
#ifndef CONNECTION_EVENT_H
#define CONNECTION_EVENT_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"

/* Adds the event.  One that cannot be added is noted in the log and fails nothing: what it tells of
 * has happened.  A fault the work holds already is not changed; reason NULL: none. */
void connection_event_append(struct ctx *ctx, const struct config *cfg, const char *action,
    const struct connection *connection, const char *reason);

#endif
