/* fcgi_listener.h - where a process that stays waits: for the next request, or for its end.
 *
 *   web server -- connects, sends -->  a listening socket, shared by all processes of one program
 *   manager    -- TERM and its like ->  a signalfd
 *
 * From fcgi_listener_open on TERM, INT, HUP and USR1 (FastCGI's word for "finish, then end") are
 * held back and only looked for here, between two requests: one that is under way is answered
 * first, and no signal is missed, since both are waited for in one poll.  What is held back is held
 * back in the helpers as well, so that a TERM for the whole group does not take them from a request
 * under way; they end with the process.
 */
#ifndef FCGI_LISTENER_H
#define FCGI_LISTENER_H

#include "base/ctx.h"

/* A web server that has begun to send a request, or to take its answer, and then stops for so long
 * loses it; longer than web servers wait for their clients (nginx: 60 s). */
#define LISTENER_STALL_S 70

/* Whoever connects has a request to send, and sends it at once; a connection that was just made and
 * says nothing for so long is given up, also when the process is to end meanwhile. */
#define FCGI_LISTENER_SILENT_MS 2000

struct fcgi_listener {
	int socket;
	int signals;
	bool ending; /* a signal came */
};

/* False with a fault: socket cannot be waited at. */
bool fcgi_listener_open(struct ctx *ctx, struct fcgi_listener *l, int socket);
void fcgi_listener_close(struct fcgi_listener *l);

/* Waits until something was sent on *connection, or its other end was closed; where *connection is
 * -1, on the next one that is made, which *connection then is.  Helpers that end meanwhile are let
 * go of.  False: the process is to end; *connection, if there is one, is idle. */
bool fcgi_listener_wait(struct fcgi_listener *l, struct ctx *ctx, int *connection);

#endif
