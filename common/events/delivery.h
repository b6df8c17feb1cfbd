/* delivery.h - one event is posted to the receiver, [deliver] url, and signed as Standard Webhooks
 * has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
#ifndef DELIVERY_H
#define DELIVERY_H

#include "base/ctx.h"
#include "config/config.h"
#include "events/event.h"

#define DELIVERY_TIMEOUT_MS 20000 /* the specification advises 15 to 30 seconds */

enum delivery_outcome {
	DELIVERY_ACCEPTED, /* 2xx */
	DELIVERY_FAILED,   /* no answer, or one that may change: 408, 425, 429, 5xx */
	DELIVERY_REJECTED, /* a redirect, or any other 4xx: the receiver does not want this event */
	DELIVERY_GONE      /* 410: the receiver wants no more events */
};

/* One attempt, without a retry.  The body is the event's line, webhook-id is its id.  Unless the
 * event was accepted, ctx holds the fault, and the reply's Retry-After in retry_after_s.
 * FAULT_CONFIG and FAULT_SERVER: the cause is on our side, so another event would fail as well;
 * any other fault: the receiver's, or the network's. */
enum delivery_outcome delivery_send(
    struct ctx *ctx, const struct config *cfg, const struct stored_event *event);

/* Checks that [deliver] is complete: a URL without a user name, https unless allow_private, and
 * secrets that can sign.  Fault: FAULT_CONFIG. */
bool delivery_check(struct ctx *ctx, const struct config *cfg);

#endif
