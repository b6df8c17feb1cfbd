/* check_engine.c - the database of [store] engine = postgresql: whether it answers, keeps what it
 * has acknowledged, and is used by all hosts in the same way. */
#include "check/check.h"

#include "engine_keys.h"
#include "helper/postgresql.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

#define SKEW_MAX_MS 2000   /* leases last for a minute */
#define SLOW_US     500000 /* of one commit; a webhook has 1.5 s */

static const char run_init[] = "run amocrmctl engine init";

struct question {
	const struct store_config *store;
	const char *verb;
	struct json_object *reply;
};

static bool
ask(struct ctx *ctx, void *arg)
{
	struct question *question = arg;
	struct strbuf sb;

	postgresql_request(ctx, question->store, question->verb, &sb);
	question->reply = postgresql_send(ctx, &sb);
	return question->reply != NULL;
}

/* NULL with a fault.  The caller releases it with json_object_put. */
static struct json_object *
query(struct check *c, const char *verb)
{
	struct question question = { &c->ctl->cfg.store, verb, NULL };

	return postgresql_retry(c->ctl->ctx, ask, &question) ? question.reply : NULL;
}

static const char *
text(const struct json_object *reply, const char *name)
{
	const char *value = json_get_string(reply, name);

	return value == NULL ? "" : value;
}

/* -1: it is not known. */
static long long
number(const struct json_object *reply, const char *name)
{
	int64_t value;

	return json_get_integer(reply, name, &value) ? value : -1;
}

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
		{ "certificate",
		    "sslrootcert must be the certificate of the authority that signed the "
		    "server's, and host a name in it" },
		{ "does not support SSL", "turn ssl on in postgresql.conf" },
		{ "read-only", "promote a standby, or name the primary too in [store] database" },
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
	if (number(host, "local") != 1)
		hosts->remote = host;
	if (number(host, "takes_changes") != 1)
		return;
	if (hosts->primary == NULL)
		hosts->primary = host;
	else if (strcmp(text(hosts->primary, "server"), server) != 0)
		hosts->second = host;
}

static void
report_tls(struct check *c, const struct hosts *hosts)
{
	struct report *r = &c->report;
	const char *mode = hosts->remote == NULL ? NULL : text(hosts->remote, "sslmode");
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
		    host_name(ctx, hosts->first_silent), text(hosts->first_silent, "reason"),
		    hosts->silent, hosts->count);
	if (hosts->second == NULL && hosts->silent == 0)
		report_ok(r, "engine", "PostgreSQL %s, primary %s, hosts that answer: %zu of %zu",
		    text(probe, "version"), host_name(ctx, probe), hosts->count, hosts->count);
}

static void
check_hosts(struct check *c, const struct json_object *probe)
{
	struct json_object *reply = query(c, "hosts");
	struct json_object *list = NULL;
	struct hosts hosts = { 0 };

	if (reply == NULL) {
		report_fault(&c->report, "engine", connect_advice(c->ctl->ctx));
		return;
	}
	json_object_object_get_ex(reply, "hosts", &list);
	hosts.count = json_object_array_length(list);
	for (size_t i = 0; i < hosts.count; i++)
		add_host(&hosts, json_object_array_get_idx(list, i));
	report_hosts(c, probe, &hosts);
	report_tls(c, &hosts);
	json_object_put(reply);
}

/* False, with a finding, unless the rights tell more: the tables cannot be used. */
static bool
schema_ok(struct check *c, const struct json_object *probe)
{
	struct report *r = &c->report;
	long long schema = number(probe, "schema");
	long long known = number(probe, "known");

	if (schema == known)
		report_ok(r, "schema", "%lld", schema);
	else if (schema == 0)
		report_wrong(r, "schema", run_init, "the database has no tables yet");
	else if (schema > known)
		report_wrong(r, "schema", "upgrade the programs of this host",
		    "the database has schema %lld, and the programs here know %lld", schema, known);
	else if (schema > 0)
		report_wrong(r, "schema", run_init,
		    "the database has schema %lld, and the programs here need %lld", schema, known);
	return schema == known;
}

/* A commit waits until a standby has it on its disk: on, or remote_apply, which waits longer.  With
 * remote_write it may be lost with the standby's operating system. */
static bool
waits_for_disks(const char *synchronous_commit)
{
	return strcmp(synchronous_commit, "on") == 0
	    || strcmp(synchronous_commit, "remote_apply") == 0;
}

static void
setting_is_on(struct check *c, const struct json_object *probe, const char *name)
{
	if (strcmp(text(probe, name), "on") != 0)
		report_wrong(&c->report, "durability", "set it to on in postgresql.conf",
		    "%s is %s: a power failure may destroy the whole database", name,
		    text(probe, name));
}

/* False, with a finding: no change is acknowledged. */
static bool
check_standbys(struct check *c, const struct json_object *probe)
{
	long long synchronous = number(probe, "synchronous");
	long long standbys = number(probe, "standbys");

	if (standbys == 0 || synchronous == 0) {
		report_wrong(&c->report, "durability",
		    "start a standby that synchronous_standby_names names",
		    "no synchronous standby is connected: changes wait for one, and fail");
		return false;
	}
	if (synchronous < 0)
		report_ok(&c->report, "durability",
		    "synchronous_commit = %s, standbys connected: %lld; how many are synchronous "
		    "is "
		    "visible to members of pg_monitor",
		    text(probe, "synchronous_commit"), standbys);
	else
		report_ok(&c->report, "durability",
		    "synchronous_commit = %s, standbys connected: %lld, synchronous: %lld",
		    text(probe, "synchronous_commit"), standbys, synchronous);
	return true;
}

/* False: changes fail. */
static bool
check_durability(struct check *c, const struct json_object *probe)
{
	const char *commit = text(probe, "synchronous_commit");
	struct report *r = &c->report;

	setting_is_on(c, probe, "fsync");
	setting_is_on(c, probe, "full_page_writes");
	if (!waits_for_disks(commit))
		report_wrong(r, "durability",
		    "set it to on in postgresql.conf, for the user and for the database",
		    "synchronous_commit is %s: the death of a machine loses what was answered",
		    commit);
	else if (*text(probe, "synchronous_standby_names") == '\0')
		report_wrong(r, "durability",
		    "add a synchronous standby; with Patroni: synchronous_mode and "
		    "synchronous_mode_strict",
		    "synchronous_standby_names is empty: the death of one machine loses what was "
		    "answered");
	else
		return check_standbys(c, probe);
	return true;
}

static void
check_engine_clock(struct check *c, const struct json_object *probe)
{
	long long ahead_ms = number(probe, "clock_ahead_ms");
	long long off_ms = llabs(ahead_ms);

	if (off_ms > SKEW_MAX_MS)
		report_wrong(&c->report, "engine-clock",
		    "set both clocks (timedatectl set-ntp true): the database's decides how long a "
		    "lease lasts",
		    "the database's clock is %lld.%lld s %s this machine's", off_ms / 1000,
		    off_ms % 1000 / 100, ahead_ms > 0 ? "ahead of" : "behind");
	else
		report_ok(&c->report, "engine-clock", "%lld ms from this machine's", off_ms);
}

static bool
is_superuser(const struct json_object *probe)
{
	bool superuser;

	return json_get_boolean(probe, "superuser", &superuser) && superuser;
}

/* False, with a finding: the user cannot use all tables. */
static bool
rights_ok(struct check *c, const struct json_object *probe)
{
	const char *missing = json_get_string(probe, "missing");
	const char *user = text(probe, "user");
	struct report *r = &c->report;

	if (missing != NULL)
		report_wrong(r, "rights",
		    "make this user the owner of the database and its tables, or GRANT what is "
		    "missing",
		    "the user %s lacks: %s", user, missing);
	else if (is_superuser(probe))
		report_warning(r, "rights",
		    "create a user for the programs that owns their database, and has no other "
		    "rights",
		    "the user %s is a superuser: whoever gets its password has all databases",
		    user);
	else
		report_ok(r, "rights", "the user %s may use every table", user);
	return missing == NULL;
}

static void
check_keys(struct check *c, const struct json_object *probe)
{
	const char *path = c->ctl->cfg.store.keys;
	struct report *r = &c->report;
	struct engine_keys found;

	if (c->ring == NULL)
		return;
	if (!engine_keys_compare(c->ctl->ctx, c->ring, probe, &found))
		report_fault(r, "keys", "run check again");
	else if (found.missing != NULL)
		report_wrong(r, "keys",
		    "copy the key ring of the other hosts here: each must have the same keys",
		    "%s: has no key %s, with which other hosts encrypt", path, found.missing);
	else if (found.other != NULL)
		report_wrong(r, "keys",
		    "copy the key ring of the other hosts here: each must have the same keys",
		    "%s: has another key %s than the other hosts", path, found.other);
	else if (found.added != NULL)
		report_warning(r, "keys", "run amocrmctl engine init, which records it",
		    "%s: key %s is not recorded in the database, so other hosts cannot notice "
		    "that they lack it",
		    path, found.added);
	else
		report_ok(r, "keys", "%zu, as recorded in the database", c->ring->count);
}

/* False, with a finding: the database cannot be changed. */
static bool
check_latency(struct check *c)
{
	struct json_object *reply = query(c, "time_commits");
	long long median_us;

	if (reply == NULL) {
		report_fault(&c->report, "latency",
		    "find out what changes of the database wait for: SELECT * FROM "
		    "pg_stat_activity");
		return false;
	}
	median_us = number(reply, "median_us");
	json_object_put(reply);
	if (median_us > SLOW_US)
		report_warning(&c->report, "latency",
		    "look at the disks of the database's hosts, and at the network between them",
		    "a commit takes %lld ms; amoCRM waits 2 s for the reply to a webhook",
		    median_us / 1000);
	else
		report_ok(&c->report, "latency", "a commit takes %lld.%lld ms", median_us / 1000,
		    median_us % 1000 / 100);
	return true;
}

/* Whether the records can be read and changed. */
static bool
check_probe(struct check *c, const struct json_object *probe)
{
	bool has_tables = number(probe, "schema") != 0;
	bool changes;
	bool usable;

	check_hosts(c, probe);
	changes = check_durability(c, probe);
	check_engine_clock(c, probe);
	usable = schema_ok(c, probe);
	if (!has_tables || !rights_ok(c, probe) || !usable)
		return false;
	check_keys(c, probe);
	return changes && check_latency(c);
}

void
check_engine(struct check *c)
{
	struct json_object *probe;

	if (!check_password_file(c)) {
		c->store_usable = false;
		return;
	}
	probe = query(c, "probe");
	if (probe == NULL) {
		report_fault(&c->report, "engine", connect_advice(c->ctl->ctx));
		c->store_usable = false;
		return;
	}
	c->store_usable = check_probe(c, probe);
	json_object_put(probe);
}
