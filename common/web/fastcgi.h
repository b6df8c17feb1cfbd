/* fastcgi.h - one process for many requests: FastCGI 1.0, by libfcgi.
 *
 * The process handles one request after the other and wipes the memory that each has used.  It
 * terminates when it is told to (see fcgi_listener.h), and restarts in place after a number of
 * requests (see fcgi_restart.h).
 */
#ifndef FASTCGI_H
#define FASTCGI_H

#include "base/ctx.h"
#include "web/gateway.h"

/* Whether standard input is a listening socket. */
bool fastcgi_asked(void);

/* Handles requests until the process is to terminate.  Returns main's exit status. */
int fastcgi_serve(struct ctx *ctx, gateway_handler *handle, const void *arg);

#endif
