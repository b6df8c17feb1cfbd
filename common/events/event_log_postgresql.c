/* event_log_postgresql.c - see event_log_postgresql.h. */
#include "events/event_log_postgresql.h"

#include "base/clock.h"
#include "base/rfc3339.h"
#include "events/event_message.h"
#include "events/queue_message.h"
#include "helper/postgresql.h"
#include "text/json.h"

#include <string.h>
#include <sys/random.h>

#define PRUNE_ONE_IN 256 /* appends; each removes up to QUEUE_PRUNE_MAX events */

struct append {
	const struct event_log *log;
	struct event_append event;
};

static bool
send_append(struct ctx *ctx, void *arg)
{
	struct append *append = arg;
	struct strbuf sb;

	postgresql_request(ctx, append->log->store, "append", &sb);
	event_append_encode(&sb, &append->event);
	append->event.repeated = true;
	return postgresql_tell(ctx, &sb);
}

/* The id is the first member of a line. */
static bool
read_id(struct ctx *ctx, const char *line, const char **id)
{
	struct json_slice value;

	if (!json_slice_get(json_slice_of(line), "id", &value))
		return fault(ctx, FAULT_SERVER, "an event without an id");
	value = event_unquote(value);
	if (value.len < EVENT_ID_LEN)
		return fault(ctx, FAULT_SERVER, "an event whose id is too short");
	return ctx_strndup(ctx, value.at, EVENT_ID_LEN, id);
}

static bool
send_prune(struct ctx *ctx, const struct event_log *log)
{
	const struct queue_prune old = { .keep_s = log->keep_s, .waiting = !log->to_deliver };
	struct strbuf sb;

	postgresql_request(ctx, log->store, "prune_events", &sb);
	queue_prune_encode(&sb, &old);
	return postgresql_tell(ctx, &sb);
}

/* Where events are delivered, the deliverers do this.  If it fails, another append will do it. */
static void
prune_sometimes(struct ctx *ctx, const struct event_log *log)
{
	uint8_t random;

	if (log->keep_s == 0 || ctx->database.sections > 0
	    || getrandom(&random, sizeof random, 0) != sizeof random || random % PRUNE_ONE_IN != 0)
		return;
	if (!send_prune(ctx, log))
		ctx_clear_fault(ctx);
}

bool
event_log_postgresql_append(
    struct ctx *ctx, const struct event_log *log, const struct event *event, const char *line)
{
	char received_at[RFC3339_MS_SIZE];
	struct append append = { log,
		{ .account_id = event->account_id,
		    .received_at = received_at,
		    .line = line,
		    .pending = log->to_deliver } };

	rfc3339_write_ms(&event->received_at, received_at);
	if (strlen(line) > JOURNAL_EVENT_MAX)
		return fault(ctx, FAULT_TOO_LARGE, "the event is over %d bytes", JOURNAL_EVENT_MAX);
	if (!read_id(ctx, line, &append.event.id) || !postgresql_retry(ctx, send_append, &append))
		return false;
	prune_sometimes(ctx, log);
	return true;
}

struct seek {
	const struct event_log *log;
	time_t since;
	int64_t seq;
};

static bool
send_seek(struct ctx *ctx, void *arg)
{
	struct seek *seek = arg;
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, seek->log->store, "seek", &sb);
	event_seek_encode(&sb, seek->since);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && event_found_decode(reply, &seek->seq));
}

bool
event_log_postgresql_seek(
    struct ctx *ctx, const struct event_log *log, time_t since, struct event_position *position)
{
	struct seek seek = { log, since, 0 };

	*position = (struct event_position){ .seq = 0 };
	if (!postgresql_retry(ctx, send_seek, &seek))
		return false;
	position->seq = seek.seq;
	return true;
}

struct walk {
	const struct event_log *log;
	struct event_position *position;
	event_visit *visit;
	void *arg;
	struct json_object *reply; /* a page */
	bool stopped;              /* before a gap */
};

static bool
get_page(struct ctx *ctx, void *arg)
{
	struct walk *walk = arg;
	struct strbuf sb;

	postgresql_request(ctx, walk->log->store, "events", &sb);
	event_after_encode(&sb, walk->position->seq);
	walk->reply = postgresql_send(ctx, &sb);
	return walk->reply != NULL;
}

/* Whether a missing number before the event may still appear. */
static bool
is_gap(struct event_position *position, const struct event_line *event)
{
	if (!position->following || event->settled || event->seq == position->seq + 1) {
		position->gap_seen = 0;
		return false;
	}
	if (position->gap_seen == 0)
		position->gap_seen = clock_ms();
	return clock_ms() - position->gap_seen < EVENT_GAP_S * INT64_C(1000);
}

static bool
visit_event(struct ctx *ctx, struct walk *walk, const struct event_page *page, size_t index)
{
	struct event_position *position = walk->position;
	struct event_line event;

	if (!event_page_line(ctx, page, index, &event))
		return postgresql_refuse_reply(ctx);
	walk->stopped = is_gap(position, &event);
	if (walk->stopped)
		return true;
	if (!walk->visit(ctx, walk->arg, event.line))
		return false;
	position->seq = event.seq;
	position->gap_seen = 0;
	return true;
}

static bool
visit_page(struct ctx *ctx, struct walk *walk, bool *more)
{
	struct event_page page;

	if (!event_page_decode(walk->reply, &page))
		return postgresql_refuse_reply(ctx);
	for (size_t i = 0; i < page.count && !walk->stopped; i++) {
		size_t mark = arena_mark(ctx);
		bool ok = visit_event(ctx, walk, &page, i);

		arena_rewind(ctx, mark);
		if (!ok)
			return false;
	}
	*more = page.count > 0 && !walk->stopped;
	return true;
}

bool
event_log_postgresql_each(struct ctx *ctx, const struct event_log *log,
    struct event_position *position, event_visit *visit, void *arg)
{
	struct walk walk = { .log = log, .position = position, .visit = visit, .arg = arg };
	bool more = true;
	bool ok = true;

	while (ok && more) {
		size_t mark = arena_mark(ctx);

		if (!postgresql_retry(ctx, get_page, &walk))
			return false;
		arena_rewind(ctx, mark);
		ok = visit_page(ctx, &walk, &more);
		json_object_put(walk.reply);
	}
	return ok;
}
