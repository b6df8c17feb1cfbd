/* fcgi_listener.h - where a FastCGI process waits for its next request or a terminating signal.
 *
 *   web server      -- connects, sends -------->  a listening socket, shared by all processes
 *   process manager -- TERM, INT, HUP or USR1 -->  a signalfd
 *
 * fcgi_listener_open blocks those signals (USR1 means "finish, then terminate" in FastCGI).  They
 * are read only here, between two requests, so a request that is being handled is finished first;
 * and no signal is missed, since one poll waits for the signalfd and the sockets.  The helpers
 * inherit the blocked signals: a TERM for the whole process group does not kill them during a
 * request.  They terminate with the process.
 */
#ifndef FCGI_LISTENER_H
#define FCGI_LISTENER_H

#include "base/ctx.h"

/* The timeout of a read or write within a request; longer than web servers wait for their clients
 * (nginx: 60 s). */
#define FCGI_LISTENER_STALL_S 70

/* A web server sends its request as soon as it has connected.  A new connection that stays silent
 * for this long is closed, even if the process is to terminate meanwhile. */
#define FCGI_LISTENER_SILENT_MS 2000

struct fcgi_listener {
	int socket;
	int signals;
	bool ending; /* a terminating signal has arrived */
};

/* socket is a listening socket, which stays the caller's.  Fault: FAULT_SERVER. */
bool fcgi_listener_open(struct ctx *ctx, struct fcgi_listener *l, int socket);
void fcgi_listener_close(struct fcgi_listener *l);

/* Waits until *connection has data or was closed by its peer.  If *connection is -1, it accepts the
 * next connection first, and sets *connection to it.  Reaps helpers that terminate meanwhile.
 * False: the process is to terminate; *connection is idle, or -1. */
bool fcgi_listener_wait(struct fcgi_listener *l, struct ctx *ctx, int *connection);

#endif
