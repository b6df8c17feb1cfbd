/* event_message.h - the messages between a program and amo-crm-postgresql (see
 * helper/postgresql.h) about the log of events, encoded and decoded here for both ends.
 *
 * A decoder that returns false without a fault was given something else.
 */
#ifndef EVENT_MESSAGE_H
#define EVENT_MESSAGE_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>
#include <time.h>

struct json_object;

#define EVENT_ID_LEN 32 /* hex digits, the first half of an event's id */

/* "append": replies nothing. */
struct event_append {
	int64_t account_id;
	const char *id;          /* EVENT_ID_LEN hex digits */
	const char *received_at; /* RFC 3339 */
	const char *line;
	bool pending;  /* it is to be delivered */
	bool repeated; /* an earlier attempt may have appended it */
};
void event_append_encode(struct strbuf *sb, const struct event_append *append);
bool event_append_decode(
    struct ctx *ctx, const struct json_object *doc, struct event_append *append);

/* "seek": the number of an event behind which are all of that time or later, also those that are
 * not committed yet. */
void event_seek_encode(struct strbuf *sb, time_t since);
bool event_seek_decode(const struct json_object *doc, time_t *since);
void event_found_encode(struct strbuf *sb, int64_t seq);
bool event_found_decode(const struct json_object *doc, int64_t *seq);

/* "events": a page of those after a number; it is empty behind the last. */
void event_after_encode(struct strbuf *sb, int64_t seq);
bool event_after_decode(const struct json_object *doc, int64_t *seq);

/* The reply to "events". */
struct event_line {
	int64_t seq;
	bool settled; /* no number before it is missing only because its writer has not committed */
	const char *line;
};
void event_page_begin(struct strbuf *sb);
void event_page_add(struct strbuf *sb, int64_t seq, bool settled, const void *line, size_t len);
void event_page_end(struct strbuf *sb);

struct event_page {
	struct json_object *events; /* the reply's */
	size_t count;
};
bool event_page_decode(const struct json_object *doc, struct event_page *page);
bool event_page_line(
    struct ctx *ctx, const struct event_page *page, size_t index, struct event_line *line);

#endif
