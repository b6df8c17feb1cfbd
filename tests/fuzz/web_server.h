/* web_server.h - a web server in memory, which checks what a program responds and logs. */
#ifndef FUZZ_WEB_SERVER_H
#define FUZZ_WEB_SERVER_H

#include "fuzz.h"

#include "web/gateway.h"

#include <stdio.h>

struct fuzz_variable {
	const char *name, *value; /* a NULL value is not set */
};

struct fuzz_server {
	const struct fuzz_variable *variables; /* ends with a NULL name */
	const char *body;
	size_t body_len;
	size_t body_read;
	char *response; /* by malloc; NUL-terminated */
	size_t response_len;
};

static inline const char *
fuzz_variable(const struct gateway *gw, const char *name)
{
	const struct fuzz_server *server = gw->arg;

	for (const struct fuzz_variable *v = server->variables; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static inline long
fuzz_read(const struct gateway *gw, void *buffer, size_t size)
{
	struct fuzz_server *server = gw->arg;
	size_t left = server->body_len - server->body_read;
	size_t n = left < size ? left : size;

	if (n > 0)
		memcpy(buffer, server->body + server->body_read, n);
	server->body_read += n;
	return (long)n;
}

static inline bool
fuzz_more(const struct gateway *gw)
{
	const struct fuzz_server *server = gw->arg;

	return server->body_read < server->body_len;
}

static inline bool
fuzz_write_response(const struct gateway *gw, const void *bytes, size_t len)
{
	struct fuzz_server *server = gw->arg;

	MUST(server->response == NULL); /* it is sent at once */
	server->response = malloc(len + 1);
	MUST(server->response != NULL);
	memcpy(server->response, bytes, len);
	server->response[len] = '\0';
	server->response_len = len;
	return true;
}

/* One line of printable ASCII, whatever the request was. */
static inline void
fuzz_log(const struct gateway *gw, const char *line)
{
	size_t len = strlen(line);

	(void)gw;
	MUST(len > 1 && line[len - 1] == '\n');
	for (size_t i = 0; i + 1 < len; i++)
		MUST(line[i] >= ' ' && line[i] <= '~');
}

static inline struct gateway
fuzz_gateway(struct fuzz_server *server)
{
	return (struct gateway){ server, fuzz_variable, fuzz_read, fuzz_more, fuzz_write_response,
		fuzz_log };
}

/* The value of a header field, up to its CR; NULL: there is none, or it occurs twice. */
static inline const char *
fuzz_header(const char *response, const char *name)
{
	size_t len = strlen(name);
	const char *found = NULL;

	for (const char *line = response; strncmp(line, "\r\n", 2) != 0;
	     line = strstr(line, "\r\n") + 2)
		if (strncmp(line, name, len) == 0 && strncmp(line + len, ": ", 2) == 0) {
			if (found != NULL)
				return NULL;
			found = line + len + 2;
		}
	return found;
}

/* Checks the head of the response (RFC 3875 section 6) and what every response has.
 * Returns its body. */
static inline const char *
fuzz_check_response(const struct fuzz_server *server, bool is_head)
{
	static const char name_chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-";
	const char *response = server->response;
	const char *body;
	const char *length;

	MUST(response != NULL && strlen(response) == server->response_len);
	body = strstr(response, "\r\n\r\n");
	MUST(body != NULL);
	body += 4;
	for (const char *line = response; line < body - 2; line = strstr(line, "\r\n") + 2) {
		size_t name = strspn(line, name_chars);
		const char *value = line + name + 2;

		MUST(name > 0 && strncmp(line + name, ": ", 2) == 0);
		for (; strncmp(value, "\r\n", 2) != 0; value++)
			MUST(*value >= ' ' && *value <= '~');
	}
	MUST(strncmp(response, "Status: ", 8) == 0);
	MUST(fuzz_header(response, "Cache-Control") != NULL);
	MUST(fuzz_header(response, "X-Content-Type-Options") != NULL);
	length = fuzz_header(response, "Content-Length");
	MUST(is_head ? *body == '\0' : length == NULL || strtoul(length, NULL, 10) == strlen(body));
	return body;
}

#endif
