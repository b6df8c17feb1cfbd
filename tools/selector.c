/* selector.c - finds the connection that ACCOUNT[/USER] names. */
#include "ctl.h"

#include "base/encode.h"
#include "connection/connection.h"

#include <string.h>

struct selection {
	const struct config *cfg;
	/* what the selector names */
	const char *host; /* NULL: the account is named by its id */
	int64_t account_id;
	int64_t user_id; /* 0: any */
	/* everybody's connection, where connections are shared; 0: none */
	int64_t shared_account;
	int64_t shared_user;
	/* the best connection so far; found_user 0: none */
	int64_t found_account;
	int64_t found_user;
	bool claimed;
	bool active;
	time_t connected_at;
};

/* Where states are signed, a connection that is only reserved may have been consented to by a user
 * who was lured into that. */
static bool
is_claimed(const struct connection *connection, const struct selection *s)
{
	if (s->cfg->app.connections == CONNECTIONS_SHARED)
		return connection->account_id == s->shared_account
		    && connection->amocrm_user_id == s->shared_user;
	return s->cfg->app.state != STATE_SIGNED || connection->app_user != NULL;
}

static bool
is_better(const struct connection *connection, const struct selection *s)
{
	bool active = connection->state == CONNECTION_ACTIVE;
	bool claimed = is_claimed(connection, s);

	if (claimed != s->claimed)
		return claimed;
	return active != s->active ? active : connection->connected_at > s->connected_at;
}

static bool
consider(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct selection *s = arg;

	(void)ctx;
	if (s->host != NULL && strcmp(connection->host, s->host) != 0)
		return true;
	if (s->user_id != 0 && connection->amocrm_user_id != s->user_id)
		return true;
	if (s->found_user == 0 || is_better(connection, s)) {
		s->claimed = is_claimed(connection, s);
		s->active = connection->state == CONNECTION_ACTIVE;
		s->found_account = connection->account_id;
		s->found_user = connection->amocrm_user_id;
		s->connected_at = connection->connected_at;
	}
	return true;
}

static bool
read_selector(struct ctx *ctx, const char *selector, struct selection *s)
{
	size_t account_len = strcspn(selector, "/");
	const char *account;

	if (!ctx_strndup(ctx, selector, account_len, &account))
		return false;
	if (!decimal_parse(account, &s->account_id))
		s->host = account;
	if (selector[account_len] == '/' && !decimal_parse(selector + account_len + 1, &s->user_id))
		return fault(ctx, FAULT_REQUEST, "USER must be an amoCRM user's id");
	return true;
}

/* The shared connection may be corrupt: other accounts can be selected even then. */
static bool
find_shared(struct ctx *ctx, struct selection *s)
{
	const char *key;

	if (s->cfg->app.connections != CONNECTIONS_SHARED)
		return true;
	if (!connection_key_by_user(ctx, s->cfg, NULL, &key))
		return false;
	if (key != NULL && !record_key_read(key, &s->shared_account, &s->shared_user))
		s->shared_account = 0;
	return true;
}

/* Ignores corrupt records unless no other connection matches. */
static bool
choose(struct ctx *ctx, const struct config *cfg, struct selection *s)
{
	if (!find_shared(ctx, s))
		return false;
	if (s->host != NULL ? connection_each(ctx, cfg, consider, s)
			    : connection_each_in_account(ctx, cfg, s->account_id, consider, s))
		return true;
	if (ctx->kind != FAULT_CORRUPT || s->found_user == 0)
		return false;
	ctx_clear_fault(ctx);
	return true;
}

bool
selector_valid(const char *text)
{
	size_t account_len = strcspn(text, "/");
	int64_t user;

	return account_len > 0 && text[0] != '-'
	    && (text[account_len] == '\0' || decimal_parse(text + account_len + 1, &user));
}

bool
selector_find(struct ctl *ctl, const char *selector, struct connection *connection)
{
	struct ctx *ctx = ctl->ctx;
	struct selection s = { .cfg = &ctl->cfg };
	const char *key;
	bool found;

	if (!read_selector(ctx, selector, &s))
		return false;
	if (s.host == NULL && s.user_id != 0) {
		s.found_account = s.account_id;
		s.found_user = s.user_id;
	} else if (!choose(ctx, &ctl->cfg, &s))
		return false;
	found = s.found_user != 0;
	if (found
	    && (!record_key(ctx, s.found_account, s.found_user, &key)
		|| !connection_find(ctx, &ctl->cfg, key, &found, connection)))
		return false;
	return found
	    || fault(ctx, FAULT_REQUEST, "%s is not connected; see: amocrmctl accounts", selector);
}

bool
selector_find_ids(struct ctl *ctl, const char *selector, int64_t *account_id, int64_t *user_id)
{
	struct connection connection;
	struct selection s = { 0 };

	if (selector_find(ctl, selector, &connection)) {
		*account_id = connection.account_id;
		*user_id = connection.amocrm_user_id;
		return true;
	}
	if (ctl->ctx->kind != FAULT_CORRUPT || !read_selector(ctl->ctx, selector, &s)
	    || s.host != NULL || s.user_id == 0)
		return false;
	ctx_clear_fault(ctl->ctx);
	*account_id = s.account_id;
	*user_id = s.user_id;
	return true;
}
