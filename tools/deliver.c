/* deliver.c - `amocrmctl deliver`: delivers the events, once or as they come. */
#include "ctl.h"

#include "base/clock.h"
#include "events/delivery.h"
#include "events/delivery_queue.h"

#include <getopt.h>
#include <stdio.h>

#define POLL_INTERVAL_MS 200 /* between two rounds */

static void
print_failure(void *arg, const struct delivery_failure *failure)
{
	(void)arg;
	if (failure->retry_s > 0)
		fprintf(stderr,
		    "amocrmctl deliver: event %.8s, attempt %d: %s; next attempt in %ld s\n",
		    failure->event->id, failure->attempt, failure->reason, failure->retry_s);
	else
		fprintf(stderr, "amocrmctl deliver: gave up on event %.8s: %s\n",
		    failure->event->id, failure->reason);
}

static void
print_damage(enum cursor_damage damage)
{
	if (damage == CURSOR_FROM_PREVIOUS)
		fprintf(stderr,
		    "amocrmctl deliver: events/cursor was damaged; the one before it is used, so "
		    "the last event may be delivered twice\n");
	if (damage == CURSOR_FROM_BEGINNING)
		fprintf(stderr,
		    "amocrmctl deliver: events/cursor and events/cursor.old were damaged; all "
		    "events are delivered again\n");
	if (damage == CURSOR_FROM_SEGMENT)
		fprintf(stderr,
		    "amocrmctl deliver: the journal is shorter than when its events were "
		    "delivered, or was replaced; some of its events are delivered again\n");
}

/* Returns true after one round, unless follow is set; false on a 410 or a fault. */
static bool
run(struct ctx *ctx, struct delivery_queue *queue, bool follow, struct delivery_totals *totals)
{
	bool ok;

	for (;;) {
		ok = delivery_queue_run(ctx, queue, totals);
		print_damage(delivery_queue_take_damage(queue));
		if (!ok || !follow)
			return ok;
		clock_sleep(POLL_INTERVAL_MS);
	}
}

/* A 410 ends --follow with status 0, so that a supervisor does not start it again and the receiver
 * is left alone. */
static enum ctl_exit
print_totals(struct ctl *ctl, const struct delivery_totals *totals, bool follow, bool ok)
{
	if (totals->torn > 0)
		fprintf(stderr, "amocrmctl deliver: skipped %lld torn or unreadable lines\n",
		    (long long)totals->torn);
	if (totals->gone) {
		fprintf(stderr,
		    "amocrmctl deliver: the receiver replied with 410: it wants no more events\n");
		return follow ? CTL_DONE : CTL_FAILED;
	}
	if (!ok)
		return ctl_fault(ctl);
	printf("delivered %zu, given up %zu, accounts blocked %zu\n", totals->delivered,
	    totals->dead, totals->blocked);
	return totals->blocked == 0 && totals->dead == 0 ? CTL_DONE : CTL_FAILED;
}

static enum ctl_exit
deliver(struct ctl *ctl, bool follow)
{
	struct delivery_totals totals;
	struct delivery_queue *queue;
	bool ok;

	if (!delivery_queue_open(ctl->ctx, &ctl->cfg, print_failure, NULL, &queue))
		return ctl_fault(ctl);
	print_damage(delivery_queue_take_damage(queue)); /* the next round may take long */
	ok = run(ctl->ctx, queue, follow, &totals);
	delivery_queue_close(queue);
	return print_totals(ctl, &totals, follow, ok);
}

enum ctl_exit
ctl_deliver(struct ctl *ctl)
{
	static const struct option options[] = { { "once", no_argument, NULL, 'o' },
		{ "follow", no_argument, NULL, 'f' }, { 0 } };
	bool once = false;
	bool follow = false;
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(ctl->argc, ctl->argv, "", options, NULL)) != -1) {
		once |= option == 'o';
		follow |= option == 'f';
		if (option == '?' || (once && follow))
			return ctl_usage(ctl, "accepts only --once or --follow");
	}
	if (optind < ctl->argc)
		return ctl_usage(ctl, "accepts only --once or --follow");
	if (!delivery_check(ctl->ctx, &ctl->cfg))
		return ctl_fault(ctl);
	return deliver(ctl, follow);
}
