/* delivery_queue_postgresql_prune.c - the deliverers remove old events. */
#include "events/delivery_queue_postgresql.h"

#include "base/clock.h"
#include "events/queue_message.h"
#include "helper/postgresql.h"
#include "text/json.h"

#define PRUNE_INTERVAL_MS 60000
#define PRUNE_BATCHES_MAX 10 /* of a round */

struct prune {
	const struct delivery_queue *queue;
	int64_t pruned;
};

static bool
send_prune(struct ctx *ctx, void *arg)
{
	struct prune *prune = arg;
	const struct queue_prune delivered = {
		.keep_s = prune->queue->cfg->webhook.keep_days * (int64_t)86400,
	};
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, &prune->queue->cfg->store, "prune_events", &sb);
	queue_prune_encode(&sb, &delivered);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && queue_pruned_decode(reply, &prune->pruned));
}

bool
delivery_queue_postgresql_prune(struct ctx *ctx, struct delivery_queue *queue)
{
	struct prune prune = { .queue = queue };

	if (clock_ms() < queue->prune_ms)
		return true;
	for (int left = PRUNE_BATCHES_MAX; left > 0; left--) {
		bool ok = postgresql_retry(ctx, send_prune, &prune);

		if (!ok && ctx->kind != FAULT_UNAVAILABLE)
			return false;
		if (!ok)
			ctx_clear_fault(ctx);
		if (!ok || prune.pruned < QUEUE_PRUNE_MAX) {
			queue->prune_ms = clock_ms() + PRUNE_INTERVAL_MS;
			return true;
		}
	}
	return true;
}
