/* delivery_queue_files_replay.c - reading events again that the queue may have delivered. */
#include "events/delivery_queue_files.h"

struct replay {
	time_t since;
	time_t until;
	delivery_visit *visit;
	void *arg;
	struct dedup dedup;
};

static bool
in_range(const struct replay *replay, const struct stored_event *event)
{
	return event->received_at >= replay->since && event->received_at <= replay->until;
}

static bool
replay_line(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct replay *replay = arg;
	struct stored_event event;

	if (!event_read(ctx, line, &event))
		return ctx->kind == FAULT_NONE;
	return !in_range(replay, &event)
	    || dedup_seen(&replay->dedup, event.id, event.received_at, next)
	    || replay->visit(ctx, replay->arg, &event);
}

bool
delivery_queue_files_replay(struct ctx *ctx, const struct store_config *store, time_t since,
    time_t until, delivery_visit *visit, void *arg)
{
	struct replay replay = { .since = since, .until = until, .visit = visit, .arg = arg };
	struct journal journal = journal_of(store);
	struct journal_position position;
	int64_t torn = 0;
	bool ok;

	ok = journal_seek(ctx, &journal, since, &position)
	    && journal_each(ctx, &journal, &position, replay_line, &replay, &torn);
	dedup_close(&replay.dedup);
	return ok;
}
