/* deliver.c - `amocrmctl deliver`: posts the events on, in order for each account.
 *
 * All events are passed once, from the cursor's place on; those of an account that is held up are
 * left to its own place, which follows when its time has come.
 */
#include "ctl.h"

#include "base/clock.h"
#include "base/lock.h"
#include "events/cursor.h"
#include "events/dedup.h"
#include "events/delivery.h"
#include "events/event.h"
#include "events/journal.h"
#include "events/retry.h"

#include <getopt.h>
#include <stdio.h>

#define FOLLOW_MS  200                  /* between two looks at the journal */
#define REMEMBER_S (2 * DEDUP_WINDOW_S) /* how far back repetitions are looked for when it starts */

struct delivery {
	struct ctl *ctl;
	struct journal journal;
	struct cursor cursor;
	struct dedup dedup;
	struct journal_position before;  /* the event that is looked at */
	struct blocked_account *blocked; /* whose turn it is; NULL: everybody's */
	bool waits;                      /* that one must wait again */
	bool gone;
	int64_t torn;
	size_t taken;
	size_t dead;
};

static bool
save(struct delivery *d)
{
	return cursor_write(d->ctl->ctx, &d->ctl->cfg.store, &d->cursor);
}

/* Says why, and when it is tried again; the work is then ready to go on. */
static time_t
next_attempt(struct delivery *d, const struct stored_event *event, int attempts)
{
	struct ctx *ctx = d->ctl->ctx;
	long wait_s = retry_wait_s(attempts, ctx->retry_after_s);

	fprintf(stderr, "amocrmctl deliver: event %.8s, attempt %d: %s; again in %ld s\n",
	    event->id, attempts, ctx->reason, wait_s);
	ctx_clear_fault(ctx);
	return time(NULL) + wait_s;
}

static bool
give_up(struct delivery *d, const struct stored_event *event)
{
	struct ctx *ctx = d->ctl->ctx;
	bool buried;

	fprintf(stderr, "amocrmctl deliver: event %.8s is given up: %s\n", event->id, ctx->reason);
	ctx_clear_fault(ctx);
	buried = dead_letter_append(ctx, &d->ctl->cfg.store, event->line);
	d->dead += buried;
	return buried;
}

/* The event at d->before was not taken: its account waits, or the event is given up. */
static bool
put_off(struct delivery *d, const struct stored_event *event, bool *passed)
{
	int attempts = d->blocked == NULL ? 1 : d->blocked->attempts + 1;
	struct blocked_account blocked = { event->account_id, d->before, attempts, 0 };

	*passed = attempts > RETRIES;
	if (*passed)
		return give_up(d, event);
	blocked.next_at = next_attempt(d, event, attempts);
	if (d->blocked == NULL)
		return cursor_block(d->ctl->ctx, &d->cursor, &blocked);
	*d->blocked = blocked;
	return true;
}

/* *passed: nothing more is to be done for the event now. */
static bool
attempt(struct delivery *d, const struct stored_event *event, bool *passed)
{
	struct ctx *ctx = d->ctl->ctx;

	*passed = true;
	switch (delivery_send(ctx, &d->ctl->cfg, event)) {
	case DELIVERY_ACCEPTED:
		d->taken++;
		return true;
	case DELIVERY_GONE:
		d->gone = true;
		return false;
	default:
		if (ctx->kind == FAULT_CONFIG || ctx->kind == FAULT_SERVER)
			return false;
		return put_off(d, event, passed);
	}
}

/* An event on everybody's way. */
static bool
pass_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct delivery *d = arg;
	struct stored_event event;
	bool passed;

	d->before = d->cursor.position;
	if (event_read(ctx, line, &event)
	    && !dedup_seen(&d->dedup, event.id, event.received_at, next)
	    && cursor_find_blocked(&d->cursor, event.account_id) == NULL
	    && !attempt(d, &event, &passed))
		return false;
	ctx_clear_fault(ctx);
	d->cursor.position = *next;
	return save(d);
}

/* An event on the way of the account that is held up. */
static bool
catch_up_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct delivery *d = arg;
	struct stored_event event;
	bool passed = true;

	d->before = d->blocked->position;
	if (cursor_before(&d->cursor.position, next))
		return false;
	if (!event_read(ctx, line, &event) || event.account_id != d->blocked->account_id
	    || dedup_seen(&d->dedup, event.id, event.received_at, next)) {
		ctx_clear_fault(ctx);
		d->blocked->position = *next; /* saved with the next one that is sent */
		return true;
	}
	if (!attempt(d, &event, &passed))
		return false;
	if (!passed) {
		d->waits = true;
		return save(d) && false;
	}
	d->blocked->attempts = 0;
	ctx_clear_fault(ctx);
	d->blocked->position = *next;
	return save(d);
}

/* True: the account is held up no longer. */
static bool
catch_up(struct delivery *d, struct blocked_account *blocked)
{
	struct ctx *ctx = d->ctl->ctx;
	struct journal_position position = blocked->position;

	d->blocked = blocked;
	d->waits = false;
	(void)journal_each(ctx, &d->journal, &position, catch_up_event, d, &d->torn);
	d->blocked = NULL;
	if (ctx->kind != FAULT_NONE || d->gone || d->waits)
		return false;
	cursor_unblock(&d->cursor, blocked);
	return save(d);
}

/* A time that is further away than any wait was written by a clock that has been set back since. */
static bool
is_due(const struct blocked_account *blocked)
{
	time_t now = time(NULL);

	return blocked->next_at <= now || blocked->next_at > now + RETRY_WAIT_MAX_S;
}

static void
catch_up_all(struct delivery *d)
{
	for (size_t i = 0; i < d->cursor.count && d->ctl->ctx->kind == FAULT_NONE && !d->gone;) {
		struct blocked_account *blocked = &d->cursor.blocked[i];

		if (!is_due(blocked) || !catch_up(d, blocked))
			i++;
	}
}

/* One round.  False: the work holds a fault, or the receiver is gone. */
static bool
deliver(struct delivery *d)
{
	struct journal_position position;

	catch_up_all(d);
	position = d->cursor.position;
	return d->ctl->ctx->kind == FAULT_NONE && !d->gone
	    && journal_each(d->ctl->ctx, &d->journal, &position, pass_event, d, &d->torn);
}

static bool
remember_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct delivery *d = arg;
	struct stored_event event;

	if (cursor_before(&d->cursor.position, next))
		return false;
	if (event_read(ctx, line, &event))
		dedup_seen(&d->dedup, event.id, event.received_at, next);
	return true;
}

/* What was passed before it started may be repeated after. */
static bool
remember(struct delivery *d)
{
	struct ctx *ctx = d->ctl->ctx;
	struct journal_position position;
	int64_t torn = 0;

	if (!journal_seek(ctx, &d->journal, time(NULL) - REMEMBER_S, &position))
		return false;
	(void)journal_each(ctx, &d->journal, &position, remember_event, d, &torn);
	return ctx->kind == FAULT_NONE;
}

/* Events that all accounts have passed and that are older than keep_days. */
static bool
prune_delivered(struct delivery *d)
{
	time_t since = time(NULL) - d->ctl->cfg.webhook.keep_days * (time_t)86400;
	struct journal_position position = d->cursor.position;
	int64_t pruned = 0;

	for (size_t i = 0; i < d->cursor.count; i++)
		if (cursor_before(&d->cursor.blocked[i].position, &position))
			position = d->cursor.blocked[i].position;
	return journal_prune(d->ctl->ctx, &d->journal, &position, since, &pruned);
}

/* It may go on for years: so each round releases its memory. */
static bool
go_round(struct delivery *d)
{
	size_t mark = arena_mark(d->ctl->ctx);
	bool ok = deliver(d) && prune_delivered(d);

	arena_rewind(d->ctl->ctx, mark);
	return ok;
}

static bool
run(struct delivery *d, bool follow)
{
	bool ok =
	    cursor_read(d->ctl->ctx, &d->ctl->cfg.store, &d->cursor) && remember(d) && go_round(d);

	while (ok && follow) {
		clock_sleep(FOLLOW_MS);
		ok = go_round(d);
	}
	return ok;
}

/* A 410 while following is no fault: what supervises it must not start it again,
 * and so the receiver is left alone. */
static enum ctl_exit
report(struct delivery *d, bool follow, bool ok)
{
	if (d->torn > 0)
		fprintf(stderr, "amocrmctl deliver: passed %lld torn lines\n", (long long)d->torn);
	if (d->gone) {
		fprintf(stderr,
		    "amocrmctl deliver: the receiver answered 410: it wants no more events\n");
		return follow ? CTL_DONE : CTL_FAILED;
	}
	if (!ok)
		return ctl_fault(d->ctl);
	printf("delivered %zu, given up %zu, accounts held up %zu\n", d->taken, d->dead,
	    d->cursor.count);
	return d->cursor.count == 0 && d->dead == 0 ? CTL_DONE : CTL_FAILED;
}

/* Only one at a time: two would send everything twice. */
static bool
lock_delivery(struct ctl *ctl, struct lock *lock)
{
	const char *path;

	if (!ctx_printf(ctl->ctx, &path, "%s/deliver.lock", ctl->cfg.store.path))
		return false;
	if (lock_take(ctl->ctx, path, 0, 0, lock))
		return true;
	if (ctl->ctx->kind == FAULT_UNAVAILABLE) {
		ctx_clear_fault(ctl->ctx);
		return fault(ctl->ctx, FAULT_UNAVAILABLE, "another amocrmctl deliver is at work");
	}
	return false;
}

enum ctl_exit
ctl_deliver(struct ctl *ctl)
{
	static const struct option options[] = { { "once", no_argument, NULL, 'o' },
		{ "follow", no_argument, NULL, 'f' }, { 0 } };
	struct delivery d = { .ctl = ctl, .journal = journal_of(&ctl->cfg.store) };
	bool once = false;
	bool follow = false;
	enum ctl_exit status;
	struct lock lock;
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(ctl->argc, ctl->argv, "", options, NULL)) != -1) {
		once |= option == 'o';
		follow |= option == 'f';
		if (option == '?' || (once && follow))
			return ctl_usage(ctl, "takes --once or --follow");
	}
	if (optind < ctl->argc)
		return ctl_usage(ctl, "takes --once or --follow");
	if (!delivery_check(ctl->ctx, &ctl->cfg) || !lock_delivery(ctl, &lock))
		return ctl_fault(ctl);
	status = report(&d, follow, run(&d, follow));
	cursor_close(&d.cursor);
	dedup_close(&d.dedup);
	lock_release(&lock);
	return status;
}
