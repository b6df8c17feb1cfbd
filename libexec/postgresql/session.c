/* session.c - see session.h. */
#include "session.h"

#include "base/clock.h"
#include "connect.h"
#include "sqlstate.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A host that dies must not keep row locks. */
#define BEGIN                                                                                      \
	"BEGIN ISOLATION LEVEL READ COMMITTED; "                                                   \
	"SET LOCAL idle_in_transaction_session_timeout = '10s'"

static void
keep_warning(void *arg, const PGresult *result)
{
	struct session *session = arg;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (session->warned || severity == NULL || strcmp(severity, "WARNING") != 0)
		return;
	session->warned = true;
	snprintf(session->warning, sizeof session->warning, "%s", message == NULL ? "" : message);
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
replace(char **copy, const char *text)
{
	free(*copy);
	*copy = text == NULL ? NULL : strdup(text);
	return *copy != NULL || text == NULL;
}

bool
session_set(struct ctx *ctx, struct session *session, const char *database,
    const char *password_file, int64_t deadline_ms)
{
	session->deadline_ms = deadline_ms;
	if (same(database, session->database) && same(password_file, session->password_file))
		return true;
	session_close(session);
	session->host = 0;
	return (replace(&session->database, database)
		   && replace(&session->password_file, password_file))
	    || fault(ctx, FAULT_SERVER, "no memory for the name of the database");
}

void
session_close(struct session *session)
{
	PQclear(session->result);
	session->result = NULL;
	PQfinish(session->conn);
	session->conn = NULL;
	session->open = false;
	session->schema_checked = false;
}

void
session_free(struct session *session)
{
	session_close(session);
	free(session->database);
	free(session->password_file);
	*session = (struct session){ .conn = NULL };
}

/* A server says nothing on an idle session, except when it ends it. */
static bool
is_connected(const struct session *session)
{
	struct pollfd ready = { .events = POLLIN };

	if (session->conn == NULL)
		return false;
	ready.fd = PQsocket(session->conn);
	return session->open || poll(&ready, 1, 0) == 0;
}

bool
session_connect(struct ctx *ctx, struct session *session)
{
	const struct connect_target target = {
		session->database,
		session->password_file,
		keep_warning,
		session,
	};

	if (is_connected(session))
		return true;
	session_close(session);
	session->conn = connect_database(ctx, &target, session->deadline_ms, &session->host);
	return session->conn != NULL;
}

/* Always false: what was sent may have been executed. */
static bool
lose(struct ctx *ctx, struct session *session)
{
	if (PQstatus(session->conn) == CONNECTION_BAD || clock_ms() < session->deadline_ms)
		ctx_fault(ctx, FAULT_UNAVAILABLE, "the database: %.*s",
		    (int)strcspn(PQerrorMessage(session->conn), "\n"),
		    PQerrorMessage(session->conn));
	else
		ctx_fault(ctx, FAULT_UNAVAILABLE, "the database did not reply in time");
	session_close(session);
	return false;
}

/* Waits for the results of what was sent, if that is 1. */
static bool
finish(struct ctx *ctx, struct session *session, int sent)
{
	if (sent != 1 || !wire_receive(session->conn, session->deadline_ms, &session->result))
		return lose(ctx, session);
	if (!wire_failed(session->result))
		return true;
	sqlstate_fault(ctx, session->result);
	if (PQstatus(session->conn) == CONNECTION_BAD || sqlstate_is_read_only(session->result))
		session_close(session);
	return false;
}

bool
session_query(struct ctx *ctx, struct session *session, const char *sql, const struct param *params,
    const PGresult **result)
{
	session->warned = false;
	if (!finish(ctx, session, wire_send(session->conn, sql, params)))
		return false;
	if (result != NULL)
		*result = session->result;
	return true;
}

/* Always false: whether it is stored, only a further look could tell. */
static bool
not_stored(struct ctx *ctx, struct session *session)
{
	ctx_fault(ctx, FAULT_UNAVAILABLE, "the database warned while it stored a change: %s",
	    session->warning);
	session_close(session);
	return false;
}

bool
session_change(struct ctx *ctx, struct session *session, const char *sql,
    const struct param *params, const PGresult **result)
{
	if (!session_query(ctx, session, sql, params, result))
		return false;
	return session->open || !session->warned || not_stored(ctx, session);
}

static bool
execute(struct ctx *ctx, struct session *session, const char *sql)
{
	session->warned = false;
	return finish(ctx, session, PQsendQuery(session->conn, sql));
}

bool
session_script(struct ctx *ctx, struct session *session, const char *sql, const PGresult **result)
{
	if (!execute(ctx, session, sql))
		return false;
	if (result != NULL)
		*result = session->result;
	return true;
}

bool
session_begin(struct ctx *ctx, struct session *session, const char *more, const PGresult **result)
{
	const char *sql;

	if (!ctx_printf(ctx, &sql, BEGIN "%s", more))
		return false;
	session->open = true;
	if (session_script(ctx, session, sql, result))
		return true;
	session_roll_back(session);
	return false;
}

int
session_changed(const struct session *session)
{
	return (int)strtol(PQcmdTuples(session->result), NULL, 10);
}

bool
session_literal(struct ctx *ctx, struct session *session, const char *text, const char **out)
{
	char *literal = PQescapeLiteral(session->conn, text, strlen(text));
	bool ok;

	if (literal == NULL)
		return fault(ctx, FAULT_SERVER, "a text cannot be sent to the database");
	ok = ctx_strndup(ctx, literal, strlen(literal), out);
	PQfreemem(literal);
	return ok;
}

/* A transaction in which a statement failed replies to COMMIT with ROLLBACK. */
bool
session_commit(struct ctx *ctx, struct session *session)
{
	bool done = execute(ctx, session, "COMMIT");

	session->open = false;
	if (!done)
		return false;
	if (session->warned)
		return not_stored(ctx, session);
	return strcmp(PQcmdStatus(session->result), "COMMIT") == 0
	    || fault(ctx, FAULT_UNAVAILABLE, "the database rolled a transaction back");
}

void
session_roll_back(struct session *session)
{
	if (session->conn == NULL || !session->open)
		return;
	session->open = false;
	session->warned = false;
	if (PQsendQuery(session->conn, "ROLLBACK") != 1
	    || !wire_receive(session->conn, session->deadline_ms, &session->result)
	    || wire_failed(session->result))
		session_close(session);
}
