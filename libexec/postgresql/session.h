/* session.h - one session of a PostgreSQL server, made again when it is lost.
 *
 * Every statement has until the request's deadline.  A session that does not reply in time is
 * closed, and no statement is cancelled: a commit that waits for a standby would then be reported
 * as done.  A WARNING during a commit means that it may be missing on the standbys, so the commit
 * counts as failed.
 *
 * Works through PgBouncer in transaction mode: nothing is set for a session, and no prepared
 * statement, advisory lock or temporary table is used.
 */
#ifndef SESSION_H
#define SESSION_H

#include "base/ctx.h"
#include "wire.h"

#include <libpq-fe.h>
#include <stdint.h>

#define SESSION_WARNING_SIZE 120

struct session {
	PGconn *conn;        /* NULL: not connected */
	char *database;      /* as the last request named it; NULL: none was */
	char *password_file; /* NULL: none */
	size_t host;         /* the index of the one that was reached last */
	int64_t deadline_ms; /* of the request, by clock_ms */
	bool open;           /* a transaction is */
	bool schema_checked; /* it is one that this program knows */
	PGresult *result;    /* of the last statement */
	bool warned;         /* the last statement caused a WARNING */
	char warning[SESSION_WARNING_SIZE];
};

/* Sets what to connect to, and until when.  False with a fault: no memory. */
bool session_set(struct ctx *ctx, struct session *session, const char *database,
    const char *password_file, int64_t deadline_ms);

/* Connects, unless the session still is connected.  Fault: see connect_database. */
bool session_connect(struct ctx *ctx, struct session *session);

/* Rolls back, disconnects, and keeps what to connect to. */
void session_close(struct session *session);

/* Closes and frees all. */
void session_free(struct session *session);

/* Executes one statement with its parameters, in the open transaction or by itself.  *result, which
 * may be NULL, lives until the next statement; its values are in binary format, so numbers and
 * times are selected as text (::text).
 *
 * Fault: FAULT_UNAVAILABLE: it may be repeated; what it changed outside of a transaction may be
 * stored or not.  FAULT_CONFIG: rights, or the schema is missing.  FAULT_STORAGE: any other. */
bool session_query(struct ctx *ctx, struct session *session, const char *sql,
    const struct param *params, const PGresult **result);

/* As session_query.  Outside of a transaction a WARNING means that the change is not stored, so it
 * is a FAULT_UNAVAILABLE. */
bool session_change(struct ctx *ctx, struct session *session, const char *sql,
    const struct param *params, const PGresult **result);

/* Begins a transaction, and executes more in the same round trip: further statements, each behind
 * a semicolon.  *result is the last one's. */
bool session_begin(
    struct ctx *ctx, struct session *session, const char *more, const PGresult **result);

/* Executes several statements without parameters, in the open transaction.  *result is the last
 * one's. */
bool session_script(
    struct ctx *ctx, struct session *session, const char *sql, const PGresult **result);

/* Quotes text as a literal of SQL. */
bool session_literal(struct ctx *ctx, struct session *session, const char *text, const char **out);

/* False with FAULT_UNAVAILABLE: nothing is stored, or it is not known. */
bool session_commit(struct ctx *ctx, struct session *session);

/* How many rows the last statement changed. */
int session_changed(const struct session *session);

/* Does nothing without a transaction; closes the session where it fails. */
void session_roll_back(struct session *session);

#endif
