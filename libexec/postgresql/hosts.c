/* hosts.c - what each host that [store] database names says of itself.
 *
 *   -> {"do":"hosts",…}
 *   <- {"hosts":[{"host":…,"port":…,"sslmode":…,"local":0,"takes_changes":1,"server":…,
 *                 "reason":null},…]}
 *
 * host, port: null where libpq's default is used.  local: nothing goes over a network.  server: the
 * same for two names of one server; null if it cannot be reached, for that reason.
 */
#include "connect.h"
#include "verb.h"

#include <string.h>

/* The moment of its start tells one server from another. */
#define ASK                                                                                        \
	"SELECT (NOT pg_is_in_recovery())::int::text,"                                             \
	" extract(epoch FROM pg_postmaster_start_time())::text"

static void
ignore_notice(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

/* As libpq chooses: hostaddr, else host; a path is a Unix socket, as is none. */
static bool
is_local(const char *address)
{
	return address == NULL || *address == '/' || *address == '@' || *address == '\0'
	    || strcmp(address, "localhost") == 0 || strcmp(address, "::1") == 0
	    || strncmp(address, "127.", 4) == 0;
}

static const char *
parameter(const struct parameters *parameters, const char *name)
{
	for (size_t i = 0; i < parameters->count; i++)
		if (strcmp(parameters->names[i], name) == 0)
			return parameters->values[i];
	return NULL;
}

/* False: with a fault. */
static bool
ask(struct ctx *ctx, PGconn *conn, int64_t until_ms, bool *takes_changes, const char **server)
{
	struct session session = { .conn = conn, .deadline_ms = until_ms };
	const PGresult *result;
	bool ok = conn != NULL && session_query(ctx, &session, ASK, NULL, &result)
	    && result_text(ctx, result, 0, 1, server);

	*takes_changes = ok && result_number(result, 0, 0) == 1;
	session_free(&session);
	return ok;
}

struct report {
	struct strbuf *sb;
	size_t count; /* of hosts in it */
};

static bool
visit(
    struct ctx *ctx, void *arg, const struct parameters *parameters, PGconn *conn, int64_t until_ms)
{
	struct report *report = arg;
	struct strbuf *sb = report->sb;
	const char *sslmode = parameter(parameters, "sslmode");
	const char *host = parameter(parameters, "host");
	const char *address = parameter(parameters, "hostaddr");
	const char *server = NULL;
	bool takes_changes;
	bool asked = ask(ctx, conn, until_ms, &takes_changes, &server);

	strbuf_addstr(sb, report->count++ == 0 ? "{" : ",{");
	json_add_member(sb, "host", host == NULL ? address : host);
	json_add_member(sb, "port", parameter(parameters, "port"));
	json_add_member(sb, "sslmode", sslmode == NULL ? "prefer" : sslmode);
	strbuf_addf(sb, ",\"local\":%d,\"takes_changes\":%d",
	    is_local(address == NULL ? host : address), takes_changes);
	json_add_member(sb, "server", server);
	json_add_member(sb, "reason", asked ? NULL : ctx->reason);
	strbuf_addch(sb, '}');
	ctx_clear_fault(ctx);
	return true;
}

static bool
hosts(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const struct connect_target target = {
		server->session.database,
		server->session.password_file,
		ignore_notice,
		NULL,
	};
	struct report report = { .sb = sb };

	(void)request;
	strbuf_addstr(sb, "{\"hosts\":[");
	if (!connect_each(ctx, &target, server->session.deadline_ms, visit, &report))
		return false;
	strbuf_addstr(sb, "]}");
	return true;
}

const struct verb host_verbs[] = {
	{ "hosts", hosts, VERB_CONNECTS },
	{ NULL, NULL, 0 },
};
