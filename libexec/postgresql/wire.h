/* wire.h - sends a statement with its parameters to a server, and receives the result. */
#ifndef WIRE_H
#define WIRE_H

#include "base/ctx.h"

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

/* A parameter of a statement, $1 and so on. */
enum param_type { PARAM_END, PARAM_TEXT, PARAM_BYTES, PARAM_NUMBER };
struct param {
	enum param_type type;
	const void *bytes; /* NULL: null */
	size_t len;
	int64_t number;
};

#define PARAMS_MAX 16
/* A list of parameters, for session_query; without any it is NULL. */
#define PARAMS(...) ((const struct param[]){ __VA_ARGS__, { .type = PARAM_END } })

struct param param_text(const char *text);
struct param param_bytes(const void *bytes, size_t len);
struct param param_number(int64_t number);

/* As PQsendQueryParams, with the values of the result in binary format.  0: it cannot be sent. */
int wire_send(PGconn *conn, const char *sql, const struct param *params);

/* Waits until everything that was sent has been executed.  *result, which is replaced, is that of
 * the last statement, or of the one that failed; caller: PQclear.
 * False: not in time (by clock_ms), or the connection is lost. */
bool wire_receive(PGconn *conn, int64_t deadline_ms, PGresult **result);

/* Whether the statement failed. */
bool wire_failed(const PGresult *result);

/* Values of a result.  Text lives in the arena. */
bool result_text(struct ctx *ctx, const PGresult *result, int row, int column, const char **text);
int64_t result_number(const PGresult *result, int row, int column);
/* NULL: null. */
const void *result_bytes(const PGresult *result, int row, int column, size_t *len);

#endif
