/* schema.c - see schema.h.
 *
 *   -> {"do":"init",…}
 *   <- {"schema":1,"created":0}
 */
#include "schema.h"

#include "verb.h"

#include <stdio.h>
#include <string.h>

#define READ_VERSION "SELECT value FROM meta WHERE name = 'schema'"

/* Others wait until this transaction has ended.  Without meta, one of several creates it, and the
 * others fail, and find it on their next attempt. */
#define LOCK                                                                                       \
	"; CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)"           \
	"; LOCK TABLE meta IN SHARE ROW EXCLUSIVE MODE"

#define WRITE_VERSION                                                                              \
	"INSERT INTO meta VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = "         \
	"excluded.value"

/* 0: there is no schema. */
static bool
read_version(struct ctx *ctx, struct session *session, int64_t *version)
{
	const PGresult *result;

	if (!session_query(ctx, session, READ_VERSION, NULL, &result))
		return false;
	*version = PQntuples(result) == 0 ? 0 : result_number(result, 0, 0);
	return true;
}

static bool
refuse_newer(struct ctx *ctx, int64_t version)
{
	return fault(ctx, FAULT_CONFIG,
	    "the database has schema %lld, and this program knows %d: upgrade the programs of this "
	    "host",
	    (long long)version, SCHEMA_VERSION);
}

bool
schema_check(struct ctx *ctx, struct session *session)
{
	int64_t version;

	if (session->schema_checked)
		return true;
	if (!read_version(ctx, session, &version))
		return false;
	if (version > SCHEMA_VERSION)
		return refuse_newer(ctx, version);
	if (version < SCHEMA_OLDEST)
		return fault(ctx, FAULT_CONFIG,
		    "the database has schema %lld, and %d is needed: run `amocrmctl engine init`",
		    (long long)version, SCHEMA_OLDEST);
	session->schema_checked = true;
	return true;
}

static bool
create_tables(struct ctx *ctx, struct session *session)
{
	const char *sql;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	for (size_t i = 0; schema_lines[i] != NULL; i++)
		strbuf_addstr(&sb, schema_lines[i]);
	return strbuf_finish(&sb, &sql) && session_script(ctx, session, sql, NULL);
}

static bool
write_version(struct ctx *ctx, struct session *session)
{
	const char *version;

	return ctx_printf(ctx, &version, "%d", SCHEMA_VERSION)
	    && session_query(ctx, session, WRITE_VERSION, PARAMS(param_text(version)), NULL);
}

static bool
upgrade(struct ctx *ctx, struct session *session, bool *created)
{
	int64_t version;

	if (!read_version(ctx, session, &version))
		return false;
	if (version > SCHEMA_VERSION)
		return refuse_newer(ctx, version);
	*created = version < SCHEMA_VERSION;
	return (!*created || (create_tables(ctx, session) && write_version(ctx, session)))
	    && session_commit(ctx, session);
}

/* Needs no right to create anything where nothing is to be created. */
static bool
is_current(struct ctx *ctx, struct session *session)
{
	int64_t version;

	if (read_version(ctx, session, &version))
		return version == SCHEMA_VERSION;
	if (session->conn != NULL && ctx->kind == FAULT_CONFIG)
		ctx_clear_fault(ctx);
	return false;
}

/* Always false.  By default only the owner of a database may create tables in it. */
static bool
tell_cure(struct ctx *ctx, const char *user, const char *database)
{
	char reason[CTX_REASON_MAX];

	if (ctx->kind != FAULT_CONFIG
	    || (strstr(ctx->reason, "(42501)") == NULL && strstr(ctx->reason, "(3F000)") == NULL))
		return false;
	snprintf(reason, sizeof reason, "%.*s", (int)strcspn(ctx->reason, ";"), ctx->reason);
	ctx_clear_fault(ctx);
	return fault(ctx, FAULT_CONFIG,
	    "%s: the tables are made by the owner of the database; as a superuser: "
	    "ALTER DATABASE %s OWNER TO %s",
	    reason, database, user);
}

static bool
init(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct session *session = &server->session;
	bool created = false;
	const char *user;
	const char *database;

	(void)request;
	if (!session_connect(ctx, session)
	    || !ctx_strndup(ctx, PQuser(session->conn), strlen(PQuser(session->conn)), &user)
	    || !ctx_strndup(ctx, PQdb(session->conn), strlen(PQdb(session->conn)), &database))
		return false;
	if (!is_current(ctx, session)
	    && (ctx->kind != FAULT_NONE || !session_begin(ctx, session, LOCK, NULL)
		|| !upgrade(ctx, session, &created))) {
		session_roll_back(session);
		return tell_cure(ctx, user, database);
	}
	strbuf_addf(sb, "{\"schema\":%d,\"created\":%d}", SCHEMA_VERSION, created);
	return true;
}

const struct verb schema_verbs[] = {
	{ "init", init, VERB_CONNECTS },
	{ NULL, NULL, 0 },
};
