/* postgresql.h - requests to amo-crm-postgresql (see helper.h), which alone links libpq: the
 * database of [store] engine = postgresql.
 *
 *   -> {"do":…,"deadline_ms":…,"section":0,"database":…,"password_file":…,…}
 *   <- an object, or a fault (see helper_fault.h)
 *
 * "section":1 is sent in a section: the helper then refuses to work outside of its transaction.
 *
 * A database fails over to another host within seconds.  So whatever fails with FAULT_UNAVAILABLE
 * is repeated, and everything may be done twice: what was not acknowledged may be stored.
 */
#ifndef POSTGRESQL_H
#define POSTGRESQL_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "config/config.h"

#include <stdint.h>

struct json_object;

#define POSTGRESQL_LIMIT_MS 5000 /* for an operation, unless ctx->database says otherwise */

/* Starts a request in sb; the caller appends members by json_add_member and the like. */
void postgresql_request(
    struct ctx *ctx, const struct store_config *store, const char *verb, struct strbuf *sb);

/* Ends the request and sends it, once.  The caller releases the reply with json_object_put.
 * NULL with a fault: the helper's own; FAULT_UNAVAILABLE when no reply came, too. */
struct json_object *postgresql_send(struct ctx *ctx, struct strbuf *sb);

/* The same, where the reply says nothing. */
bool postgresql_tell(struct ctx *ctx, struct strbuf *sb);

/* Always false: FAULT_SERVER, for a reply that cannot be decoded. */
bool postgresql_refuse_reply(struct ctx *ctx);

/* Releases the reply of postgresql_send, and is true if there is one and it was decoded.
 * Fault: FAULT_SERVER: it could not be decoded. */
bool postgresql_finish(struct ctx *ctx, struct json_object *reply, bool decoded);

/* Runs step until it returns true, or has another fault than FAULT_UNAVAILABLE, or the time of the
 * operation is over.  Before each further attempt it waits for a moment, and takes back what step
 * left in the arena and in the notes.  In a section step runs once, since the whole section is
 * repeated.  A fault that ctx holds before is kept. */
typedef bool postgresql_step(struct ctx *ctx, void *arg);
bool postgresql_retry(struct ctx *ctx, postgresql_step *step, void *arg);

/* The same with that time for the operation, whatever the context has set. */
bool postgresql_retry_within(struct ctx *ctx, int64_t limit_ms, postgresql_step *step, void *arg);

/* Makes a name for the holder of a lease or a claim, which differs each time. */
bool postgresql_holder(struct ctx *ctx, const char **holder);

#endif
