/* connection.c - finding, listing and describing connections; see connection.h. */
#include "connection/connection.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "connection/connection_internal.h"
#include "connection/corrupt.h"
#include "text/json.h"

#include <string.h>

bool
user_key(struct ctx *ctx, const struct config *cfg, const char *app_user, const char **key)
{
	return ctx_printf(ctx, key, "app:%s", connections_shared(cfg) ? "" : app_user);
}

bool
connection_find(struct ctx *ctx, const struct config *cfg, const char *key, bool *found,
    struct connection *connection)
{
	const char *value;

	*found = false;
	if (!store_get(ctx, &cfg->store, key, &value))
		return false;
	*found = value != NULL;
	return !*found || record_read(ctx, value, connection);
}

bool
connection_find_or_skip_corrupt(struct ctx *ctx, const struct config *cfg, const char *key,
    bool *found, struct connection *connection)
{
	if (connection_find(ctx, cfg, key, found, connection))
		return true;
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	log_note(ctx, "damaged", key);
	*found = false;
	return true;
}

bool
user_lookup(struct ctx *ctx, const struct config *cfg, const char *pointer, const char **key)
{
	if (store_get(ctx, &cfg->store, pointer, key))
		return true;
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	log_note(ctx, "damaged", pointer);
	*key = NULL;
	return true;
}

/* The edit of user_erase_op. */
static bool
erase_if_same(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)ctx;
	if (old != NULL && strcmp(old, arg) == 0)
		*value = NULL;
	return true;
}

struct store_op
user_erase_op(const char *pointer, const char *key)
{
	return (struct store_op){ pointer, 0, erase_if_same, (void *)(uintptr_t)key };
}

bool
connection_put(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const char *key, const struct connection *connection, const struct tokens *tokens)
{
	const char *value;

	return record_write(ctx, ring, connection, tokens, &value)
	    && store_put(ctx, &cfg->store, key, value, 0);
}

bool
connection_usable(const struct connection *connection)
{
	return connection->state == CONNECTION_ACTIVE
	    && connection->refreshed_at + REFRESH_TOKEN_LIFE_S > time(NULL);
}

const char *
connection_state_name(const struct connection *connection)
{
	if (connection->state == CONNECTION_REVOKED)
		return "revoked";
	return connection_usable(connection) ? "active" : "expired";
}

bool
connection_status_json(struct ctx *ctx, const struct config *cfg,
    const struct connection *connection, const char *authorize_url, const char **json)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"connected\":%s,\"hasTokens\":%s,\"domain\":",
	    connection != NULL && connection_usable(connection) ? "true" : "false",
	    connection != NULL ? "true" : "false");
	json_add_string(&sb, connection != NULL ? connection->host : cfg->amocrm.account);
	if (connection != NULL)
		strbuf_addf(&sb, ",\"accountId\":\"%lld\"", (long long)connection->account_id);
	else
		strbuf_addstr(&sb, ",\"accountId\":null");
	if (authorize_url != NULL) {
		strbuf_addstr(&sb, ",\"authorizeUrl\":");
		json_add_string(&sb, authorize_url);
	}
	strbuf_addstr(&sb, "}");
	return strbuf_finish(&sb, json);
}

struct visit_all {
	connection_visit *visit;
	void *arg;
	struct corrupt_records corrupt;
};

static bool
visit_record(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct visit_all *all = arg;
	struct connection connection;

	if (value == NULL) {
		corrupt_note(&all->corrupt, key);
		return true;
	}
	if (!record_read(ctx, value, &connection))
		return corrupt_skip(ctx, &all->corrupt, key);
	return all->visit(ctx, all->arg, &connection);
}

bool
connection_each(struct ctx *ctx, const struct config *cfg, connection_visit *visit, void *arg)
{
	struct visit_all all = { visit, arg, { 0 } };

	return (store_each(ctx, &cfg->store, "connection:", visit_record, &all)
		   || corrupt_skip_shards(ctx, &all.corrupt))
	    && corrupt_none(ctx, &all.corrupt);
}
