/* post.h - one event posted on to [deliver] url, as Standard Webhooks has it.
 */
#ifndef POST_H
#define POST_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

#define DELIVERY_TIMEOUT_MS 20000 /* the specification advises 15 to 30 seconds */

/* What is read of an event's line. */
struct delivery_event {
	const char *id;
	int64_t account_id; /* 0: none */
	time_t received_at;
	const char *line;
};

/* False: the line is not an event; it is passed. */
bool event_read(struct ctx *ctx, const char *line, struct delivery_event *event);

enum delivery_outcome {
	DELIVERY_ACCEPTED, /* 2xx */
	DELIVERY_FAILED,   /* anything else: ctx holds the fault, and perhaps retry_after_s */
	DELIVERY_GONE      /* 410: the receiver wants no more, ever */
};

enum delivery_outcome delivery_send(
    struct ctx *ctx, const struct config *cfg, const struct delivery_event *event);

/* Whether the configuration says where to post, and how to sign.  Fault: FAULT_CONFIG. */
bool delivery_check(struct ctx *ctx, const struct config *cfg);

#endif
