/* engine.c - `amocrmctl engine`: the database of [store] engine = postgresql. */
#include "ctl.h"

#include "crypto/keyring.h"
#include "engine_keys.h"
#include "engine_query.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

static bool
create_schema(struct ctl *ctl)
{
	struct json_object *reply = engine_query(ctl->ctx, &ctl->cfg.store, "init");

	if (reply == NULL)
		return false;
	printf("schema %lld: %s\n", engine_number(reply, "schema"),
	    engine_number(reply, "created") == 1 ? "created" : "already there");
	json_object_put(reply);
	return true;
}

/* Another host may have recorded its keys first. */
static bool
record_keys(struct ctl *ctl, const struct keyring *ring)
{
	const char *path = ctl->cfg.store.keys;
	struct engine_keys found;

	if (!engine_keys_add(ctl->ctx, &ctl->cfg.store, ring, &found))
		return false;
	if (found.other != NULL)
		return fault(ctl->ctx, FAULT_CONFIG,
		    "%s: the hosts of this database have another key %s; copy their key ring here",
		    path, found.other);
	if (found.missing != NULL)
		return fault(ctl->ctx, FAULT_CONFIG,
		    "%s: the hosts of this database have a key %s, which is missing here; copy "
		    "their key ring here",
		    path, found.missing);
	printf("keys: %zu, as recorded in the database\n", ring->count);
	return true;
}

static enum ctl_exit
init(struct ctl *ctl)
{
	const struct keyring *ring;

	if (!keyring_read(ctl->ctx, ctl->cfg.store.keys, &ring) || !create_schema(ctl)
	    || !record_keys(ctl, ring))
		return ctl_fault(ctl);
	return CTL_DONE;
}

static void
print_line(const char *name, long long value)
{
	printf("%-18s %lld\n", name, value);
}

static void
print_standbys(const struct json_object *state)
{
	struct json_object *standbys = NULL;
	size_t count = 0;
	bool hidden = false;

	if (json_object_object_get_ex(state, "standbys", &standbys))
		count = json_object_array_length(standbys);
	printf("%-18s %s", "standbys", count == 0 ? "none is connected" : "");
	for (size_t i = 0; i < count; i++) {
		struct json_object *standby = json_object_array_get_idx(standbys, i);
		const char *sync_state = json_get_string(standby, "sync_state");

		printf("%s%s (%s)", i == 0 ? "" : ", ", engine_text(standby, "name"),
		    sync_state == NULL ? "state not visible" : sync_state);
		hidden |= sync_state == NULL;
	}
	putchar('\n');
	if (hidden)
		fprintf(stderr,
		    "amocrmctl engine: only members of pg_monitor see the state of standbys: GRANT "
		    "pg_monitor TO the user\n");
}

static void
print_state(const struct json_object *state)
{
	printf("%-18s %s, PostgreSQL %s\n", "primary", engine_text(state, "primary"),
	    engine_text(state, "server_version"));
	print_line("schema", engine_number(state, "schema"));
	print_standbys(state);
	printf("%-18s %lld, over time: %lld\n", "leases held", engine_number(state, "leases_held"),
	    engine_number(state, "leases_over"));
	printf("%-18s %lld", "events pending", engine_number(state, "pending"));
	if (json_get_string(state, "oldest_pending_at") != NULL)
		printf(", the oldest for %lld s", engine_number(state, "oldest_pending_s"));
	putchar('\n');
	print_line("blocked accounts", engine_number(state, "blocked_accounts"));
	print_line("dead letters", engine_number(state, "dead"));
	print_line("connections", engine_number(state, "connections"));
	print_line("events", engine_number(state, "events"));
	printf("%-18s %lld MB\n", "size", engine_number(state, "size_bytes") / 1000000);
}

static enum ctl_exit
state(struct ctl *ctl, bool as_json)
{
	struct json_object *reply = engine_query(ctl->ctx, &ctl->cfg.store, "state");

	if (reply == NULL)
		return ctl_fault(ctl);
	if (as_json)
		puts(json_object_to_json_string_ext(
		    reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print_state(reply);
	json_object_put(reply);
	return CTL_DONE;
}

enum ctl_exit
ctl_engine(struct ctl *ctl)
{
	const char *what = ctl->argc > 1 ? ctl->argv[1] : "";
	bool as_json = ctl->argc == 3 && strcmp(ctl->argv[2], "--json") == 0;
	bool is_init = strcmp(what, "init") == 0 && ctl->argc == 2;
	bool is_state = strcmp(what, "state") == 0 && (ctl->argc == 2 || as_json);

	if (!is_init && !is_state)
		return ctl_usage(ctl, "expects init, state or state --json");
	if (ctl->cfg.store.engine != ENGINE_POSTGRESQL) {
		ctx_fault(ctl->ctx, FAULT_CONFIG,
		    "%s: [store] engine = files: the store is on this machine, and no database is "
		    "used",
		    ctl->cfg.file);
		return ctl_fault(ctl);
	}
	return is_init ? init(ctl) : state(ctl, as_json);
}
