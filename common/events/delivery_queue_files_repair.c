/* delivery_queue_files_repair.c - what the queue of files does when its position, or that of a
 * blocked account, is not in the journal, or the cursor's file is corrupt.
 */
#include "events/delivery_queue_files.h"

bool
queue_save(struct ctx *ctx, struct delivery_queue *queue)
{
	return cursor_write(ctx, &queue->cfg->store, &queue->cursor);
}

static bool
note_time(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	time_t *received_at = arg;
	struct stored_event event;

	(void)next;
	if (event_read(ctx, line, &event) && event.received_at < *received_at)
		*received_at = event.received_at;
	ctx_clear_fault(ctx);
	return false; /* the first is enough */
}

/* New events, and those that wait, may repeat events that were delivered by an earlier process.
 * The window is loaded again when the journal was found to be another one: an event that it has
 * lost must not make one that it has look like a repetition. */
bool
queue_load_window(struct ctx *ctx, struct delivery_queue *queue)
{
	struct journal_position oldest = cursor_oldest(&queue->cursor);
	time_t since = time(NULL);
	int64_t torn = 0; /* counted when they are passed */

	dedup_close(&queue->dedup);
	(void)journal_each(ctx, &queue->journal, &oldest, note_time, &since, &torn);
	return ctx->kind == FAULT_NONE
	    && dedup_load(ctx, &queue->dedup, &queue->journal, since - DEDUP_WINDOW_S,
		&queue->cursor.position);
}

/* The journal may have changed before the position of an account alone: an older segment was edited
 * or replaced. */
bool
queue_fit_account(struct ctx *ctx, struct delivery_queue *queue, struct blocked_account *account)
{
	bool fits;

	if (!cursor_fit_account(ctx, &queue->journal, account, &fits))
		return false;
	if (fits)
		return true;
	if (queue->damage == CURSOR_WHOLE)
		queue->damage = CURSOR_FROM_SEGMENT;
	return queue_save(ctx, queue) && queue_load_window(ctx, queue);
}

/* Replaces a corrupt file, or a position that is not in the journal, at once. */
bool
queue_repair(struct ctx *ctx, struct delivery_queue *queue, bool *repaired)
{
	if (!cursor_fit(ctx, &queue->journal, &queue->cursor))
		return false;
	*repaired = queue->cursor.damage != CURSOR_WHOLE;
	if (!*repaired)
		return true;
	queue->damage = queue->cursor.damage;
	if (!queue_save(ctx, queue))
		return false;
	queue->cursor.damage = CURSOR_WHOLE;
	return true;
}
