/* event.h - a webhook as it is stored: one line of JSON.
 *
 *   {"id":"<SHA-256, hex>","received_at":"2026-11-22T04:19:00.123Z",
 *    "account_id":31920194,"subdomain":"reforyou","events":["leads.status"],
 *    "request_id":"<amoCRM's>","payload":{…}}
 *
 * amoCRM sends a webhook again if it gets no reply in time, so an id may occur more than once.  The
 * id is the SHA-256 of the body, if it says when something but the account changed, so that
 * amoCRM's repeat is the same event.  Calls of the Digital Pipeline do not say that, and are never
 * repeated.  Their id is the SHA-256 of the request's id, a line feed and the body, so three calls
 * for one lead are three events.  Without a request's id the time of receipt takes its place.
 */
#ifndef EVENT_H
#define EVENT_H

#include "base/ctx.h"
#include "text/json_slice.h"

#include <stdint.h>
#include <time.h>

#define EVENT_NAMES_MAX      100 /* in "events" of one line; amoCRM knows about 50 */
#define EVENT_SUBDOMAIN_SIZE 64  /* with the NUL; a label of a host name (RFC 1035) */

/* The content of a body as one line of JSON (json_compact.h), and those members of it that are not
 * what has changed.  at is NULL for those that are absent. */
struct event_payload {
	struct json_slice all;
	struct json_slice account;
	struct json_slice account_id;
	struct json_slice subdomain;  /* account[subdomain], else that beside it; a string */
	struct json_slice connection; /* the entity of our own events (connection_event.h) */
	struct json_slice token; /* a Salesbot's request: {"token":…,"data":{…},"return_url":…} */
	struct json_slice data;
	struct json_slice return_url;
	int64_t of_account; /* account[id]; 0: none */
	bool has_entities;  /* there are objects or lists beside the account */
};

/* Reads the members, of duplicates the last.  Walks over the whole once, whatever it contains. */
struct event_payload event_payload_of(struct json_slice all);

struct event {
	struct timespec received_at;
	const char *body; /* of the request, unchanged */
	size_t body_len;
	struct event_payload payload;
	const char *request_id; /* NULL: none was sent */
	int64_t account_id;     /* 0: not known */
};

/* The account's id, which may be a number or a string: the payload's account[id], else its
 * account_id, else the account_id that all of its items share; 0: none.
 * Fault: FAULT_REQUEST if two of them differ. */
bool event_account(struct ctx *ctx, const struct event *event, int64_t *account_id);

/* The account's subdomain.  False: there is none, or a host name cannot begin with it. */
bool event_subdomain(const struct event *event, char subdomain[EVENT_SUBDOMAIN_SIZE]);

/* One change that a payload reports: items, which are one item or a list of them, of an entity. */
struct event_change {
	struct json_slice entity;
	struct json_slice action; /* at NULL: the payload names none */
	struct json_slice items;
};

/* Walks the changes of a payload.  Usually it is entity, action, list: leads[add][0][id].  Other
 * shapes have no action: a list (add[0][text]), the `event` of a Digital Pipeline widget, the
 * request of a Salesbot, whose entity is "salesbot"; and, if there is nothing else, any member. */
struct event_changes {
	const struct event_payload *payload;
	struct json_slice rest;
	struct json_slice entity;
	struct json_slice actions; /* len 0: of no entity */
	bool any;                  /* a change was found */
	bool scalar;               /* looks for any member */
};
struct event_changes event_changes_of(const struct event_payload *payload);
bool event_changes_next(struct event_changes *changes, struct event_change *change);

/* Writes the line.  Its "events" are "<entity>.<action>", or the entity alone, each name once, for
 * every change; those after EVENT_NAMES_MAX are left out.
 * Fault: FAULT_SERVER if the arena is full. */
bool event_write(struct ctx *ctx, const struct event *event, const char **line);

/* The characters between the quotes of a string, still escaped; any other value as it stands. */
struct json_slice event_unquote(struct json_slice value);

/* A positive number, or the digits of one in a string; 0: the value is no id. */
int64_t event_parse_id(struct json_slice value);

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
