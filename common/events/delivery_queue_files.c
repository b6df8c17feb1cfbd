/* delivery_queue_files.c - see delivery_queue_files.h.  Positions are moved back by
 * delivery_queue_files_repair.c.
 *
 * One position, the cursor's, passes through all events; those of a blocked account are left out.
 * A blocked account has a position of its own further back, which follows when its retry is due.
 * Once it has reached the cursor's position the account is no longer blocked.
 */
#include "events/delivery_queue_files.h"

#include "events/retry.h"

static bool
give_up(struct ctx *ctx, struct delivery_queue *queue, const struct stored_event *event)
{
	if (!dead_letter_append(ctx, &queue->cfg->store, event->line))
		return false;
	queue->totals.dead++;
	return true;
}

static bool
schedule_retry(struct ctx *ctx, struct delivery_queue *queue, const struct stored_event *event,
    struct blocked_account *account, const struct attempts *attempts, long wait_s)
{
	struct blocked_account blocked = {
		.account_id = event->account_id,
		.position = account == NULL ? queue->cursor.position : account->position,
		.attempts = attempts->count,
		.rejections = attempts->rejections,
		.next_at = time(NULL) + wait_s,
	};

	if (account == NULL)
		return cursor_block(ctx, &queue->cursor, &blocked);
	*account = blocked;
	return true;
}

/* Delivers the event at the position of the account, or at the cursor's if the account is not
 * blocked (NULL).  *done: the event needs no further attempt. */
static bool
attempt_delivery(struct ctx *ctx, struct delivery_queue *queue, const struct stored_event *event,
    struct blocked_account *account, bool *done)
{
	struct attempts attempts = { .count = 0 };
	long wait_s;

	if (account != NULL)
		attempts = (struct attempts){ account->attempts, account->rejections, NULL };
	*done = true;
	switch (queue_attempt(ctx, queue, event, &attempts, &wait_s)) {
	case ATTEMPT_DELIVERED:
		return true;
	case ATTEMPT_GIVEN_UP:
		return give_up(ctx, queue, event);
	case ATTEMPT_PUT_OFF:
		*done = false;
		return schedule_retry(ctx, queue, event, account, &attempts, wait_s);
	default:
		return false;
	}
}

/* The event behind the cursor's position. */
static bool
deliver_next(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct delivery_queue *queue = arg;
	struct stored_event event;
	bool done;

	if (!event_read(ctx, line, &event)) {
		if (ctx->kind != FAULT_NONE)
			return false;
		queue->totals.torn++; /* complete JSON, but changed since it was written */
	} else if (!dedup_seen(&queue->dedup, event.id, event.received_at, next)
	    && cursor_find_blocked(&queue->cursor, event.account_id) == NULL
	    && !attempt_delivery(ctx, queue, &event, NULL, &done))
		return false;
	queue->cursor.position = *next;
	return queue_save(ctx, queue);
}

static bool
deliver_new(struct ctx *ctx, struct delivery_queue *queue)
{
	struct journal_position position = queue->cursor.position;

	if (!journal_each(
		ctx, &queue->journal, &position, deliver_next, queue, &queue->totals.torn))
		return false;
	queue->cursor.position = position; /* torn lines at the end are not counted again */
	return true;
}

struct retry {
	struct delivery_queue *queue;
	struct blocked_account *account;
	bool failed; /* the account stays blocked */
	int left;    /* events until others have their turn; 0: it stays blocked until then */
};

/* The event behind the position of the blocked account. */
static bool
retry_next(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct retry *retry = arg;
	struct delivery_queue *queue = retry->queue;
	struct blocked_account *account = retry->account;
	struct stored_event event;
	bool is_event;
	bool done;

	if (cursor_before(&queue->cursor.position, next))
		return false;
	is_event = event_read(ctx, line, &event);
	if (ctx->kind != FAULT_NONE)
		return false;
	if (!is_event || event.account_id != account->account_id
	    || dedup_seen(&queue->dedup, event.id, event.received_at, next)) {
		account->position = *next; /* saved with the next attempt */
		return true;
	}
	if (!attempt_delivery(ctx, queue, &event, account, &done))
		return false;
	if (!done) {
		retry->failed = true;
		(void)queue_save(ctx, queue); /* ctx holds its fault */
		return false;
	}
	account->attempts = 0;
	account->rejections = 0;
	account->position = *next;
	return queue_save(ctx, queue) && --retry->left > 0;
}

/* True: the account is no longer blocked, and its entry is gone. */
static bool
retry_account(struct ctx *ctx, struct delivery_queue *queue, struct blocked_account *account)
{
	struct retry retry = { .queue = queue, .account = account, .left = BACKLOG_MAX };
	struct journal_position position;

	if (!queue_fit_account(ctx, queue, account))
		return false;
	position = account->position;
	(void)journal_each(
	    ctx, &queue->journal, &position, retry_next, &retry, &queue->totals.torn);
	queue->backlog |= retry.left == 0;
	if (ctx->kind != FAULT_NONE || retry.failed || retry.left == 0)
		return false;
	cursor_unblock(&queue->cursor, account);
	return queue_save(ctx, queue);
}

/* A time further away than the longest wait was written before the clock was set back. */
static bool
is_due(const struct blocked_account *account)
{
	time_t now = time(NULL);

	return account->next_at <= now || account->next_at > now + RETRY_WAIT_MAX_S;
}

static bool
retry_due_accounts(struct ctx *ctx, struct delivery_queue *queue)
{
	for (size_t i = 0; i < queue->cursor.count && ctx->kind == FAULT_NONE;) {
		struct blocked_account *account = &queue->cursor.blocked[i];

		if (!is_due(account) || !retry_account(ctx, queue, account))
			i++;
	}
	return ctx->kind == FAULT_NONE;
}

static bool
deliver_due(struct ctx *ctx, struct delivery_queue *queue)
{
	size_t mark = arena_mark(ctx);

	do {
		queue->backlog = false;
		if (!retry_due_accounts(ctx, queue) || !deliver_new(ctx, queue))
			return false;
		arena_rewind(ctx, mark);
	} while (queue->backlog);
	return true;
}

/* Removes what all accounts have passed. */
static bool
prune_delivered(struct ctx *ctx, const struct delivery_queue *queue)
{
	time_t since = time(NULL) - queue->cfg->webhook.keep_days * (time_t)86400;
	struct journal_position oldest = cursor_oldest(&queue->cursor);
	int64_t pruned = 0;

	return journal_prune(ctx, &queue->journal, &oldest, since, &pruned);
}

bool
delivery_queue_files_run(struct ctx *ctx, struct delivery_queue *queue)
{
	bool repaired;
	bool ok = queue_repair(ctx, queue, &repaired)
	    && (!repaired || queue_load_window(ctx, queue)) && deliver_due(ctx, queue)
	    && prune_delivered(ctx, queue);

	queue->totals.blocked = queue->cursor.count;
	return ok;
}

/* Two processes at a time would deliver each event twice. */
static bool
lock_queue(struct ctx *ctx, struct delivery_queue *queue)
{
	const char *path;

	queue->lock.fd = -1;
	if (!ctx_printf(ctx, &path, "%s/deliver.lock", queue->cfg->store.path))
		return false;
	if (lock_acquire(ctx, path, 0, 0, &queue->lock))
		return true;
	if (ctx->kind == FAULT_UNAVAILABLE) {
		ctx_clear_fault(ctx);
		return fault(ctx, FAULT_UNAVAILABLE, "another amocrmctl deliver is running");
	}
	return false;
}

bool
delivery_queue_files_open(struct ctx *ctx, struct delivery_queue *queue)
{
	bool repaired;

	if (!lock_queue(ctx, queue))
		return false;
	queue->journal = journal_of(&queue->cfg->store);
	if (cursor_read(ctx, &queue->cfg->store, &queue->cursor)
	    && queue_repair(ctx, queue, &repaired) && queue_load_window(ctx, queue))
		return true;
	delivery_queue_files_close(queue);
	return false;
}

void
delivery_queue_files_close(struct delivery_queue *queue)
{
	cursor_close(&queue->cursor);
	dedup_close(&queue->dedup);
	lock_release(&queue->lock);
}
