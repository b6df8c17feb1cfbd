/* connection_revoke.c - revoking connections; see connection.h and connection_internal.h. */
#include "base/log.h"
#include "connection/account_index.h"
#include "connection/connection_escrow.h"
#include "connection/connection_event.h"
#include "connection/connection_internal.h"
#include "connection/corrupt.h"

#include <string.h>

struct revocation {
	const struct config *cfg;
	const char *key;
	const char *sealed;           /* only the record with these tokens; NULL: with any */
	const char *reason;           /* for the event */
	struct connection connection; /* as it was found */
	bool revoked;                 /* the state has changed */
};

static bool
revoke(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	struct revocation *revocation = arg;

	if (old == NULL)
		return true;
	if (!record_read(ctx, old, &revocation->connection))
		return false;
	if (revocation->connection.state == CONNECTION_REVOKED
	    || (revocation->sealed != NULL
		&& strcmp(revocation->sealed, revocation->connection.sealed) != 0))
		return true;
	revocation->revoked = true;
	return record_with_state(ctx, old, CONNECTION_REVOKED, value);
}

/* The event is appended in the section, so that in a database it is stored with the change. */
static bool
revoke_in_section(struct ctx *ctx, void *arg)
{
	struct revocation *revocation = arg;

	revocation->revoked = false;
	if (!store_update(ctx, &revocation->cfg->store, revocation->key, 0, revoke, revocation))
		return false;
	if (!revocation->revoked)
		return true;
	log_note(ctx, "revoked", revocation->key);
	return connection_event_append(
	    ctx, revocation->cfg, "revoked", &revocation->connection, revocation->reason);
}

static bool
revoke_record(struct ctx *ctx, const struct config *cfg, int64_t account_id, const char *key,
    const char *sealed, const char *reason)
{
	struct revocation revocation = {
		.cfg = cfg, .key = key, .sealed = sealed, .reason = reason
	};

	return account_index_together(ctx, &cfg->store, account_id, revoke_in_section, &revocation);
}

bool
connection_mark_refused(
    struct ctx *ctx, const struct config *cfg, const char *key, const struct connection *connection)
{
	return revoke_record(ctx, cfg, connection->account_id, key, connection->sealed,
	    "amoCRM refused the refresh token");
}

bool
connection_revoke_account(struct ctx *ctx, const struct config *cfg, int64_t account_id)
{
	struct corrupt_records corrupt = { 0 };
	const char *users;
	const char *key;
	int64_t user;
	const struct fold_filter filter = { .account_id = account_id, .disconnecting = true };
	bool ok = connection_fold_matching(ctx, cfg, &filter)
	    && account_index_users(ctx, &cfg->store, account_id, &users);
	size_t mark = arena_mark(ctx);

	while (ok && account_index_next(&users, &user)) {
		ok = record_key(ctx, account_id, user, &key)
		    && (revoke_record(
			    ctx, cfg, account_id, key, NULL, "amoCRM reported the disconnection")
			|| corrupt_skip(ctx, &corrupt, key));
		arena_rewind(ctx, mark);
	}
	return ok && corrupt_none(ctx, &corrupt);
}
