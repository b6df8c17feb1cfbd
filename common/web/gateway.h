/* gateway.h - the interface between a program and the web server: CGI (RFC 3875) or FastCGI.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

struct gateway {
	void *arg;

	/* A meta-variable of the request (RFC 3875 section 4.1), or NULL.  It is the gateway's, and
	 * valid until the request ends. */
	const char *(*variable)(const struct gateway *gw, const char *name);

	/* Reads up to size bytes of the body.  0: the end; -1: the body cannot be read. */
	long (*read)(const struct gateway *gw, void *buffer, size_t size);

	/* Whether more bytes of the body have arrived already; never blocks.  It may consume
	 * one. */
	bool (*more)(const struct gateway *gw);

	/* Writes the whole response at once.  False: the connection is closed. */
	bool (*write)(const struct gateway *gw, const void *bytes, size_t len);

	/* Writes a line, which ends in a newline, to the server's error log. */
	void (*log)(const struct gateway *gw, const char *line);
};

struct ctx;

/* Handles one request.  False: the response could not be sent. */
typedef bool gateway_handler(struct ctx *ctx, const struct gateway *gw, const void *arg);

#endif
