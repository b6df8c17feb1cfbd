/* memory_gateway.h - a web server in memory, which implements struct gateway, the interface of the
 * programs.
 */
#ifndef MEMORY_GATEWAY_H
#define MEMORY_GATEWAY_H

#include "table.h"

#include "web/gateway.h"

struct variable {
	const char *name, *value;
};

struct memory_server {
	const struct variable *variables; /* ends with a NULL name; NULL: none */
	const char *body;
	size_t body_len;
	size_t piece_max; /* the most bytes that one read returns; 0: no limit */
	bool body_broken; /* reading beyond the end of the body fails */
	bool deaf;        /* every write fails */

	size_t body_read;
	int writes;
	char written[65536];
	size_t written_len;
};

static inline const char *
memory_variable(const struct gateway *gw, const char *name)
{
	const struct memory_server *server = gw->arg;

	for (const struct variable *v = server->variables; v != NULL && v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static inline long
memory_read(const struct gateway *gw, void *buffer, size_t size)
{
	struct memory_server *server = gw->arg;
	size_t left = server->body_len - server->body_read;
	size_t n = left < size ? left : size;

	if (server->piece_max != 0 && n > server->piece_max)
		n = server->piece_max;
	if (n == 0)
		return server->body_broken ? -1 : 0;
	memcpy(buffer, server->body + server->body_read, n);
	server->body_read += n;
	return (long)n;
}

static inline bool
memory_more(const struct gateway *gw)
{
	const struct memory_server *server = gw->arg;

	return server->body_read < server->body_len;
}

static inline bool
memory_write(const struct gateway *gw, const void *bytes, size_t len)
{
	struct memory_server *server = gw->arg;

	server->writes++;
	if (server->deaf || len >= sizeof server->written)
		return false;
	memcpy(server->written, bytes, len);
	server->written[len] = '\0';
	server->written_len = len;
	return true;
}

static inline void
memory_log(const struct gateway *gw, const char *line)
{
	(void)gw;
	(void)line;
}

static inline struct gateway
memory_gateway(struct memory_server *server)
{
	return (struct gateway){ .arg = server,
		.variable = memory_variable,
		.read = memory_read,
		.more = memory_more,
		.write = memory_write,
		.log = memory_log };
}

#endif
