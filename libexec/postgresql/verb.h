/* verb.h - what amo-crm-postgresql can be asked to do, by the member "do" of a request.
 *
 * A group of verbs is a file with a table that ends with a NULL name; main.c lists the groups.
 */
#ifndef VERB_H
#define VERB_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "session.h"
#include "text/json.h"
#include "text/json_bytes.h"

struct lease;

struct server {
	struct session session;
	struct lease *leases; /* those that may be ours, see lease.c */
	bool committed;       /* a transaction, at least */
};

/* The session is connected, unless the verb connects.  Appends the reply, a JSON object, to sb. */
typedef bool verb_handler(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb);

#define VERB_CONNECTS 1u /* itself; the schema need not be one that this program knows */
#define VERB_OUTSIDE  2u /* of a section: what it changes is committed at once */

struct verb {
	const char *name;
	verb_handler *handle;
	unsigned flags;
};

extern const struct verb record_verbs[];
extern const struct verb lease_verbs[];
extern const struct verb event_verbs[];
extern const struct verb schema_verbs[];
extern const struct verb key_verbs[];
extern const struct verb probe_verbs[];
extern const struct verb host_verbs[];
extern const struct verb state_verbs[];
extern const struct verb budget_verbs[];
extern const struct verb queue_verbs[];
extern const struct verb queue_state_verbs[];

/* What is done once the input has ended.  Leases that are still held pass to the next holder as
 * abandoned; expired records and past leases are removed.  Faults are of no use to anybody any
 * more. */
void lease_abandon_all(struct ctx *ctx, struct server *server);
void record_prune(struct ctx *ctx, struct server *server);
void lease_prune(struct ctx *ctx, struct server *server);

/* Always false: a member of the request is missing, or is of another type. */
bool verb_refuse(struct ctx *ctx);

#endif
