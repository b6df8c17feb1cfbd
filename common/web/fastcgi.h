/* fastcgi.h - one process for many requests (FastCGI specification 1.0), by libfcgi.
 *
 * The process answers one request after the other, wipes what each has left, and ends when it is
 * told to (see fcgi_listener.h).  After FASTCGI_REQUESTS_MAX requests it starts its program again,
 * with nothing of what was but its process id and its listening socket.  To end and leave the rest
 * to whoever started it would lose requests: the connections that wait at lighttpd's socket are
 * reset, and no others taken until a second later; spawn-fcgi starts nothing again at all.
 */
#ifndef FASTCGI_H
#define FASTCGI_H

#include "base/ctx.h"
#include "web/gateway.h"

/* We know of nothing that grows from request to request, but cannot know it of the libraries we are
 * linked with in years to come: what leaks 1 KB in each request comes to 10 MB and no further.
 * Starting costs less than 2 ms, which 10 000 requests share unnoticed. */
#ifndef FASTCGI_REQUESTS_MAX
#define FASTCGI_REQUESTS_MAX 10000
#endif

/* Whether standard input is a listening socket. */
bool fastcgi_asked(void);

/* Returns main's exit status. */
int fastcgi_serve(struct ctx *ctx, gateway_handler *handle, const void *arg);

#endif
