/* event_log.c - the log of events of the configured engine; see event_log.h. */
#include "events/event_log.h"

#include "events/event_log_postgresql.h"

struct event_log
event_log_of(const struct config *cfg)
{
	return (struct event_log){ .store = &cfg->store, .to_deliver = cfg->deliver.url != NULL };
}

bool
event_log_append(
    struct ctx *ctx, const struct event_log *log, const struct event *event, const char *line)
{
	struct journal journal;

	if (log->store->engine == ENGINE_POSTGRESQL)
		return event_log_postgresql_append(ctx, log, event, line);
	journal = journal_of(log->store);
	journal.keep_s = log->keep_s;
	journal.size_max = log->size_max;
	return journal_append(ctx, &journal, line);
}

bool
event_log_seek(
    struct ctx *ctx, const struct event_log *log, time_t since, struct event_position *position)
{
	const struct journal journal = journal_of(log->store);

	if (log->store->engine == ENGINE_POSTGRESQL)
		return event_log_postgresql_seek(ctx, log, since, position);
	*position = (struct event_position){ .seq = 0 };
	return journal_seek(ctx, &journal, since, &position->file);
}

struct walk {
	event_visit *visit;
	void *arg;
};

static bool
visit_line(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	const struct walk *walk = arg;

	(void)next;
	return walk->visit(ctx, walk->arg, line);
}

bool
event_log_each(struct ctx *ctx, const struct event_log *log, struct event_position *position,
    event_visit *visit, void *arg, int64_t *torn)
{
	const struct journal journal = journal_of(log->store);
	struct walk walk = { visit, arg };

	if (log->store->engine == ENGINE_POSTGRESQL)
		return event_log_postgresql_each(ctx, log, position, visit, arg);
	return journal_each(ctx, &journal, &position->file, visit_line, &walk, torn);
}

bool
event_log_fit(struct ctx *ctx, const struct event_log *log, struct event_position *position,
    time_t saved_at, bool *fits)
{
	const struct journal journal = journal_of(log->store);

	*fits = true;
	return log->store->engine == ENGINE_POSTGRESQL
	    || journal_fit(ctx, &journal, &position->file, saved_at, fits);
}
