/* event.h - a webhook as it is stored: one line of JSON.
 *
 *   {"id":"<SHA-256 of the request's body, hex>","received_at":"2026-11-22T04:19:00.123Z",
 *    "account_id":31920194,"subdomain":"reforyou","events":["leads.status"],
 *    "request_id":"<amoCRM's>","payload":{…}}
 *
 * amoCRM sends a webhook again if it gets no reply in time, so an id may occur more than once.
 */
#ifndef EVENT_H
#define EVENT_H

#include "base/ctx.h"

#include <stdint.h>
#include <time.h>

#define EVENT_NAMES_MAX 100 /* in "events" of one line; amoCRM knows about 50 */

struct event {
	struct timespec received_at;
	const char *body; /* of the request, unchanged */
	size_t body_len;
	const char *payload;    /* the content of the body as one line of JSON (json_compact.h) */
	const char *request_id; /* NULL: none was sent */
};

/* The id in the payload's "account" member, which may be a number or a string; 0: none. */
int64_t event_account(const struct event *event);

/* Writes the line.  Its "events" are "<entity>.<action>", each name once, for every action of every
 * member of the payload except "account"; those after EVENT_NAMES_MAX are left out.
 * Fault: FAULT_SERVER if the arena is full. */
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
