/* request.c - see request.h. */
#include "request.h"

#include <string.h>

static const struct {
	const char *name;
	enum method method;
} known_methods[] = {
	{ "GET", METHOD_GET },
	{ "HEAD", METHOD_HEAD },
	{ "POST", METHOD_POST },
	{ "DELETE", METHOD_DELETE },
};
#define KNOWN_METHODS (sizeof known_methods / sizeof *known_methods)

static bool
read_method(struct work *w, const struct gateway *gw, unsigned methods, struct request *req)
{
	const char *name = gw->variable(gw, "REQUEST_METHOD");

	for (size_t i = 0; name != NULL && i < KNOWN_METHODS; i++)
		if (strcmp(known_methods[i].name, name) == 0
		    && (known_methods[i].method & methods) != 0) {
			req->method = known_methods[i].method;
			return true;
		}
	return fault(w, FAULT_METHOD, "method %.20s", name == NULL ? "missing" : name);
}

/* A copy: the server's own variables are not ours to keep. */
static bool
read_variable(struct work *w, const struct gateway *gw, const char *name, const char **value)
{
	const char *v = gw->variable(gw, name);

	*value = NULL;
	return v == NULL || work_copy(w, v, strlen(v), value);
}

static bool
read_query(struct work *w, const struct gateway *gw, struct request *req)
{
	if (!read_variable(w, gw, "QUERY_STRING", &req->query))
		return false;
	if (req->query == NULL)
		req->query = "";
	if (strlen(req->query) > REQUEST_QUERY_MAX) {
		req->query = "";
		return fault(w, FAULT_REQUEST, "the query is over %d bytes", REQUEST_QUERY_MAX);
	}
	return true;
}

bool
request_read(struct work *w, const struct gateway *gw, unsigned methods, struct request *req)
{
	memset(req, 0, sizeof *req);
	req->query = "";
	return read_variable(w, gw, "HTTP_ACCEPT_LANGUAGE", &req->accept_language)
	    && read_variable(w, gw, "HTTP_USER_AGENT", &req->user_agent)
	    && read_method(w, gw, methods, req) && read_query(w, gw, req);
}

bool
request_methods(struct work *w, unsigned methods, const char **list)
{
	struct text t;

	text_begin(w, &t);
	for (size_t i = 0; i < KNOWN_METHODS; i++)
		if ((known_methods[i].method & methods) != 0) {
			text_add(&t, t.len > 0 ? ", " : "");
			text_add(&t, known_methods[i].name);
		}
	return text_end(&t, list);
}
