/* post.h - one event posted on to [deliver] url, as Standard Webhooks has it.
 */
#ifndef POST_H
#define POST_H

#include "base/ctx.h"
#include "config/config.h"
#include "events/event.h"

#define DELIVERY_TIMEOUT_MS 20000 /* the specification advises 15 to 30 seconds */

enum delivery_outcome {
	DELIVERY_ACCEPTED, /* 2xx */
	DELIVERY_FAILED,   /* anything else: ctx holds the fault, and perhaps retry_after_s */
	DELIVERY_GONE      /* 410: the receiver wants no more, ever */
};

enum delivery_outcome delivery_send(
    struct ctx *ctx, const struct config *cfg, const struct stored_event *event);

/* Whether the configuration says where to post, and how to sign.  Fault: FAULT_CONFIG. */
bool delivery_check(struct ctx *ctx, const struct config *cfg);

#endif
