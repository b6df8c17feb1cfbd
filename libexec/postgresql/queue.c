/* queue.c - the verbs of the delivery queue: claim, next, taken, passed, put_off, bury, release.
 *
 * The messages are encoded and decoded in common/events/queue_message.c.
 *
 * An account with events in table pending is delivered by whoever has claimed it in table delivery,
 * for a time by the database's clock.  Each claim has a token of its own, which fences off a
 * deliverer whose claim has passed to another: its statements then change nothing.  All of them may
 * be repeated, since a reply may be lost.
 */
#include "events/queue_message.h"
#include "verb.h"

#include <string.h>

/* Times further away than any that is written are from before the clock was set back. */
#define OF_ANOTHER "(until >= now() AND until < now() + interval '1 hour' AND holder <> $2)"
#define NOT_DUE    "(next_at > now() AND next_at < now() + interval '2 days')"

/* Looks for the first pending account of each gap between those that cannot be claimed.  So neither
 * an account that is blocked, nor the many events that wait behind it, are read again and again. */
#define FIND                                                                                       \
	"WITH busy AS (SELECT $1::bigint AS account_id UNION "                                     \
	"SELECT account_id FROM delivery WHERE account_id > $1 "                                   \
	"AND (" OF_ANOTHER " OR " NOT_DUE ")), "                                                   \
	"gap AS (SELECT account_id AS after, "                                                     \
	"lead(account_id, 1, 9223372036854775807) OVER (ORDER BY account_id) AS before "           \
	"FROM busy) "                                                                              \
	"SELECT p.account_id::text FROM gap CROSS JOIN LATERAL ("                                  \
	"SELECT account_id FROM pending WHERE account_id > gap.after "                             \
	"AND account_id < gap.before ORDER BY account_id LIMIT 1) p ORDER BY gap.after LIMIT 1"

/* Another deliverer may have claimed it since. */
#define CLAIM                                                                                      \
	"INSERT INTO delivery AS d (account_id, holder, token, until) "                            \
	"VALUES ($1, $2, nextval('lease_seq'), now() + $3::bigint * interval '1 ms') "             \
	"ON CONFLICT (account_id) DO UPDATE SET holder = excluded.holder, "                        \
	"token = excluded.token, until = excluded.until "                                          \
	"WHERE NOT (d.until >= now() AND d.until < now() + interval '1 hour' "                     \
	"AND d.holder <> excluded.holder) "                                                        \
	"AND NOT (d.next_at > now() AND d.next_at < now() + interval '2 days') "                   \
	"RETURNING token::text, attempts::text, rejections::text"

#define BLOCKED "SELECT count(*)::text FROM delivery WHERE attempts > 0"

static bool
find_account(struct ctx *ctx, struct session *session, const struct queue_search *search,
    int64_t *account_id, bool *found)
{
	const PGresult *result;

	if (!session_query(ctx, session, FIND,
		PARAMS(param_number(search->after), param_text(search->holder)), &result))
		return false;
	*found = PQntuples(result) > 0;
	if (*found)
		*account_id = result_number(result, 0, 0);
	return true;
}

static bool
claim_account(
    struct ctx *ctx, struct session *session, const char *holder, struct queue_claim *claim)
{
	const PGresult *result;

	if (!session_change(ctx, session, CLAIM,
		PARAMS(param_number(claim->account_id), param_text(holder),
		    param_number(QUEUE_CLAIM_MS)),
		&result))
		return false;
	if (PQntuples(result) > 0) {
		claim->token = result_number(result, 0, 0);
		claim->attempts = result_number(result, 0, 1);
		claim->rejections = result_number(result, 0, 2);
	}
	return true;
}

static bool
count_blocked(struct ctx *ctx, struct session *session, int64_t *blocked)
{
	const PGresult *result;

	if (!session_query(ctx, session, BLOCKED, NULL, &result))
		return false;
	*blocked = result_number(result, 0, 0);
	return true;
}

static bool
claim(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct session *session = &server->session;
	struct queue_claim claim = { .token = 0 };
	struct queue_search search;
	bool found = true;

	if (!queue_search_decode(request, &search))
		return verb_refuse(ctx);
	while (found && claim.token == 0) {
		if (!find_account(ctx, session, &search, &claim.account_id, &found)
		    || (found && !claim_account(ctx, session, search.holder, &claim)))
			return false;
		search.after = claim.account_id;
	}
	if (!found && !count_blocked(ctx, session, &claim.blocked))
		return false;
	queue_claim_encode(sb, &claim);
	return true;
}

/* A repetition: an event that was delivered, or given up, has the same id and was received within
 * 24 hours before it, or after it if the clock was set back.  One with a later number counts too,
 * once it no longer waits: writers may commit in another order than that of their numbers. */
#define NEXT                                                                                       \
	"SELECT coalesce(p.seq, 0)::text, CASE WHEN NOT EXISTS ("                                  \
	"SELECT 1 FROM event b WHERE b.account_id = e.account_id AND b.id = e.id "                 \
	"AND b.to_deliver AND b.received_at > e.received_at - interval '24 hours' "                \
	"AND b.received_at < e.received_at + interval '24 hours' "                                 \
	"AND (b.seq < e.seq OR (b.seq > e.seq AND NOT EXISTS ("                                    \
	"SELECT 1 FROM pending q WHERE q.account_id = b.account_id AND q.seq = b.seq)))) "         \
	"THEN e.line END "                                                                         \
	"FROM delivery d LEFT JOIN LATERAL (SELECT seq FROM pending "                              \
	"WHERE account_id = d.account_id ORDER BY seq LIMIT 1) p ON true "                         \
	"LEFT JOIN event e ON e.account_id = d.account_id AND e.seq = p.seq "                      \
	"WHERE d.account_id = $1 AND d.token = $2::bigint"

static bool
next(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct queue_event event = { .claimed = false };
	struct queue_step step;
	const PGresult *result;

	if (!queue_step_decode(request, &step))
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session, NEXT,
		PARAMS(param_number(step.account_id), param_number(step.token)), &result))
		return false;
	if (PQntuples(result) > 0) {
		event.claimed = true;
		event.seq = result_number(result, 0, 0);
		event.line = result_bytes(result, 0, 1, &event.len);
	}
	queue_event_encode(sb, &event);
	return true;
}

/* Whether the claim is still ours is said by its row, and not by that of pending, which an earlier
 * attempt may have deleted. */
#define SETTLED(change)                                                                            \
	"WITH mine AS (UPDATE delivery SET " change " WHERE account_id = $1 "                      \
	"AND token = $2::bigint RETURNING account_id)"
#define IS_MINE " SELECT count(*)::text FROM mine"
#define RENEWED                                                                                    \
	"until = now() + $3::bigint * interval '1 ms', attempts = 0, rejections = 0, "             \
	"next_at = 'epoch'"
#define REMOVED                                                                                    \
	", gone AS (DELETE FROM pending p USING mine WHERE p.account_id = mine.account_id "        \
	"AND p.seq = $4::bigint RETURNING p.account_id, p.seq)"

/* Replies with whether the statement's count is one. */
static bool
settle(struct ctx *ctx, struct server *server, const char *sql, const struct param *params,
    struct strbuf *sb)
{
	const PGresult *result;

	if (!session_change(ctx, &server->session, sql, params, &result))
		return false;
	queue_claimed_encode(sb, result_number(result, 0, 0) == 1);
	return true;
}

static bool
remove_event(struct ctx *ctx, struct server *server, const char *sql,
    const struct json_object *request, struct strbuf *sb)
{
	struct queue_step step;

	if (!queue_step_decode(request, &step))
		return verb_refuse(ctx);
	return settle(ctx, server, sql,
	    PARAMS(param_number(step.account_id), param_number(step.token),
		param_number(QUEUE_CLAIM_MS), param_number(step.seq)),
	    sb);
}

static bool
taken(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	return remove_event(ctx, server, SETTLED(RENEWED) REMOVED IS_MINE, request, sb);
}

/* It is neither delivered nor given up, so that no other event is its repetition. */
#define PASSED                                                                                     \
	SETTLED(RENEWED)                                                                           \
	REMOVED                                                                                    \
	", left_out AS (UPDATE event e SET to_deliver = false FROM gone "                          \
	"WHERE e.account_id = gone.account_id AND e.seq = gone.seq)" IS_MINE

static bool
passed(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	return remove_event(ctx, server, PASSED, request, sb);
}

/* Ends the claim, too. */
#define PUT_OFF                                                                                    \
	SETTLED("until = 'epoch', attempts = $3::int, rejections = $4::int, "                      \
		"next_at = now() + $5::bigint * interval '1 s'")                                   \
	IS_MINE

static bool
put_off(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct queue_step step;

	if (!queue_step_decode(request, &step))
		return verb_refuse(ctx);
	return settle(ctx, server, PUT_OFF,
	    PARAMS(param_number(step.account_id), param_number(step.token),
		param_number(step.attempts), param_number(step.rejections),
		param_number(step.wait_s)),
	    sb);
}

#define BURY                                                                                       \
	SETTLED(RENEWED)                                                                           \
	REMOVED                                                                                    \
	", buried AS (INSERT INTO dead (account_id, seq, died_at, reason, line) "                  \
	"SELECT e.account_id, e.seq, now(), $5::text, e.line FROM gone "                           \
	"JOIN event e ON e.account_id = gone.account_id AND e.seq = gone.seq "                     \
	"ON CONFLICT DO NOTHING)" IS_MINE

static bool
bury(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct queue_step step;

	if (!queue_step_decode(request, &step) || step.reason == NULL)
		return verb_refuse(ctx);
	return settle(ctx, server, BURY,
	    PARAMS(param_number(step.account_id), param_number(step.token),
		param_number(QUEUE_CLAIM_MS), param_number(step.seq), param_text(step.reason)),
	    sb);
}

/* An account without further events needs no row. */
#define WAITS "EXISTS (SELECT 1 FROM pending WHERE account_id = $1)"
#define RELEASE                                                                                    \
	"WITH gone AS (DELETE FROM delivery WHERE account_id = $1 AND token = $2::bigint "         \
	"AND NOT " WAITS " RETURNING 1), "                                                         \
	"freed AS (UPDATE delivery SET until = 'epoch' WHERE account_id = $1 "                     \
	"AND token = $2::bigint AND " WAITS " RETURNING 1) "                                       \
	"SELECT ((SELECT count(*) FROM gone) + (SELECT count(*) FROM freed))::text"

static bool
release(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct queue_step step;

	if (!queue_step_decode(request, &step))
		return verb_refuse(ctx);
	return settle(ctx, server, RELEASE,
	    PARAMS(param_number(step.account_id), param_number(step.token)), sb);
}

const struct verb queue_verbs[] = {
	{ "claim", claim, VERB_OUTSIDE },
	{ "next", next, VERB_OUTSIDE },
	{ "taken", taken, VERB_OUTSIDE },
	{ "passed", passed, VERB_OUTSIDE },
	{ "put_off", put_off, VERB_OUTSIDE },
	{ "bury", bury, VERB_OUTSIDE },
	{ "release", release, VERB_OUTSIDE },
	{ NULL, NULL, 0 },
};
