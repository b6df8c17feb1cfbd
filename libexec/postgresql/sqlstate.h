/* sqlstate.h - which fault an error of the database is, by its SQLSTATE
 * (https://www.postgresql.org/docs/15/errcodes-appendix.html).
 */
#ifndef SQLSTATE_H
#define SQLSTATE_H

#include "base/ctx.h"

#include <libpq-fe.h>

/* The fault of a statement that failed; always false.  FAULT_UNAVAILABLE: it may be repeated. */
bool sqlstate_fault(struct ctx *ctx, const PGresult *result);

/* Whether the server, by this error, does not take changes any more, so that another may. */
bool sqlstate_is_read_only(const PGresult *result);

/* The fault of a connection that could not be made, with PQERRORS_VERBOSE; always false.  libpq
 * tells the SQLSTATE in its message only, and not at all why it refuses a certificate, which
 * `certificate` says, or is "". */
bool sqlstate_connect_fault(struct ctx *ctx, PGconn *conn, const char *certificate);

#endif
