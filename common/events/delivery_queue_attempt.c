/* delivery_queue_attempt.c - one attempt to deliver an event, and what follows from its outcome. */
#include "events/delivery_queue_state.h"

#include "events/delivery.h"
#include "events/retry.h"

#include <string.h>

/* Takes the fault: ctx is ready for the next event. */
static void
report_failure(struct ctx *ctx, const struct delivery_queue *queue,
    const struct stored_event *event, int attempt, long retry_s)
{
	const struct delivery_failure failure = { event, attempt, ctx->reason, retry_s };

	queue->on_failure(queue->arg, &failure);
	ctx_clear_fault(ctx);
}

static enum attempt_result
count_failure(struct ctx *ctx, const struct delivery_queue *queue, const struct stored_event *event,
    struct attempts *attempts, bool rejected, long *wait_s)
{
	*wait_s = 0;
	attempts->count++;
	attempts->rejections = rejected ? attempts->rejections + 1 : 0;
	if (attempts->count <= RETRIES && attempts->rejections < REJECTIONS)
		*wait_s = attempts->rejections == 0
		    ? retry_wait_s(attempts->count, ctx->retry_after_s)
		    : retry_rejected_wait_s(attempts->rejections);
	if (!ctx_strndup(ctx, ctx->reason, strlen(ctx->reason), &attempts->reason))
		attempts->reason = "";
	report_failure(ctx, queue, event, attempts->count, *wait_s);
	return *wait_s > 0 ? ATTEMPT_PUT_OFF : ATTEMPT_GIVEN_UP;
}

enum attempt_result
queue_attempt(struct ctx *ctx, struct delivery_queue *queue, const struct stored_event *event,
    struct attempts *attempts, long *wait_s)
{
	enum delivery_outcome outcome = delivery_send(ctx, queue->cfg, event);

	*wait_s = 0;
	if (outcome == DELIVERY_ACCEPTED) {
		queue->totals.delivered++;
		return ATTEMPT_DELIVERED;
	}
	queue->totals.gone = outcome == DELIVERY_GONE;
	if (queue->totals.gone || ctx->kind == FAULT_CONFIG || ctx->kind == FAULT_SERVER)
		return ATTEMPT_STOPPED;
	return count_failure(ctx, queue, event, attempts, outcome == DELIVERY_REJECTED, wait_s);
}

enum attempt_result
queue_attempt_failed(struct ctx *ctx, const struct delivery_queue *queue,
    const struct stored_event *event, struct attempts *attempts, long *wait_s)
{
	return count_failure(ctx, queue, event, attempts, false, wait_s);
}
