/* state.c - what `amocrmctl engine state` shows.
 *
 *   -> {"do":"state",…}
 *   <- {"primary":"db1:5432","server_version":"15.18","schema":1,
 *       "standbys":[{"name":"db2","sync_state":"quorum"},…],"leases_held":0,"leases_over":0,
 *       "pending":0,"oldest_pending_at":"2026-11-22T04:19:00Z","oldest_pending_s":0,
 *       "blocked_accounts":0,"dead":0,"connections":0,"events":0,"size_bytes":7708007}
 *
 * The two of the oldest pending event are null where none is pending; sync_state is null where the
 * user may not see it.
 */
#include "schema.h"
#include "verb.h"

#include <string.h>

/* Over a million events are estimated, as counting them takes seconds. */
#define STATE                                                                                      \
	"SELECT json_build_object('server_version', current_setting('server_version'),"            \
	" 'schema', (SELECT value::int FROM meta WHERE name = 'schema'),"                          \
	" 'standbys', (SELECT coalesce(json_agg(json_build_object('name', application_name,"       \
	" 'sync_state', sync_state) ORDER BY application_name), '[]') FROM pg_stat_replication),"  \
	" 'leases_held', (SELECT count(*) FROM lease WHERE until > now()),"                        \
	" 'leases_over', (SELECT count(*) FROM lease WHERE until <= now() AND until > 'epoch'),"   \
	" 'pending', (SELECT count(*) FROM pending),"                                              \
	" 'oldest_pending_at', to_char(oldest AT TIME ZONE 'UTC', "                                \
	"'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"                                                       \
	" 'oldest_pending_s', CASE WHEN oldest IS NOT NULL THEN"                                   \
	" greatest(0, extract(epoch FROM now() - oldest)::bigint) END,"                            \
	" 'blocked_accounts', (SELECT count(*) FROM delivery WHERE attempts > 0 AND account_id IN" \
	" (SELECT account_id FROM pending)),"                                                      \
	" 'dead', (SELECT count(*) FROM dead),"                                                    \
	" 'connections', (SELECT count(*) FROM record WHERE key >= 'connection:'"                  \
	" AND key < 'connection;'),"                                                               \
	" 'events', (SELECT CASE WHEN reltuples > 1000000 THEN reltuples::bigint"                  \
	" ELSE (SELECT count(*) FROM event) END FROM pg_class WHERE oid = 'event'::regclass),"     \
	" 'size_bytes', pg_database_size(current_database()))::text"                               \
	" FROM (SELECT min(received_at) AS oldest FROM pending JOIN event USING (account_id, "     \
	"seq)) o"

static bool
state(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct session *session = &server->session;
	const PGresult *result;
	const char *primary;
	const char *object;

	(void)request;
	if (!session_query(ctx, session, STATE, NULL, &result)
	    || !result_text(ctx, result, 0, 0, &object)
	    || !ctx_printf(ctx, &primary, "%s:%s", PQhost(session->conn), PQport(session->conn)))
		return false;
	strbuf_addch(sb, '{');
	json_add_member(sb, "primary", primary);
	strbuf_addch(sb, ',');
	strbuf_addstr(sb, object + 1);
	return true;
}

const struct verb state_verbs[] = {
	{ "state", state, 0 },
	{ NULL, NULL, 0 },
};
