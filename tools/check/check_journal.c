/* check_journal.c - the events: whether they are whole, and whether they are delivered. */
#include "check/check.h"

#include "base/rfc3339.h"
#include "events/delivery_queue.h"
#include "events/journal.h"

#define LOOK_BACK_S  (7 * 86400)
#define FULL_PERCENT 80
#define WAIT_MAX_S   3600 /* an event that waits for longer was seen by no `amocrmctl deliver` */

static void
report_torn(struct report *r, const struct delivery_status *status)
{
	if (status->torn > 0)
		report_warning(r, "events",
		    "they cannot be repaired, and no other event is affected; find out what killed "
		    "the programs",
		    "%lld lines are no events: cut short by a kill or a full disk, or changed "
		    "since",
		    (long long)status->torn);
	else
		report_ok(r, "events", "%zu of the last week, all complete", status->events);
}

static void
report_waiting(struct report *r, const struct delivery_status *status)
{
	char since[RFC3339_SIZE];

	rfc3339_write(status->waiting_since, since);
	report_wrong(r, "delivery",
	    "run amocrmctl deliver --follow as a service, or --once every minute from cron",
	    "%zu events wait, the first since %s: no process delivers them", status->waiting,
	    since);
}

static void
report_blocked(struct report *r, const struct delivery_status *status)
{
	char next_at[RFC3339_SIZE];

	rfc3339_write(status->next_at, next_at);
	report_warning(r, "delivery",
	    "make sure that [deliver] url accepts events; amocrmctl deliver prints why it does not",
	    "account %lld is blocked, its next event is retried at %s, failed attempts: %d; such "
	    "accounts: %zu",
	    (long long)status->account_id, next_at, status->attempts, status->blocked);
}

static void
report_damage(struct report *r, enum cursor_damage damage)
{
	if (damage == CURSOR_FROM_PREVIOUS)
		report_warning(r, "delivery",
		    "amocrmctl deliver goes on from events/cursor.old and repairs it; find out "
		    "what damages files on this disk",
		    "events/cursor is damaged");
	if (damage == CURSOR_FROM_BEGINNING)
		report_wrong(r, "delivery",
		    "amocrmctl deliver will deliver all events again; to avoid that, restore one "
		    "of the files from a backup first",
		    "events/cursor and events/cursor.old are damaged");
	if (damage == CURSOR_FROM_SEGMENT)
		report_warning(r, "delivery",
		    "amocrmctl deliver will deliver some events again; restore the whole store "
		    "from one backup",
		    "the journal is shorter than when its events were delivered, or was replaced");
}

static const char *
dead_advice(const struct config *cfg)
{
	return cfg->store.engine == ENGINE_POSTGRESQL
	    ? "when the receiver works again, run amocrmctl replay, then delete them in the "
	      "database: DELETE FROM dead"
	    : "when the receiver works again, run amocrmctl replay, then delete events/dead.ndjson";
}

static void
report_delivery(struct report *r, const struct config *cfg, const struct delivery_status *status)
{
	bool late = status->waiting > 0 && status->waiting_since + WAIT_MAX_S < time(NULL);

	report_damage(r, status->damage);
	if (late)
		report_waiting(r, status);
	if (status->blocked > 0)
		report_blocked(r, status);
	if (status->dead > 0)
		report_warning(r, "delivery", dead_advice(cfg),
		    "%zu events were given up after their last retry", status->dead);
	if (!late && status->blocked == 0 && status->dead == 0 && status->damage == CURSOR_WHOLE)
		report_ok(r, "delivery", "%zu events wait", status->waiting);
}

static void
check_journal_size(struct check *c)
{
	struct journal journal = journal_of(&c->ctl->cfg.store);
	int64_t max = c->ctl->cfg.webhook.max_journal;
	int64_t size;

	if (!journal_size(c->ctl->ctx, &journal, &size))
		report_fault(&c->report, "events", "check this folder");
	else if (size > max / 100 * FULL_PERCENT)
		report_warning(&c->report, "events",
		    "raise max_journal, or lower keep_days; delivered events older than keep_days "
		    "are removed",
		    "the journal has %lld of [webhook] max_journal, %lld bytes; beyond that "
		    "webhooks get 503",
		    (long long)size, (long long)max);
}

void
check_journal(struct check *c)
{
	const struct config *cfg = &c->ctl->cfg;
	struct delivery_status status;
	bool ok;

	if (!c->store_usable)
		return;
	ok = delivery_queue_status(c->ctl->ctx, cfg, time(NULL) - LOOK_BACK_S, &status);
	if (status.newest > c->newest)
		c->newest = status.newest;
	if (!ok) {
		report_fault(&c->report, "events",
		    cfg->store.engine == ENGINE_POSTGRESQL ? "run check again"
							   : "restore this file, or move it away");
		return;
	}
	report_torn(&c->report, &status);
	if (cfg->store.engine == ENGINE_FILES)
		check_journal_size(c);
	if (cfg->deliver.url != NULL)
		report_delivery(&c->report, cfg, &status);
}
