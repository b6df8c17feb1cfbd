/* event.c - the verbs of the log of events: append, seek, events.
 *
 * The messages are encoded and decoded in common/events/event_message.c.
 */
#include "events/event_message.h"
#include "verb.h"

#include <string.h>

#define PAGE_EVENTS 200
#define PAGE_SIZE   (512 << 10) /* bytes of events that one more may exceed */

/* A repeated attempt looks for what the one before may have stored. */
#define APPEND                                                                                     \
	"WITH e AS (INSERT INTO event (account_id, id, received_at, line, to_deliver) "            \
	"SELECT $1::bigint, $2::uuid, $3::timestamptz, $4::bytea, $5::boolean "                    \
	"WHERE NOT $6::boolean OR NOT EXISTS (SELECT 1 FROM event WHERE account_id = $1::bigint "  \
	"AND id = $2::uuid AND received_at = $3::timestamptz) "                                    \
	"RETURNING account_id, seq, to_deliver) "                                                  \
	"INSERT INTO pending (account_id, seq) SELECT account_id, seq FROM e WHERE to_deliver"

static bool
append(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct event_append event;

	if (!event_append_decode(ctx, request, &event))
		return verb_refuse(ctx);
	if (!session_change(ctx, &server->session, APPEND,
		PARAMS(param_number(event.account_id), param_text(event.id),
		    param_text(event.received_at), param_bytes(event.line, strlen(event.line)),
		    param_number(event.pending), param_number(event.repeated)),
		NULL))
		return false;
	strbuf_addstr(sb, "{}");
	return true;
}

/* A number that is missing before an event of a minute ago is not going to appear. */
#define SETTLED_AFTER "interval '1 min'"

/* The position is that of the last event before those of that time and of the last minute, so that
 * it is before all numbers that are missing only because their writers have not committed.  Hosts
 * whose clocks differ number events in another order than that of their times, so the lowest number
 * among several is taken. */
#define SEEK                                                                                       \
	"SELECT coalesce(max(seq), 0)::text FROM event WHERE seq < coalesce((SELECT min(seq) "     \
	"FROM (SELECT seq FROM event WHERE received_at >= "                                        \
	"least(to_timestamp($1::bigint), now()) - " SETTLED_AFTER                                  \
	" ORDER BY received_at LIMIT 1000) AS e), 9223372036854775807)"

static bool
seek(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const PGresult *result;
	time_t since;

	if (!event_seek_decode(request, &since))
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session, SEEK, PARAMS(param_number(since)), &result))
		return false;
	event_found_encode(sb, result_number(result, 0, 0));
	return true;
}

/* The size of a line is known without reading it.  ORDER BY seq would sort by the column of
 * text. */
#define PAGE                                                                                       \
	"SELECT seq::text, (received_at < now() - " SETTLED_AFTER ")::int::text, line FROM ("      \
	"SELECT seq, received_at, line, sum(octet_length(line)) OVER (ORDER BY seq) "              \
	"- octet_length(line) AS before FROM ("                                                    \
	"SELECT seq, received_at, line FROM event WHERE seq > $1::bigint "                         \
	"ORDER BY seq LIMIT $2::bigint) AS e) AS p WHERE before < $3::bigint ORDER BY p.seq"

static bool
events(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const PGresult *result;
	int64_t seq;

	if (!event_after_decode(request, &seq))
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session, PAGE,
		PARAMS(param_number(seq), param_number(PAGE_EVENTS), param_number(PAGE_SIZE)),
		&result))
		return false;
	event_page_begin(sb);
	for (int row = 0; row < PQntuples(result); row++) {
		size_t len;
		const void *line = result_bytes(result, row, 2, &len);

		event_page_add(sb, result_number(result, row, 0),
		    result_number(result, row, 1) == 1, line, len);
	}
	event_page_end(sb);
	return true;
}

const struct verb event_verbs[] = {
	{ "append", append, 0 },
	{ "seek", seek, 0 },
	{ "events", events, 0 },
	{ NULL, NULL, 0 },
};
