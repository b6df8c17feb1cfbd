/* notice.h - changes of connections, told to whoever reads the events.
 *
 * An event like amoCRM's own, of the entity "connection" and the action "connected",
 * "refresh_failed", "revoked" or "disconnected".
 */
#ifndef NOTICE_H
#define NOTICE_H

#include "config.h"
#include "record.h"
#include "work.h"

/* Adds the event.  One that cannot be added is noted in the log and fails nothing: what it tells of
 * has happened.  A fault the work holds already is not changed; reason NULL: none. */
void notice_add(struct work *w, const struct config *cfg, const char *action,
    const struct connection *connection, const char *reason);

#endif
