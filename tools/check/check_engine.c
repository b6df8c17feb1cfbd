/* check_engine.c - the database of [store] engine = postgresql: whether it keeps what it has
 * acknowledged, and is used by all hosts in the same way. */
#include "check/check.h"
#include "check/check_hosts.h"

#include "engine_keys.h"
#include "engine_query.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

#define SKEW_MAX_MS 2000   /* leases last for a minute */
#define SLOW_US     500000 /* of one commit; a webhook has 1.5 s */

static const char run_init[] = "run amocrmctl engine init";

/* False, with a finding, unless the rights tell more: the tables cannot be used. */
static bool
schema_ok(struct check *c, const struct json_object *probe)
{
	struct report *r = &c->report;
	long long schema = engine_number(probe, "schema");
	long long known = engine_number(probe, "known");

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
	if (strcmp(engine_text(probe, name), "on") != 0)
		report_wrong(&c->report, "durability", "set it to on in postgresql.conf",
		    "%s is %s: a power failure may destroy the whole database", name,
		    engine_text(probe, name));
}

/* False, with a finding: no change is acknowledged. */
static bool
check_standbys(struct check *c, const struct json_object *probe)
{
	long long synchronous = engine_number(probe, "synchronous");
	long long standbys = engine_number(probe, "standbys");

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
		    engine_text(probe, "synchronous_commit"), standbys);
	else
		report_ok(&c->report, "durability",
		    "synchronous_commit = %s, standbys connected: %lld, synchronous: %lld",
		    engine_text(probe, "synchronous_commit"), standbys, synchronous);
	return true;
}

/* False: changes fail. */
static bool
check_durability(struct check *c, const struct json_object *probe)
{
	const char *commit = engine_text(probe, "synchronous_commit");
	struct report *r = &c->report;

	setting_is_on(c, probe, "fsync");
	setting_is_on(c, probe, "full_page_writes");
	if (!waits_for_disks(commit))
		report_wrong(r, "durability",
		    "set it to on in postgresql.conf, for the user and for the database",
		    "synchronous_commit is %s: the death of a machine loses what was answered",
		    commit);
	else if (*engine_text(probe, "synchronous_standby_names") == '\0')
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
	long long ahead_ms = engine_number(probe, "clock_ahead_ms");
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
	const char *user = engine_text(probe, "user");
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

/* False, with a finding: not all that the programs store would be taken. */
static bool
check_database_disk(struct check *c)
{
	struct json_object *reply = engine_query(c->ctl->ctx, &c->ctl->cfg.store, "try_disk");
	bool tried;

	if (reply == NULL) {
		report_fault(&c->report, "engine-disk",
		    c->ctl->ctx->kind == FAULT_STORAGE
			? "make room on the disk of the primary: remove other files, enlarge it, "
			  "or lower [webhook] keep_days"
			: "run check again");
		return false;
	}
	if (json_get_boolean(reply, "tried", &tried) && tried)
		report_ok(&c->report, "engine-disk", "has room for another table of 1 MB");
	else
		report_ok(&c->report, "engine-disk",
		    "not tried, as the user may not create temporary tables");
	json_object_put(reply);
	return true;
}

/* False, with a finding: the database cannot be changed. */
static bool
check_latency(struct check *c)
{
	struct json_object *reply = engine_query(c->ctl->ctx, &c->ctl->cfg.store, "time_commits");
	long long median_us;

	if (reply == NULL) {
		report_fault(&c->report, "latency",
		    "find out what changes of the database wait for: SELECT * FROM "
		    "pg_stat_activity");
		return false;
	}
	median_us = engine_number(reply, "median_us");
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
	bool has_tables = engine_number(probe, "schema") != 0;
	bool changes;
	bool usable;

	check_hosts(c, probe);
	changes = check_durability(c, probe);
	check_engine_clock(c, probe);
	usable = schema_ok(c, probe);
	if (!has_tables || !rights_ok(c, probe) || !usable)
		return false;
	check_keys(c, probe);
	return changes && check_database_disk(c) && check_latency(c);
}

void
check_engine(struct check *c)
{
	struct json_object *probe;

	if (!check_password_file(c)) {
		c->store_usable = false;
		return;
	}
	probe = engine_query(c->ctl->ctx, &c->ctl->cfg.store, "probe");
	if (probe == NULL) {
		check_hosts_unusable(c);
		c->store_usable = false;
		return;
	}
	c->store_usable = check_probe(c, probe);
	json_object_put(probe);
}
