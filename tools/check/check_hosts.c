/* check_hosts.c - see check_hosts.h. */
#include "check/check_hosts.h"

#include "engine_query.h"
#include "text/json.h"

#include <string.h>

/* What to do about a database that cannot be used. */
static const char *
connect_advice(const struct ctx *ctx)
{
	static const struct {
		const char *reason, *to_do;
	} known[] = {
		{ "28P01",
		    "write the password of this user to [store] password_file, or set another "
		    "one: ALTER ROLE ... PASSWORD" },
		{ "28000",
		    "add a line for this user, database and host to pg_hba.conf, and reload the "
		    "server" },
		{ "3D000",
		    "create it with this user as its owner (CREATE DATABASE ... OWNER ...), or "
		    "correct dbname" },
		{ "no password supplied", "set [store] password_file" },
		{ "holds no password", "write the password of the database's user to this file" },
		{ "certificate has expired",
		    "give the server a new certificate (ssl_cert_file in postgresql.conf), and "
		    "reload it" },
		{ "certificate",
		    "sslrootcert must be the certificate of the authority that signed the "
		    "server's, and host a name in it" },
		{ "does not support SSL", "turn ssl on in postgresql.conf" },
		{ "amo-crm-postgresql", "install the programs again: make install" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(ctx->reason, known[i].reason) != NULL)
			return known[i].to_do;
	return "start the database, or correct [store] database";
}

static const char *
host_name(struct ctx *ctx, const struct json_object *host)
{
	const char *name = json_get_string(host, "host");
	const char *port = json_get_string(host, "port");
	const char *out;

	return ctx_printf(ctx, &out, "%s%s%s", name == NULL ? "the local socket" : name,
		   port == NULL ? "" : ":", port == NULL ? "" : port)
	    ? out
	    : "";
}

struct hosts {
	size_t count;
	size_t silent;
	const struct json_object *first_silent;
	const struct json_object *primary; /* one that takes changes */
	const struct json_object *second;  /* another server that does, too */
	const struct json_object *remote;  /* one that is reached over a network */
};

static void
add_host(struct hosts *hosts, const struct json_object *host)
{
	const char *server = json_get_string(host, "server");

	if (server == NULL && hosts->silent++ == 0)
		hosts->first_silent = host;
	if (engine_number(host, "local") != 1)
		hosts->remote = host;
	if (engine_number(host, "takes_changes") != 1)
		return;
	if (hosts->primary == NULL)
		hosts->primary = host;
	else if (strcmp(engine_text(hosts->primary, "server"), server) != 0)
		hosts->second = host;
}

static void
report_tls(struct check *c, const struct hosts *hosts)
{
	struct report *r = &c->report;
	const char *mode = hosts->remote == NULL ? NULL : engine_text(hosts->remote, "sslmode");
	const char *host = hosts->remote == NULL ? NULL : host_name(c->ctl->ctx, hosts->remote);

	if (mode == NULL)
		report_ok(r, "tls", "not needed: the database is on this machine");
	else if (strcmp(mode, "verify-full") == 0)
		report_ok(r, "tls", "verify-full");
	else if (strcmp(mode, "verify-ca") == 0 || strcmp(mode, "require") == 0)
		report_warning(r, "tls",
		    "set sslmode=verify-full and sslrootcert=<the authority's certificate> in "
		    "[store] database",
		    "%s: with sslmode=%s another server could take the place of the database", host,
		    mode);
	else
		report_wrong(r, "tls",
		    "set sslmode=verify-full and sslrootcert=<the authority's certificate> in "
		    "[store] database",
		    "%s: with sslmode=%s the connection may be in plain text", host, mode);
}

static void
report_hosts(struct check *c, const struct json_object *probe, const struct hosts *hosts)
{
	struct report *r = &c->report;
	struct ctx *ctx = c->ctl->ctx;

	if (hosts->second != NULL)
		report_wrong(r, "engine",
		    "stop the one that is not the primary of the cluster, and make it a standby",
		    "%s and %s are different servers, and both accept changes",
		    host_name(ctx, hosts->primary), host_name(ctx, hosts->second));
	if (hosts->silent > 0)
		report_warning(r, "engine", "start it, or take it out of [store] database",
		    "%s: %s; hosts that do not answer: %zu of %zu",
		    host_name(ctx, hosts->first_silent), engine_text(hosts->first_silent, "reason"),
		    hosts->silent, hosts->count);
	if (hosts->second == NULL && hosts->silent == 0)
		report_ok(r, "engine", "PostgreSQL %s, primary %s, hosts that answer: %zu of %zu",
		    engine_text(probe, "version"), host_name(ctx, probe), hosts->count,
		    hosts->count);
}

/* What hosts holds belongs to the reply.  NULL with a fault. */
static struct json_object *
ask_hosts(struct check *c, struct hosts *hosts)
{
	struct json_object *reply = engine_query(c->ctl->ctx, &c->ctl->cfg.store, "hosts");
	struct json_object *list = NULL;

	*hosts = (struct hosts){ 0 };
	if (reply == NULL)
		return NULL;
	json_object_object_get_ex(reply, "hosts", &list);
	hosts->count = json_object_array_length(list);
	for (size_t i = 0; i < hosts->count; i++)
		add_host(hosts, json_object_array_get_idx(list, i));
	return reply;
}

void
check_hosts(struct check *c, const struct json_object *probe)
{
	struct hosts hosts;
	struct json_object *reply = ask_hosts(c, &hosts);

	if (reply == NULL) {
		report_fault(&c->report, "engine", connect_advice(c->ctl->ctx));
		return;
	}
	report_hosts(c, probe, &hosts);
	report_tls(c, &hosts);
	json_object_put(reply);
}

/* The fault in ctx is that of one host; where others are standbys, it does not tell all. */
void
check_hosts_unusable(struct check *c)
{
	struct ctx *ctx = c->ctl->ctx;
	const char *to_do = connect_advice(ctx);
	struct json_object *reply = NULL;
	struct hosts hosts = { 0 };
	char reason[CTX_REASON_MAX];

	memcpy(reason, ctx->reason, sizeof reason);
	if (ctx->kind == FAULT_UNAVAILABLE) {
		ctx_clear_fault(ctx);
		reply = ask_hosts(c, &hosts);
	}
	ctx_clear_fault(ctx);
	if (hosts.primary == NULL && hosts.count > hosts.silent)
		report_wrong(&c->report, "engine",
		    "promote a standby, or name the primary too in [store] database",
		    "no host accepts changes; standbys: %zu, hosts that do not answer: %zu",
		    hosts.count - hosts.silent, hosts.silent);
	else
		report_wrong(&c->report, "engine", to_do, "%s", reason);
	json_object_put(reply);
}
