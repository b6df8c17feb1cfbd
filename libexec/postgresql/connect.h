/* connect.h - connecting to the database, at that of its hosts that takes changes.
 *
 * Only what [store] database and password_file name is used: libpq takes nothing from the
 * environment, which is empty, and nothing from the home folder of the user.
 */
#ifndef CONNECT_H
#define CONNECT_H

#include "base/ctx.h"
#include "parameters.h"

#include <libpq-fe.h>

struct connect_target {
	const char *database;      /* libpq's connection string of keywords */
	const char *password_file; /* NULL: none */
	PQnoticeReceiver receive;  /* of notices, also while it connects */
	void *arg;
};

/* Connects by deadline_ms (of clock_ms), trying the hosts in turn, *host first, which becomes the
 * index of the one that was reached.  NULL with a fault: FAULT_UNAVAILABLE when no host can be
 * reached that takes changes; FAULT_CONFIG when each refuses us, or its certificate is refused. */
PGconn *connect_database(
    struct ctx *ctx, const struct connect_target *target, int64_t deadline_ms, size_t *host);

/* Connects to each host in turn, whether or not it takes changes.  visit closes conn, by until_ms;
 * NULL: ctx holds the fault, which visit clears.  False with a fault: visit's; FAULT_CONFIG when
 * there is nothing to connect with. */
typedef bool connect_visit(struct ctx *ctx, void *arg, const struct parameters *parameters,
    PGconn *conn, int64_t until_ms);
bool connect_each(struct ctx *ctx, const struct connect_target *target, int64_t deadline_ms,
    connect_visit *visit, void *arg);

/* Waits until the socket is ready for events, of poll(2).  False without a fault: not in time. */
bool connect_wait(int socket, short events, int64_t deadline_ms);

#endif
