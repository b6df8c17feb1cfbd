/* post.h - one event posted on to [deliver] url, as Standard Webhooks has it.
 */
#ifndef POST_H
#define POST_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

#define POST_TIMEOUT_MS 20000 /* the specification advises 15 to 30 seconds */

/* What is read of an event's line. */
struct posted {
	const char *id;
	int64_t account_id; /* 0: none */
	time_t received_at;
	const char *line;
};

/* False: the line is not an event; it is passed. */
bool post_read(struct ctx *ctx, const char *line, struct posted *event);

enum post_outcome {
	POST_TAKEN,  /* 2xx */
	POST_FAILED, /* anything else: ctx holds the fault, and perhaps retry_after_s */
	POST_GONE    /* 410: the receiver wants no more, ever */
};

enum post_outcome post_event(struct ctx *ctx, const struct config *cfg, const struct posted *event);

/* Whether the configuration says where to post, and how to sign.  Fault: FAULT_CONFIG. */
bool post_check(struct ctx *ctx, const struct config *cfg);

#endif
