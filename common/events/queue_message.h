/* queue_message.h - the messages about the delivery of events between a program and
 * amo-crm-postgresql (see helper/postgresql.h), encoded and decoded here for both ends.
 *
 * Each function that decodes gives false without a fault if doc is no such message; what it gives
 * belongs to doc or to the arena.
 */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "events/delivery_queue.h"

#include <stdint.h>

struct json_object;

/* How long an account is claimed for, counted anew with each event that is settled: a delivery
 * takes 20 seconds at most. */
#define QUEUE_CLAIM_MS 30000

#define QUEUE_PRUNE_MAX 1000 /* events that one request removes */

/* "claim": takes the first account behind `after` that has events to be delivered, unless another
 * deliverer has it, or its next attempt is not due. */
struct queue_search {
	int64_t after;      /* an account; -1: from the first on */
	const char *holder; /* differs for each deliverer */
};
void queue_search_encode(struct strbuf *sb, const struct queue_search *search);
bool queue_search_decode(const struct json_object *doc, struct queue_search *search);

struct queue_claim {
	int64_t token; /* 0: there is no such account */
	int64_t account_id;
	int64_t attempts; /* that failed for its next event */
	int64_t rejections;
	int64_t blocked; /* accounts, if there is no such account */
};
void queue_claim_encode(struct strbuf *sb, const struct queue_claim *claim);
bool queue_claim_decode(const struct json_object *doc, struct queue_claim *claim);

/* "next" asks for the account's next event.  "taken", "passed", "put_off" and "bury" settle it: it
 * was delivered; is not to be delivered; again after wait_s; or becomes a dead letter.  The last
 * two members are of "put_off", with wait_s.  "release" ends the claim.  Each reply says whether
 * the claim still was this one. */
struct queue_step {
	int64_t account_id;
	int64_t token;
	int64_t seq; /* of the event */
	int64_t wait_s;
	int64_t attempts;
	int64_t rejections;
	const char *reason; /* of "bury" */
};
void queue_step_encode(struct strbuf *sb, const struct queue_step *step);
bool queue_step_decode(const struct json_object *doc, struct queue_step *step);

void queue_claimed_encode(struct strbuf *sb, bool claimed);
bool queue_claimed_decode(const struct json_object *doc, bool *claimed);

/* The reply of "next". */
struct queue_event {
	bool claimed;
	int64_t seq;      /* 0: no event waits */
	const char *line; /* NULL: it is not to be delivered, since it repeats another */
	size_t len;       /* bytes of line */
};
void queue_event_encode(struct strbuf *sb, const struct queue_event *event);
bool queue_event_decode(struct ctx *ctx, const struct json_object *doc, struct queue_event *event);

/* "prune_events": removes events that were received more than keep_s ago; the reply says how many,
 * at most QUEUE_PRUNE_MAX. */
struct queue_prune {
	int64_t keep_s;
	bool waiting; /* also those that wait: nothing is delivered any more */
};
void queue_prune_encode(struct strbuf *sb, const struct queue_prune *prune);
bool queue_prune_decode(const struct json_object *doc, struct queue_prune *prune);
void queue_pruned_encode(struct strbuf *sb, int64_t pruned);
bool queue_pruned_decode(const struct json_object *doc, int64_t *pruned);

/* "queue_state".  Of the reply, torn and damage are not sent. */
void queue_since_encode(struct strbuf *sb, time_t since);
bool queue_since_decode(const struct json_object *doc, int64_t *since);
void queue_state_encode(struct strbuf *sb, const struct delivery_status *status);
bool queue_state_decode(const struct json_object *doc, struct delivery_status *status);

#endif
