/* check_journal.c - the events: whether they are whole, and whether they get on. */
#include "check/check.h"

#include "base/rfc3339.h"
#include "events/cursor.h"
#include "events/event.h"
#include "events/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOOK_BACK_S (7 * 86400)
#define WAIT_MAX_S  3600 /* what is older was looked at by no `amocrmctl deliver` */

struct count {
	struct check *c;
	bool delivering;
	struct cursor cursor;
	size_t events;
	int64_t torn;
	size_t waiting;
	time_t waiting_since;
};

static bool
count_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct count *n = arg;
	struct stored_event event;

	n->events++;
	if (!event_read(ctx, line, &event))
		return true;
	if (event.received_at > n->c->newest)
		n->c->newest = event.received_at;
	if (n->delivering && cursor_before(&n->cursor.position, next) && n->waiting++ == 0)
		n->waiting_since = event.received_at;
	return true;
}

static bool
count_events(struct count *n)
{
	struct ctx *ctx = n->c->ctl->ctx;
	const struct store_config *store = &n->c->ctl->cfg.store;
	struct journal journal = journal_of(store);
	struct journal_position position;

	if (!cursor_read(ctx, store, &n->cursor)
	    || !journal_seek(ctx, &journal, time(NULL) - LOOK_BACK_S, &position))
		return false;
	if (n->delivering && cursor_before(&n->cursor.position, &position))
		position = n->cursor.position;
	return journal_each(ctx, &journal, &position, count_event, n, &n->torn);
}

/* Events that were given up; -1 with a fault. */
static long
count_dead(struct ctx *ctx, const struct store_config *store)
{
	const char *path;
	FILE *file;
	long count = 0;
	int c;

	if (!ctx_printf(ctx, &path, "%s/events/dead.ndjson", store->path))
		return -1;
	file = fopen(path, "re");
	if (file == NULL && errno == ENOENT)
		return 0;
	if (file == NULL) {
		ctx_fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
		return -1;
	}
	while ((c = getc(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

static void
tell_held_up(struct report *f, const struct cursor *cursor)
{
	const struct blocked_account *first = &cursor->blocked[0];
	char next_at[RFC3339_SIZE];

	if (cursor->count == 0)
		return;
	rfc3339_write(first->next_at, next_at);
	report_warning(f, "delivery",
	    "see that [deliver] url takes events; amocrmctl deliver says why it does not",
	    "account %lld is held up, its next event is posted again at %s, attempts in vain: %d; "
	    "such accounts: %zu",
	    (long long)first->account_id, next_at, first->attempts, cursor->count);
}

static void
tell_delivery(struct report *f, const struct count *n, long dead)
{
	char since[RFC3339_SIZE];
	bool late = n->waiting > 0 && n->waiting_since + WAIT_MAX_S < time(NULL);

	rfc3339_write(n->waiting_since, since);
	if (late)
		report_wrong(f, "delivery",
		    "start amocrmctl deliver --follow as a service, or --once every minute by cron",
		    "%zu events wait, the first since %s: nobody posts them on", n->waiting, since);
	tell_held_up(f, &n->cursor);
	if (dead > 0)
		report_warning(f, "delivery",
		    "once the receiver works: amocrmctl replay, then remove events/dead.ndjson",
		    "%ld events were given up, after three days of trying", dead);
	if (!late && n->cursor.count == 0 && dead == 0)
		report_ok(f, "delivery", "%zu events wait", n->waiting);
}

void
check_journal(struct check *c)
{
	struct count n = { .c = c, .delivering = c->ctl->cfg.deliver.url != NULL };
	struct report *f = &c->report;
	struct ctx *ctx = c->ctl->ctx;
	long dead;

	if (!c->store_usable)
		return;
	dead = count_dead(ctx, &c->ctl->cfg.store);
	if (dead < 0 || !count_events(&n))
		report_fault(f, "events", "restore that file, or move it away");
	else {
		if (n.torn > 0)
			report_warning(f, "events",
			    "nothing can be mended, and no other event is touched; see what killed "
			    "the programs",
			    "%lld events were cut short by a kill or a full disk",
			    (long long)n.torn);
		else
			report_ok(f, "events", "%zu of the last week, all whole", n.events);
		if (n.delivering)
			tell_delivery(f, &n, dead);
	}
	cursor_close(&n.cursor);
}
