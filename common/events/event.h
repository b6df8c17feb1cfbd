/* event.h - what becomes of a webhook: one line of JSON.
 *
 *   {"id":"<SHA-256 of the body as it came, hex>","received_at":"2026-11-22T04:19:00.123Z",
 *    "account_id":31920194,"subdomain":"reforyou","events":["leads.status"],
 *    "request_id":"<amoCRM's>","payload":{…}}
 *
 * amoCRM repeats what was not answered in time, so the same id may come more than once.
 */
#ifndef EVENT_H
#define EVENT_H

#include "base/ctx.h"

#include <stdint.h>
#include <time.h>

#define EVENT_NAMES_MAX 100 /* listed of one webhook; amoCRM knows some 50 */

struct event {
	struct timespec received_at;
	const char *body; /* as it came */
	size_t body_len;
	const char *payload;    /* what it says, as json_compact.h has it */
	const char *request_id; /* NULL: none was sent */
};

/* The id in the payload's account member, a number or its spelling; 0: none. */
int64_t event_account(const struct event *event);

/* The line.  Its "events" are the payload's members but for account, each with the members of its
 * own: "leads.status"; the first EVENT_NAMES_MAX, each once. */
bool event_write(struct ctx *ctx, const struct event *event, const char **line);

/* What delivery needs to know of a line of the journal. */
struct stored_event {
	const char *id;
	int64_t account_id; /* 0: none */
	time_t received_at;
	const char *line; /* the caller's, not a copy */
};

/* Reads a line back.  The line must be complete JSON (json_compact_complete).
 * False: it is not an event; with FAULT_SERVER if the arena is full. */
bool event_read(struct ctx *ctx, const char *line, struct stored_event *event);

#endif
