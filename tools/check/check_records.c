/* check_records.c - the connections: whether the store can be changed, and their records used. */
#include "check/check.h"

#include "connection/connection.h"
#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOON_S  (7 * 86400) /* before a refresh token expires */
#define PROBE_S 60          /* lifetime of the test record, which a kill would leave behind */

static bool
try_store(struct ctx *ctx, const struct store_config *store)
{
	static const char written[] = "amocrmctl check";
	const char *key;
	const char *read;

	return store_ready(ctx, store) && ctx_printf(ctx, &key, "check:%ld", (long)getpid())
	    && store_put(ctx, store, key, written, time(NULL) + PROBE_S)
	    && store_get(ctx, store, key, &read)
	    && ((read != NULL && strcmp(read, written) == 0)
		|| fault(ctx, FAULT_STORAGE, "%s: a record cannot be read back", store->path))
	    && store_erase(ctx, store, key);
}

/* Connections with the same finding: their number, and the first of them. */
struct some {
	size_t count;
	char first[CTX_REASON_MAX];
};

struct tally {
	struct check *c;
	const struct keyring *ring; /* NULL: no record can be opened */
	size_t count;
	struct some closed; /* cannot be opened; the first with its reason */
	struct some old;    /* sealed by a key that is not the first */
	struct some revoked;
	struct some expired;
	struct some soon;  /* expire within SOON_S */
	struct some other; /* of another account than the pinned one */
	struct some moved; /* at another host than the pinned one; the first with its host */
	struct some lost;  /* not on their account's list */
	struct some gone;  /* listed, or pointed to, and missing */
};

static void
add(struct some *some, const char *key, const char *reason)
{
	if (some->count++ == 0)
		snprintf(some->first, sizeof some->first, "%.40s%s%.160s",
		    key + strcspn(key, ":") + 1, reason == NULL ? "" : ": ",
		    reason == NULL ? "" : reason);
}

static bool
sealed_by_first(const struct keyring *ring, const char *sealed)
{
	size_t len = strcspn(sealed, ".");

	return strncmp(ring->keys[0].kid, sealed, len) == 0 && ring->keys[0].kid[len] == '\0';
}

/* Whether it is of the account that the configuration names.  Its host changes when the account is
 * renamed, and that of a revoked connection is no longer followed. */
static void
tally_account(struct tally *t, const char *key, const struct connection *connection)
{
	const struct amocrm_config *amocrm = &t->c->ctl->cfg.amocrm;

	if (amocrm->account_id != 0 && connection->account_id != amocrm->account_id)
		add(&t->other, key, NULL);
	else if (amocrm->account != NULL && connection->state == CONNECTION_ACTIVE
	    && strcmp(connection->host, amocrm->account) != 0)
		add(&t->moved, key, connection->host);
}

static void
tally_connection(struct tally *t, const char *key, const struct connection *connection)
{
	time_t ends = connection->refreshed_at + REFRESH_TOKEN_LIFE_S;

	if (connection->connected_at > t->c->newest)
		t->c->newest = connection->connected_at;
	if (connection->refreshed_at > t->c->newest)
		t->c->newest = connection->refreshed_at;
	if (connection->state == CONNECTION_REVOKED)
		add(&t->revoked, key, NULL);
	else if (ends <= time(NULL))
		add(&t->expired, key, NULL);
	else if (ends <= time(NULL) + SOON_S)
		add(&t->soon, key, NULL);
	tally_account(t, key, connection);
}

static void
tally_index(struct tally *t, const char *key, const struct connection *connection)
{
	const struct ctl *ctl = t->c->ctl;
	bool indexed;

	if (!connection_indexed(ctl->ctx, &ctl->cfg, connection->account_id,
		connection->amocrm_user_id, &indexed)) {
		add(&t->lost, key, ctl->ctx->reason);
		ctx_clear_fault(ctl->ctx);
	} else if (!indexed)
		add(&t->lost, key, NULL);
}

/* A record that cannot be opened is counted and does not end the iteration. */
static bool
tally_record(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct tally *t = arg;
	struct connection connection;
	struct tokens tokens;

	t->count++;
	if ((value == NULL && !fault(ctx, FAULT_CORRUPT, "the record is corrupt"))
	    || !record_read(ctx, value, &connection)
	    || (t->ring != NULL && !record_tokens(ctx, t->ring, &connection, &tokens))) {
		add(&t->closed, key, ctx->reason);
		ctx_clear_fault(ctx);
		return true;
	}
	tally_index(t, key, &connection);
	if (t->ring != NULL && !sealed_by_first(t->ring, connection.sealed))
		add(&t->old, key, NULL);
	tally_connection(t, key, &connection);
	return true;
}

/* Whether the record of that key is in the store; one that cannot be read is reported elsewhere. */
static void
tally_missing(struct tally *t, const char *key)
{
	const struct ctl *ctl = t->c->ctl;
	const char *value;

	if (!store_get(ctl->ctx, &ctl->cfg.store, key, &value))
		ctx_clear_fault(ctl->ctx);
	else if (value == NULL)
		add(&t->gone, key, NULL);
}

/* The list of an account's users: "1 2 3". */
static bool
tally_list(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	const char *account = key + strcspn(key, ":") + 1;
	const char *record;

	for (; value != NULL && *value != '\0'; value += strspn(value, " ")) {
		size_t len = strcspn(value, " ");

		if (!ctx_printf(ctx, &record, "connection:%s:%.*s", account, (int)len, value))
			return false;
		tally_missing(arg, record);
		value += len;
	}
	return true;
}

static bool
tally_pointer(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	(void)ctx;
	(void)key;
	if (value != NULL)
		tally_missing(arg, value);
	return true;
}

/* A file of the store that is missing looks like one that was never needed; what leads into it
 * tells. */
static void
find_missing(struct check *c, struct tally *t)
{
	struct ctx *ctx = c->ctl->ctx;

	if (!store_each(ctx, &c->ctl->cfg.store, "account:", tally_list, t))
		ctx_clear_fault(ctx); /* it is reported already */
	if (t->gone.count == 0 && !store_each(ctx, &c->ctl->cfg.store, "app:", tally_pointer, t))
		ctx_clear_fault(ctx);
	if (t->gone.count > 0)
		report_wrong(&c->report, "records",
		    "import a backup; amocrmctl repair says who else must connect again",
		    "%s: listed, but not in the store: a file of it is missing, or a program was "
		    "killed; such records: %zu",
		    t->gone.first, t->gone.count);
}

static void
report_records(struct report *r, const struct tally *t)
{
	if (t->closed.count > 0)
		report_wrong(r, "records",
		    "put the missing key back into the key ring; if a record is corrupt, run "
		    "amocrmctl repair, then restore it from a backup, or connect again",
		    "%s; %zu of %zu cannot be read", t->closed.first, t->closed.count, t->count);
	if (t->old.count > 0)
		report_warning(r, "records",
		    "run amocrmctl rekey, which re-encrypts them with the first key",
		    "%s: encrypted with an older key; such records: %zu of %zu", t->old.first,
		    t->old.count, t->count);
	if (t->lost.count > 0)
		report_wrong(r, "records", "run amocrmctl rekey, which adds it to the list",
		    "%s: not on its account's list, so amoCRM's disconnect hook misses it; such "
		    "records: %zu of %zu",
		    t->lost.first, t->lost.count, t->count);
	if (t->closed.count + t->old.count + t->lost.count + t->gone.count == 0 && t->ring != NULL)
		report_ok(r, "records", "%zu, which the key ring decrypts", t->count);
}

static void
report_accounts(struct report *r, const struct tally *t)
{
	if (t->other.count > 0)
		report_warning(r, "connections",
		    "erase it with amocrmctl disconnect, or correct account_id",
		    "%s: of another account than [amocrm] account_id; such connections: %zu",
		    t->other.first, t->other.count);
	if (t->moved.count > 0)
		report_warning(r, "connections",
		    "if the account was renamed, set account to that host, and account_id to the "
		    "account's number; otherwise erase it with amocrmctl disconnect",
		    "%s is not the host of [amocrm] account; such connections: %zu", t->moved.first,
		    t->moved.count);
}

static void
report_connections(struct report *r, const struct tally *t)
{
	size_t faults =
	    t->revoked.count + t->expired.count + t->soon.count + t->other.count + t->moved.count;

	if (t->revoked.count > 0)
		report_warning(r, "connections",
		    "connect again in the app, or erase it with amocrmctl disconnect",
		    "%s: disconnected in amoCRM; such connections: %zu", t->revoked.first,
		    t->revoked.count);
	if (t->expired.count > 0)
		report_warning(r, "connections",
		    "connect again in the app; an hourly amocrmctl refresh --due 21600 prevents "
		    "it",
		    "%s: not refreshed for three months, so its refresh token has expired; such "
		    "connections: %zu",
		    t->expired.first, t->expired.count);
	if (t->soon.count > 0)
		report_warning(r, "connections",
		    "run amocrmctl refresh now; an hourly amocrmctl refresh --due 21600 prevents "
		    "it",
		    "%s: expires within a week; such connections: %zu", t->soon.first,
		    t->soon.count);
	report_accounts(r, t);
	if (faults == 0)
		report_ok(r, "connections", t->count == 0 ? "none yet" : "%zu", t->count);
}

/* What to do about a store that cannot be changed. */
static const char *
write_advice(const struct ctx *ctx, const struct store_config *store)
{
	if (store->engine == ENGINE_POSTGRESQL)
		return "read the log of the database's server";
	if (strstr(ctx->reason, strerror(EROFS)) != NULL)
		return "the file system is mounted read-only: find out why (dmesg), then mount it "
		       "read-write";
	if (strstr(ctx->reason, ".gdbm: ") != NULL)
		return "run amocrmctl repair";
	return "the web server's user must be able to write to it: chmod 0700, chown";
}

void
check_records(struct check *c)
{
	struct tally t = { .c = c, .ring = c->crypto_usable ? c->ring : NULL };
	const struct store_config *store = &c->ctl->cfg.store;
	struct ctx *ctx = c->ctl->ctx;

	if (!c->store_usable)
		return;
	if ((c->disk_usable || store->engine == ENGINE_POSTGRESQL) && !try_store(ctx, store)) {
		report_fault(&c->report, "store", write_advice(ctx, store));
		c->store_usable = false;
		return;
	}
	if (!store_each(ctx, store, "connection:", tally_record, &t) && !check_skipped(c))
		return;
	find_missing(c, &t);
	report_records(&c->report, &t);
	report_connections(&c->report, &t);
}
