/* probe.c - what `amocrmctl check` asks.
 *
 *   -> {"do":"probe",…}
 *   <- {"host":…,"port":…,"clock_ahead_ms":-3,"version":"15.18","user":…,"superuser":false,
 *       "synchronous_commit":"on","synchronous_standby_names":…,"fsync":"on",
 *       "full_page_writes":"on","standbys":2,"synchronous":null,"missing":…,
 *       "known":1,"schema":1,"keys":{"k1":"<sha256>"}}
 *
 * synchronous: how many of the standbys are; null: the user may not see it.  missing: the rights
 * that the user does not have, as "SELECT on record, …"; null: none.  known: the schema that this
 * program knows.  schema is 0, and keys null, where there is none; both are null where the user may
 * not read them.
 *
 *   -> {"do":"try_disk",…}
 *   <- {"tried":true}
 *
 * tried: false if the user may not create temporary tables.
 *
 *   -> {"do":"time_commits",…}
 *   <- {"median_us":2100}
 */
#include "schema.h"
#include "verb.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMITS 5

/* Rights on what does not exist are null, and are not missing. */
#define MISSING                                                                                    \
	"SELECT wanted || ' on ' || name AS name"                                                  \
	" FROM unnest(ARRAY['meta', 'record', 'turn', 'lease', 'event', 'pending', 'delivery',"    \
	" 'dead', 'call']) name,"                                                                  \
	" unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) wanted"                            \
	" WHERE NOT has_table_privilege(to_regclass(name), wanted)"                                \
	" UNION ALL SELECT 'USAGE on ' || name"                                                    \
	" FROM unnest(ARRAY['event_seq', 'lease_seq']) name"                                       \
	" WHERE NOT has_sequence_privilege(to_regclass(name), 'USAGE')"

/* sync_state is null for those who may not see it. */
#define SERVER                                                                                     \
	"SELECT json_build_object('version', current_setting('server_version'),"                   \
	" 'user', current_user, 'superuser',"                                                      \
	" (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"                           \
	" 'synchronous_commit', current_setting('synchronous_commit'),"                            \
	" 'synchronous_standby_names', current_setting('synchronous_standby_names'),"              \
	" 'fsync', current_setting('fsync'),"                                                      \
	" 'full_page_writes', current_setting('full_page_writes'),"                                \
	" 'standbys', (SELECT count(*) FROM pg_stat_replication),"                                 \
	" 'synchronous', (SELECT CASE WHEN count(*) = count(sync_state) THEN"                      \
	" count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) END FROM pg_stat_replication)," \
	" 'missing', (SELECT string_agg(name, ', ' ORDER BY name) FROM (" MISSING ") m))::text,"   \
	" (to_regclass('meta') IS NOT NULL)::int::text,"                                           \
	" coalesce(has_table_privilege(to_regclass('meta'), 'SELECT'), false)::int::text"

#define META                                                                                       \
	"SELECT (SELECT value FROM meta WHERE name = 'schema'),"                                   \
	" (SELECT json_object_agg(substr(name, 5), value) FROM meta WHERE name LIKE "              \
	"'key:%')::text"

#define MAY_CREATE "SELECT has_database_privilege(current_database(), 'TEMPORARY')::int::text"

/* A megabyte.  Other tables may have room in their pages when the disk is full. */
#define CREATE "CREATE TEMPORARY TABLE amo_crm_check AS SELECT generate_series(1, 30000)"

#define COMMIT                                                                                     \
	"INSERT INTO turn VALUES ('check') ON CONFLICT (name) DO UPDATE SET name = excluded.name"

static int64_t
wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The time on the way is taken as half of the round trip. */
static bool
compare_clocks(struct ctx *ctx, struct session *session, int64_t *ahead_ms)
{
	int64_t before = wall_ms();
	const PGresult *result;

	if (!session_query(ctx, session,
		"SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text", NULL,
		&result))
		return false;
	*ahead_ms = result_number(result, 0, 0) - (before + wall_ms()) / 2;
	return true;
}

/* Appends the members of an object that the server has made. */
static bool
add_members(struct ctx *ctx, const PGresult *result, struct strbuf *sb)
{
	const char *object;

	if (!result_text(ctx, result, 0, 0, &object))
		return false;
	strbuf_addch(sb, ',');
	strbuf_add(sb, object + 1, strlen(object) - 2);
	return true;
}

static bool
add_meta(struct ctx *ctx, struct session *session, struct strbuf *sb)
{
	const PGresult *result;
	const char *keys;

	if (!session_query(ctx, session, META, NULL, &result)
	    || !result_text(ctx, result, 0, 1, &keys))
		return false;
	strbuf_addf(sb, ",\"schema\":%lld,\"keys\":%s",
	    (long long)(PQgetisnull(result, 0, 0) ? 0 : result_number(result, 0, 0)),
	    keys == NULL ? "null" : keys);
	return true;
}

static bool
probe(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct session *session = &server->session;
	const PGresult *result;
	int64_t ahead_ms;
	bool exists;
	bool readable;

	(void)request;
	if (!session_connect(ctx, session) || !compare_clocks(ctx, session, &ahead_ms)
	    || !session_query(ctx, session, SERVER, NULL, &result))
		return false;
	exists = result_number(result, 0, 1) == 1;
	readable = result_number(result, 0, 2) == 1;
	strbuf_addch(sb, '{');
	json_add_member(sb, "host", PQhost(session->conn));
	json_add_member(sb, "port", PQport(session->conn));
	strbuf_addf(
	    sb, ",\"clock_ahead_ms\":%lld,\"known\":%d", (long long)ahead_ms, SCHEMA_VERSION);
	if (!add_members(ctx, result, sb))
		return false;
	if (!readable)
		strbuf_addf(sb, ",\"schema\":%s,\"keys\":null", exists ? "null" : "0");
	else if (!add_meta(ctx, session, sb))
		return false;
	strbuf_addch(sb, '}');
	return true;
}

/* The tables are in the database's tablespace; temporary ones may be elsewhere. */
static bool
write_table(struct ctx *ctx, struct session *session)
{
	bool ok = session_begin(ctx, session, "; SET LOCAL temp_tablespaces = ''", NULL)
	    && session_query(ctx, session, CREATE, NULL, NULL);

	session_roll_back(session);
	return ok;
}

static bool
try_disk(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const PGresult *result;
	bool may;

	(void)request;
	if (!session_query(ctx, &server->session, MAY_CREATE, NULL, &result))
		return false;
	may = result_number(result, 0, 0) == 1;
	if (may && !write_table(ctx, &server->session))
		return false;
	strbuf_addf(sb, "{\"tried\":%s}", may ? "true" : "false");
	return true;
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a;
	int64_t y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static bool
time_commits(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	int64_t took_us[COMMITS];

	(void)request;
	for (int i = 0; i < COMMITS; i++) {
		int64_t before = now_us();

		if (!session_change(ctx, &server->session, COMMIT, NULL, NULL))
			return false;
		took_us[i] = now_us() - before;
	}
	qsort(took_us, COMMITS, sizeof *took_us, compare);
	strbuf_addf(sb, "{\"median_us\":%lld}", (long long)took_us[COMMITS / 2]);
	return true;
}

const struct verb probe_verbs[] = {
	{ "probe", probe, VERB_CONNECTS },
	{ "try_disk", try_disk, VERB_OUTSIDE },
	{ "time_commits", time_commits, 0 },
	{ NULL, NULL, 0 },
};
