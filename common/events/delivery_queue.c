/* delivery_queue.c - the queue of the configured engine; see delivery_queue.h. */
#include "events/delivery_queue_files.h"
#include "events/delivery_queue_postgresql.h"

static bool
in_files(const struct delivery_queue *queue)
{
	return queue->cfg->store.engine == ENGINE_FILES;
}

bool
delivery_queue_open(struct ctx *ctx, const struct config *cfg, delivery_on_failure *on_failure,
    void *arg, struct delivery_queue **queue)
{
	if (!ctx_alloc(ctx, sizeof **queue, queue))
		return false;
	(*queue)->cfg = cfg;
	(*queue)->on_failure = on_failure;
	(*queue)->arg = arg;
	return in_files(*queue) ? delivery_queue_files_open(ctx, *queue)
				: delivery_queue_postgresql_open(ctx, *queue);
}

void
delivery_queue_close(struct delivery_queue *queue)
{
	if (in_files(queue))
		delivery_queue_files_close(queue);
}

bool
delivery_queue_run(struct ctx *ctx, struct delivery_queue *queue, struct delivery_totals *totals)
{
	size_t mark = arena_mark(ctx);
	bool ok = in_files(queue) ? delivery_queue_files_run(ctx, queue)
				  : delivery_queue_postgresql_run(ctx, queue);

	arena_rewind(ctx, mark);
	*totals = queue->totals;
	return ok;
}

enum cursor_damage
delivery_queue_take_damage(struct delivery_queue *queue)
{
	enum cursor_damage damage = queue->damage;

	queue->damage = CURSOR_WHOLE;
	return damage;
}

bool
delivery_queue_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status)
{
	*status = (struct delivery_status){ .events = 0 };
	return cfg->store.engine == ENGINE_FILES
	    ? delivery_queue_files_status(ctx, cfg, since, status)
	    : delivery_queue_postgresql_status(ctx, cfg, since, status);
}
