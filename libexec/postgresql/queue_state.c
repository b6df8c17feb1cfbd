/* queue_state.c - the verbs about all events: prune_events, queue_state.
 *
 * The messages are encoded and decoded in common/events/queue_message.c.
 */
#include "events/queue_message.h"
#include "verb.h"

#define PRUNE                                                                                      \
	"WITH old AS (SELECT account_id, seq FROM event e "                                        \
	"WHERE received_at < now() - $1::bigint * interval '1 s' AND ($2::boolean OR NOT EXISTS (" \
	"SELECT 1 FROM pending p WHERE p.account_id = e.account_id AND p.seq = e.seq)) "           \
	"ORDER BY received_at LIMIT $3::bigint), "                                                 \
	"gone AS (DELETE FROM pending p USING old "                                                \
	"WHERE p.account_id = old.account_id AND p.seq = old.seq) "                                \
	"DELETE FROM event e USING old WHERE e.account_id = old.account_id AND e.seq = old.seq"

/* What blocked an account was removed. */
#define PRUNE_ACCOUNTS                                                                             \
	"DELETE FROM delivery d WHERE until < now() AND NOT EXISTS ("                              \
	"SELECT 1 FROM pending p WHERE p.account_id = d.account_id)"

static bool
prune_events(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct queue_prune prune;
	int pruned;

	if (!queue_prune_decode(request, &prune))
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session, PRUNE,
		PARAMS(param_number(prune.keep_s), param_number(prune.waiting),
		    param_number(QUEUE_PRUNE_MAX)),
		NULL))
		return false;
	pruned = session_changed(&server->session);
	if (!session_query(ctx, &server->session, PRUNE_ACCOUNTS, NULL, NULL))
		return false;
	queue_pruned_encode(sb, pruned);
	return true;
}

/* A time as seconds since the epoch; 0: null. */
#define SECONDS_OF "coalesce(floor(extract(epoch FROM "
#define AS_TEXT    ")), 0)::bigint::text"

/* Those of a blocked account wait for its receiver, and not for a deliverer. */
#define WAITING                                                                                    \
	"SELECT count(*) AS waiting, min(e.received_at) AS oldest, "                               \
	"count(*) FILTER (WHERE e.received_at < to_timestamp($1::bigint)) AS old "                 \
	"FROM pending p JOIN event e ON e.account_id = p.account_id AND e.seq = p.seq "            \
	"WHERE NOT EXISTS (SELECT 1 FROM delivery d "                                              \
	"WHERE d.account_id = p.account_id AND d.attempts > 0)"

/* Those received since, and all that wait. */
#define STATE                                                                                      \
	"SELECT ((SELECT count(*) FROM event WHERE received_at >= to_timestamp($1::bigint)) "      \
	"+ old)::text, " SECONDS_OF "(SELECT max(received_at) FROM event)" AS_TEXT ", "            \
	"waiting::text, " SECONDS_OF "oldest" AS_TEXT ", "                                         \
	"(SELECT count(*) FROM dead)::text, "                                                      \
	"(SELECT count(*) FROM delivery WHERE attempts > 0)::text FROM (" WAITING ") w"

#define ONE_BLOCKED                                                                                \
	"SELECT account_id::text, attempts::text, " SECONDS_OF "next_at" AS_TEXT                   \
	" FROM delivery d WHERE attempts > 0 ORDER BY d.account_id LIMIT 1"

static bool
count_events(
    struct ctx *ctx, struct session *session, int64_t since, struct delivery_status *status)
{
	const PGresult *result;

	if (!session_query(ctx, session, STATE, PARAMS(param_number(since)), &result))
		return false;
	status->events = (size_t)result_number(result, 0, 0);
	status->newest = result_number(result, 0, 1);
	status->waiting = (size_t)result_number(result, 0, 2);
	status->waiting_since = result_number(result, 0, 3);
	status->dead = (size_t)result_number(result, 0, 4);
	status->blocked = (size_t)result_number(result, 0, 5);
	return true;
}

static bool
describe_blocked(struct ctx *ctx, struct session *session, struct delivery_status *status)
{
	const PGresult *result;

	if (!session_query(ctx, session, ONE_BLOCKED, NULL, &result))
		return false;
	if (PQntuples(result) == 0)
		return true;
	status->account_id = result_number(result, 0, 0);
	status->attempts = (int)result_number(result, 0, 1);
	status->next_at = result_number(result, 0, 2);
	return true;
}

static bool
queue_state(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct delivery_status status = { .events = 0 };
	int64_t since;

	if (!queue_since_decode(request, &since))
		return verb_refuse(ctx);
	if (!count_events(ctx, &server->session, since, &status)
	    || !describe_blocked(ctx, &server->session, &status))
		return false;
	queue_state_encode(sb, &status);
	return true;
}

const struct verb queue_state_verbs[] = {
	{ "prune_events", prune_events, VERB_OUTSIDE },
	{ "queue_state", queue_state, VERB_OUTSIDE },
	{ NULL, NULL, 0 },
};
