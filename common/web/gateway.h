/* gateway.h - what stands between a program and the web server: CGI (RFC 3875) or FastCGI.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

struct gateway {
	void *arg;

	/* A meta-variable of the request (RFC 3875 section 4.1), or NULL. */
	const char *(*variable)(const struct gateway *gw, const char *name);

	/* Up to size bytes of the body; 0 at its end, -1 when it cannot be read. */
	long (*read)(const struct gateway *gw, void *buffer, size_t size);

	/* True when bytes behind those that were read are there already; never waits. */
	bool (*more)(const struct gateway *gw);

	/* The whole response at once.  False: the server no longer listens. */
	bool (*write)(const struct gateway *gw, const void *bytes, size_t len);

	/* A line for the server's error log, ended by a newline. */
	void (*log)(const struct gateway *gw, const char *line);
};

struct ctx;

/* Handles one request.  False: the response could not be sent. */
typedef bool gateway_handler(struct ctx *ctx, const struct gateway *gw, const void *arg);

#endif
