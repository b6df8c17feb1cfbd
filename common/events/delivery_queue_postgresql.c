/* delivery_queue_postgresql.c - see delivery_queue_postgresql.h.
 *
 *   deliver -- claim -----------> database   the first account behind the last one that is due
 *   deliver -- next ------------> database   its first event
 *   deliver -- POST ------------> receiver
 *   deliver -- taken -----------> database   or passed, without a POST; put_off; bury
 *           …                                next, until none waits or BACKLOG_MAX were delivered
 *   deliver -- release ---------> database
 */
#include "events/delivery_queue_postgresql.h"

#include "base/clock.h"
#include "events/delivery.h"
#include "events/queue_message.h"
#include "helper/postgresql.h"
#include "text/json.h"
#include "text/json_compact.h"

#define ANY_ACCOUNT (-1) /* before the first */

/* A database that fails over is back by then.  An event that was delivered is delivered again if
 * that cannot be stored. */
#define WAIT_MS 60000

/* A delivery is begun only if it ends, at the latest, with its claim.  That it is not is an attempt
 * that failed, since reading the event would take as long again. */
#define DELIVERY_START_MS (QUEUE_CLAIM_MS - DELIVERY_TIMEOUT_MS)

struct claim {
	const struct delivery_queue *queue;
	struct queue_search search;
	struct queue_claim claim;
	int64_t renewed_ms; /* by clock_ms: when it was requested last */
};

struct step {
	const struct delivery_queue *queue;
	const char *verb;
	struct queue_step step;
	struct queue_event event; /* of "next" */
	bool claimed;
};

static bool
send_claim(struct ctx *ctx, void *arg)
{
	struct claim *claim = arg;
	struct json_object *reply;
	struct strbuf sb;

	claim->renewed_ms = clock_ms();
	postgresql_request(ctx, &claim->queue->cfg->store, "claim", &sb);
	queue_search_encode(&sb, &claim->search);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && queue_claim_decode(reply, &claim->claim));
}

static struct json_object *
request_step(struct ctx *ctx, const struct step *step)
{
	struct strbuf sb;

	postgresql_request(ctx, &step->queue->cfg->store, step->verb, &sb);
	queue_step_encode(&sb, &step->step);
	return postgresql_send(ctx, &sb);
}

static bool
send_step(struct ctx *ctx, void *arg)
{
	struct step *step = arg;
	struct json_object *reply = request_step(ctx, step);

	return postgresql_finish(
	    ctx, reply, reply != NULL && queue_claimed_decode(reply, &step->claimed));
}

static bool
send_next(struct ctx *ctx, void *arg)
{
	struct step *step = arg;
	struct json_object *reply = request_step(ctx, step);

	return postgresql_finish(
	    ctx, reply, reply != NULL && queue_event_decode(ctx, reply, &step->event));
}

static struct step
step_of(const struct claim *claim, const char *verb, int64_t seq)
{
	return (struct step){
		.queue = claim->queue,
		.verb = verb,
		.step = { .account_id = claim->claim.account_id,
		    .token = claim->claim.token,
		    .seq = seq },
	};
}

/* Settles the event with that number, which renews the claim.  *more: the claim still is ours. */
static bool
settle(struct ctx *ctx, struct claim *claim, struct step *step, bool *more)
{
	int64_t now_ms = clock_ms();

	if (!postgresql_retry_within(ctx, WAIT_MS, send_step, step))
		return false;
	claim->renewed_ms = now_ms;
	claim->claim.attempts = 0;
	claim->claim.rejections = 0;
	*more = step->claimed;
	return true;
}

static bool
take(struct ctx *ctx, struct claim *claim, int64_t seq, bool *more)
{
	struct step step = step_of(claim, "taken", seq);

	return settle(ctx, claim, &step, more);
}

/* A repetition, or what is no event. */
static bool
pass(struct ctx *ctx, struct claim *claim, int64_t seq, bool *more)
{
	struct step step = step_of(claim, "passed", seq);

	return settle(ctx, claim, &step, more);
}

static bool
bury(struct ctx *ctx, struct delivery_queue *queue, struct claim *claim, int64_t seq,
    const char *reason, bool *more)
{
	struct step step = step_of(claim, "bury", seq);

	step.step.reason = reason;
	if (!settle(ctx, claim, &step, more))
		return false;
	queue->totals.dead += *more;
	return true;
}

/* Ends the claim. */
static bool
put_off(struct ctx *ctx, struct claim *claim, const struct attempts *attempts, long wait_s)
{
	struct step step = step_of(claim, "put_off", 0);

	step.step.attempts = attempts->count;
	step.step.rejections = attempts->rejections;
	step.step.wait_s = wait_s;
	claim->claim.token = 0;
	return postgresql_retry_within(ctx, WAIT_MS, send_step, &step);
}

/* If that fails, the claim ends with its time. */
static void
release(struct ctx *ctx, struct claim *claim)
{
	struct step step = step_of(claim, "release", 0);
	bool faulty = ctx->kind != FAULT_NONE;

	if (!postgresql_retry(ctx, send_step, &step) && !faulty)
		ctx_clear_fault(ctx);
}

/* False without a fault: the line is not an event. */
static bool
read_event(struct ctx *ctx, const struct queue_event *found, struct stored_event *event)
{
	return json_compact_complete(found->line, found->len)
	    && event_read(ctx, found->line, event);
}

static enum attempt_result
attempt_in_time(struct ctx *ctx, struct delivery_queue *queue, const struct claim *claim,
    const struct stored_event *event, struct attempts *attempts, long *wait_s)
{
	if (clock_ms() - claim->renewed_ms <= DELIVERY_START_MS)
		return queue_attempt(ctx, queue, event, attempts, wait_s);
	ctx_fault(ctx, FAULT_UNAVAILABLE, "the database took over %d s to send the event",
	    DELIVERY_START_MS / 1000);
	return queue_attempt_failed(ctx, queue, event, attempts, wait_s);
}

/* *more: the account's next event may be delivered. */
static bool
attempt(struct ctx *ctx, struct delivery_queue *queue, struct claim *claim,
    const struct stored_event *event, int64_t seq, bool *more)
{
	struct attempts attempts = { (int)claim->claim.attempts, (int)claim->claim.rejections,
		NULL };
	long wait_s;

	switch (attempt_in_time(ctx, queue, claim, event, &attempts, &wait_s)) {
	case ATTEMPT_DELIVERED:
		return take(ctx, claim, seq, more);
	case ATTEMPT_GIVEN_UP:
		return bury(ctx, queue, claim, seq, attempts.reason, more);
	case ATTEMPT_PUT_OFF:
		return put_off(ctx, claim, &attempts, wait_s);
	default:
		return false;
	}
}

/* Delivers the account's first event.  *more: the next may be delivered. */
static bool
deliver_next(struct ctx *ctx, struct delivery_queue *queue, struct claim *claim, bool *more)
{
	struct step next = step_of(claim, "next", 0);
	struct stored_event event;

	*more = false;
	if (!postgresql_retry_within(ctx, WAIT_MS, send_next, &next))
		return false;
	if (!next.event.claimed || next.event.seq == 0)
		return true;
	if (next.event.line == NULL)
		return pass(ctx, claim, next.event.seq, more);
	if (!read_event(ctx, &next.event, &event)) {
		queue->totals.torn++;
		return ctx->kind == FAULT_NONE && pass(ctx, claim, next.event.seq, more);
	}
	return attempt(ctx, queue, claim, &event, next.event.seq, more);
}

/* Some of its events, so that other accounts have their turn. */
static bool
deliver_account(struct ctx *ctx, struct delivery_queue *queue, struct claim *claim)
{
	size_t mark = arena_mark(ctx);
	bool ok = true;
	bool more = true;

	for (int left = BACKLOG_MAX; ok && more && left > 0; left--) {
		ok = deliver_next(ctx, queue, claim, &more);
		arena_rewind(ctx, mark);
	}
	if (claim->claim.token != 0)
		release(ctx, claim);
	return ok;
}

/* Claims the next account behind `after`, round and round, until none is due.  *found: there is
 * one. */
static bool
claim_next(struct ctx *ctx, struct delivery_queue *queue, struct claim *claim, bool *found)
{
	for (;;) {
		bool from_start = queue->after == ANY_ACCOUNT;

		claim->search = (struct queue_search){ queue->after, queue->holder };
		if (!postgresql_retry_within(ctx, WAIT_MS, send_claim, claim))
			return false;
		*found = claim->claim.token != 0;
		queue->after = *found ? claim->claim.account_id : ANY_ACCOUNT;
		if (*found || from_start)
			return true;
	}
}

static bool
deliver_due(struct ctx *ctx, struct delivery_queue *queue)
{
	size_t mark = arena_mark(ctx);

	for (;;) {
		struct claim claim = { .queue = queue };
		bool found;

		if (!claim_next(ctx, queue, &claim, &found))
			return false;
		if (!found) {
			queue->totals.blocked = (size_t)claim.claim.blocked;
			return true;
		}
		if (!deliver_account(ctx, queue, &claim)
		    || !delivery_queue_postgresql_prune(ctx, queue))
			return false;
		arena_rewind(ctx, mark);
	}
}

bool
delivery_queue_postgresql_run(struct ctx *ctx, struct delivery_queue *queue)
{
	return deliver_due(ctx, queue) && delivery_queue_postgresql_prune(ctx, queue);
}

bool
delivery_queue_postgresql_open(struct ctx *ctx, struct delivery_queue *queue)
{
	queue->after = ANY_ACCOUNT;
	return postgresql_holder(ctx, &queue->holder);
}
