/* delivery_queue_files_status.c - what delivery_queue_files.c has left to do. */
#include "events/delivery_queue_files.h"

#include "events/retry.h"

struct count {
	struct delivery_status *status;
	const struct journal_position *delivered; /* NULL: nothing is to be delivered */
};

static bool
count_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct count *count = arg;
	struct delivery_status *status = count->status;
	struct stored_event event;

	status->events++;
	if (!event_read(ctx, line, &event)) {
		status->torn++;
		return ctx->kind == FAULT_NONE;
	}
	if (event.received_at > status->newest)
		status->newest = event.received_at;
	if (count->delivered != NULL && cursor_before(count->delivered, next)
	    && status->waiting++ == 0)
		status->waiting_since = event.received_at;
	return true;
}

static bool
count_events(struct ctx *ctx, const struct store_config *store, time_t since,
    const struct journal_position *delivered, struct delivery_status *status)
{
	struct count count = { status, delivered };
	struct journal journal = journal_of(store);
	struct journal_position position;

	if (!journal_seek(ctx, &journal, since, &position))
		return false;
	if (delivered != NULL && cursor_before(delivered, &position))
		position = *delivered;
	return journal_each(ctx, &journal, &position, count_event, &count, &status->torn);
}

static bool
fit_all(struct ctx *ctx, const struct journal *journal, struct cursor *cursor)
{
	bool ok = cursor_fit(ctx, journal, cursor);

	for (size_t i = 0; ok && i < cursor->count; i++) {
		bool fits = true;

		ok = cursor_fit_account(ctx, journal, &cursor->blocked[i], &fits);
		if (!fits && cursor->damage == CURSOR_WHOLE)
			cursor->damage = CURSOR_FROM_SEGMENT;
	}
	return ok;
}

static void
describe_blocked(const struct cursor *cursor, struct delivery_status *status)
{
	status->damage = cursor->damage;
	status->blocked = cursor->count;
	if (cursor->count == 0)
		return;
	status->account_id = cursor->blocked[0].account_id;
	status->attempts = cursor->blocked[0].attempts;
	status->next_at = cursor->blocked[0].next_at;
}

bool
delivery_queue_files_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status)
{
	bool delivering = cfg->deliver.url != NULL;
	const struct journal journal = journal_of(&cfg->store);
	struct cursor cursor;
	bool ok;

	if (!dead_letter_count(ctx, &cfg->store, &status->dead))
		return false;
	ok = cursor_read(ctx, &cfg->store, &cursor) && fit_all(ctx, &journal, &cursor)
	    && count_events(ctx, &cfg->store, since, delivering ? &cursor.position : NULL, status);
	if (ok)
		describe_blocked(&cursor, status);
	cursor_close(&cursor);
	return ok;
}
