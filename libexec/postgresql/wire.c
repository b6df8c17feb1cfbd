/* wire.c - see wire.h. */
#include "wire.h"

#include "connect.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_SIZE 24 /* bytes of a 64-bit number in decimal */

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

int
wire_send(PGconn *conn, const char *sql, const struct param *params)
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
	return PQsendQueryParams(conn, sql, count, NULL, values, lengths, formats, 1);
}

/* False: not in time, or the connection is lost. */
static bool
flush(PGconn *conn, int64_t deadline_ms)
{
	int left;

	while ((left = PQflush(conn)) == 1)
		if (!connect_wait(PQsocket(conn), POLLIN | POLLOUT, deadline_ms)
		    || PQconsumeInput(conn) == 0)
			return false;
	return left == 0;
}

static bool
wait_for_result(PGconn *conn, int64_t deadline_ms)
{
	while (PQisBusy(conn))
		if (!connect_wait(PQsocket(conn), POLLIN, deadline_ms) || PQconsumeInput(conn) == 0)
			return false;
	return true;
}

bool
wire_failed(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);

	return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK;
}

bool
wire_receive(PGconn *conn, int64_t deadline_ms, PGresult **result)
{
	PGresult *next;

	PQclear(*result);
	*result = NULL;
	if (!flush(conn, deadline_ms))
		return false;
	while (wait_for_result(conn, deadline_ms)) {
		next = PQgetResult(conn);
		if (next == NULL)
			return *result != NULL;
		if (*result != NULL && wire_failed(*result)) {
			PQclear(next);
			continue;
		}
		PQclear(*result);
		*result = next;
	}
	return false;
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
