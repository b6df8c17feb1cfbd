/* connection_event.h - changes of connections, as events in the journal.
 *
 * The events have the form of amoCRM's webhooks: entity "connection", action "connected",
 * "refresh_failed", "revoked" or "disconnected".
 */
#ifndef CONNECTION_EVENT_H
#define CONNECTION_EVENT_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/record.h"

/* Appends an event.  A failure to do so is only noted in the log, as the change itself has been
 * made.  In a section of a database the change fails with it, since both are one transaction: this
 * is false then.  A fault that ctx holds already is kept.  reason NULL: null in the event.
 *
 * Called in the section of the change also with files, so that the events of one section come in
 * the order of its changes: without its lock a "connected" could follow the "disconnected" of a
 * later change.  So the lock is held for one fdatasync more, beside those of the change; while a
 * writer of the journal hangs, for as long as the journal waits for it.  No deadlock is possible,
 * since the journal's lock is the last in the order of connection_internal.h. */
bool connection_event_append(struct ctx *ctx, const struct config *cfg, const char *action,
    const struct connection *connection, const char *reason);

#endif
