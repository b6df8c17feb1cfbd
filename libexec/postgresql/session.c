/* session.c - see session.h. */
#include "session.h"

#include "base/clock.h"
#include "connect.h"
#include "sqlstate.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_SIZE 24 /* bytes of a 64-bit number in decimal */

/* A host that dies must not keep row locks. */
#define BEGIN                                                                                      \
	"BEGIN ISOLATION LEVEL READ COMMITTED; "                                                   \
	"SET LOCAL idle_in_transaction_session_timeout = '10s'"

struct param
param_text(const char *text)
{
	return (struct param){ PARAM_TEXT, text, 0, 0 };
}

struct param
param_bytes(const void *bytes, size_t len)
{
	return (struct param){ PARAM_BYTES, bytes, len, 0 };
}

struct param
param_number(int64_t number)
{
	return (struct param){ PARAM_NUMBER, NULL, 0, number };
}

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

static void
clear_result(struct session *session)
{
	PQclear(session->result);
	session->result = NULL;
}

void
session_close(struct session *session)
{
	clear_result(session);
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

/* False: not in time, or the connection is lost. */
static bool
flush(const struct session *session)
{
	int left;

	while ((left = PQflush(session->conn)) == 1)
		if (!connect_wait(PQsocket(session->conn), POLLIN | POLLOUT, session->deadline_ms)
		    || PQconsumeInput(session->conn) == 0)
			return false;
	return left == 0;
}

static bool
wait_for_result(const struct session *session)
{
	while (PQisBusy(session->conn))
		if (!connect_wait(PQsocket(session->conn), POLLIN, session->deadline_ms)
		    || PQconsumeInput(session->conn) == 0)
			return false;
	return true;
}

static bool
failed(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

/* Keeps the result of the last statement, or that of the one that failed. */
static bool
receive(struct session *session)
{
	for (;;) {
		PGresult *result;

		if (!wait_for_result(session))
			return false;
		result = PQgetResult(session->conn);
		if (result == NULL)
			return session->result != NULL;
		if (session->result != NULL && failed(session->result)) {
			PQclear(result);
			continue;
		}
		clear_result(session);
		session->result = result;
	}
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

static void
prepare(struct session *session)
{
	clear_result(session);
	session->warned = false;
}

/* Waits for the results of what was sent, if that is 1. */
static bool
finish(struct ctx *ctx, struct session *session, int sent)
{
	if (sent != 1 || !flush(session) || !receive(session))
		return lose(ctx, session);
	if (!failed(session->result))
		return true;
	sqlstate_fault(ctx, session->result);
	if (PQstatus(session->conn) == CONNECTION_BAD || sqlstate_is_read_only(session->result))
		session_close(session);
	return false;
}

static int
send_params(struct session *session, const char *sql, const struct param *params)
{
	const char *values[PARAMS_MAX];
	char numbers[PARAMS_MAX][NUMBER_SIZE];
	int lengths[PARAMS_MAX] = { 0 };
	int formats[PARAMS_MAX] = { 0 };
	int count = 0;

	for (; params != NULL && count < PARAMS_MAX && params->type != PARAM_END; params++) {
		values[count] = params->bytes;
		if (params->type == PARAM_NUMBER) {
			snprintf(numbers[count], NUMBER_SIZE, "%lld", (long long)params->number);
			values[count] = numbers[count];
		}
		lengths[count] = (int)params->len;
		formats[count] = params->type == PARAM_BYTES;
		count++;
	}
	return PQsendQueryParams(session->conn, sql, count, NULL, values, lengths, formats, 1);
}

bool
session_query(struct ctx *ctx, struct session *session, const char *sql, const struct param *params,
    const PGresult **result)
{
	prepare(session);
	if (!finish(ctx, session, send_params(session, sql, params)))
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
	prepare(session);
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
	prepare(session);
	if (PQsendQuery(session->conn, "ROLLBACK") != 1 || !flush(session) || !receive(session)
	    || failed(session->result))
		session_close(session);
}

const void *
result_bytes(const PGresult *result, int row, int column, size_t *len)
{
	*len = (size_t)PQgetlength(result, row, column);
	return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}

bool
result_text(struct ctx *ctx, const PGresult *result, int row, int column, const char **text)
{
	size_t len;
	const char *bytes = result_bytes(result, row, column, &len);

	*text = NULL;
	return bytes == NULL || ctx_strndup(ctx, bytes, len, text);
}

int64_t
result_number(const PGresult *result, int row, int column)
{
	return strtoll(PQgetvalue(result, row, column), NULL, 10);
}
