/* delivery_queue_replay.c - reading events again that the queue may have delivered. */
#include "events/delivery_queue.h"

#include "events/dedup.h"
#include "events/event_log.h"

struct replay {
	time_t since;
	time_t until;
	delivery_visit *visit;
	void *arg;
	struct dedup dedup;
	int64_t count; /* of events in range */
};

static bool
in_range(const struct replay *replay, const struct stored_event *event)
{
	return event->received_at >= replay->since && event->received_at <= replay->until;
}

/* Each event is asked for once, so any number tells its position from others. */
static bool
is_repetition(struct replay *replay, const struct stored_event *event)
{
	const struct journal_position position = { .segment = 1, .offset = ++replay->count };

	return dedup_seen(&replay->dedup, event->id, event->received_at, &position);
}

static bool
replay_line(struct ctx *ctx, void *arg, const char *line)
{
	struct replay *replay = arg;
	struct stored_event event;

	if (!event_read(ctx, line, &event))
		return ctx->kind == FAULT_NONE;
	return !in_range(replay, &event) || is_repetition(replay, &event)
	    || replay->visit(ctx, replay->arg, &event);
}

bool
delivery_queue_replay(struct ctx *ctx, const struct store_config *store, time_t since, time_t until,
    delivery_visit *visit, void *arg)
{
	struct replay replay = { .since = since, .until = until, .visit = visit, .arg = arg };
	const struct event_log log = { .store = store };
	struct event_position position;
	int64_t torn = 0;
	bool ok;

	ok = event_log_seek(ctx, &log, since, &position)
	    && event_log_each(ctx, &log, &position, replay_line, &replay, &torn);
	dedup_close(&replay.dedup);
	return ok;
}
