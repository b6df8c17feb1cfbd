/* event_account.c - see event_account.h. */
#include "connection/event_account.h"

#include "base/log.h"
#include "connection/connection.h"
#include "crypto/jws.h"
#include "text/json.h"
#include "text/json_slice.h"

#include <string.h>
#include <strings.h>

#define TOKEN_MAX 4096 /* bytes; a Salesbot's has under 1000 */

/* The account that amoCRM's token in a Salesbot's request names, which is signed by client_secret
 * (https://www.amocrm.ru/developers/content/digital_pipeline/salesbot); 0: there is none. */
static bool
salesbot_account(
    struct ctx *ctx, const struct config *cfg, const struct event *event, int64_t *account_id)
{
	const char *secret = cfg->amocrm.client_secret;
	struct json_slice value = event_unquote(event->payload.token);
	struct json_object *claims;
	const char *token;
	struct jws jws;

	if (value.len == 0 || value.at == event->payload.token.at)
		return true;
	if (!ctx_strndup(ctx, value.at, value.len, &token))
		return false;
	if (!jws_parse(ctx, token, TOKEN_MAX, &jws_hs512, &jws)
	    || !jws_verify(
		ctx, &jws, &(struct jws_key){ .secret = secret, .secret_len = strlen(secret) }))
		return ctx->kind == FAULT_NONE;
	claims = jws_claims(ctx, &jws);
	if (!json_get_integer(claims, "account_id", account_id) || *account_id <= 0)
		*account_id = 0;
	json_object_put(claims);
	return true;
}

struct search {
	const char *subdomain;
	size_t looked_at; /* connections */
	int64_t account_id;
	bool several; /* accounts have such a host */
};

static bool
compare_host(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct search *search = arg;
	size_t len = strlen(search->subdomain);

	(void)ctx;
	search->looked_at++;
	if (strncasecmp(connection->host, search->subdomain, len) == 0
	    && connection->host[len] == '.') {
		search->several |=
		    search->account_id != 0 && search->account_id != connection->account_id;
		search->account_id = connection->account_id;
	}
	return true;
}

/* Only everybody's connection is looked at where connections are shared.  One that cannot be read
 * matters if none of the others fits and the webhook would be refused for want of an account: then
 * the fault stays, and amoCRM sends the event again. */
static bool
search_connections(struct ctx *ctx, const struct config *cfg, bool needed, struct search *search)
{
	struct connection connection;
	bool found;

	if (cfg->app.connections == CONNECTIONS_SHARED)
		return connection_find_by_user(ctx, cfg, "", &found, &connection)
		    && (!found || compare_host(ctx, search, &connection));
	if (connection_each(ctx, cfg, compare_host, search))
		return true;
	if (needed && search->account_id == 0)
		return false;
	log_note(ctx, "damaged", ctx->reason);
	ctx_clear_fault(ctx);
	return true;
}

static bool
account_by_subdomain(struct ctx *ctx, const struct config *cfg, struct event *event)
{
	char subdomain[EVENT_SUBDOMAIN_SIZE];
	struct search search = { .subdomain = subdomain };
	bool needed = event->account_id == 0 && cfg->webhook.accounts == WEBHOOK_CONNECTED;

	if (!event_subdomain(event, subdomain))
		return true;
	if (!search_connections(ctx, cfg, needed, &search))
		return false;
	if (search.account_id == 0 || search.several)
		return true;
	if (event->account_id != 0 && event->account_id != search.account_id)
		return fault(ctx, FAULT_REQUEST,
		    "the body names account %lld, and the subdomain of account %lld",
		    (long long)event->account_id, (long long)search.account_id);
	event->account_id = search.account_id;
	return true;
}

/* Whether the body names the account by an id, and its subdomain need not be looked up.  Usually
 * that is the subdomain of the account's own connections, so these are read first, and all others
 * only if none of these has it.  An account that is not connected is refused later, if only
 * connected ones are accepted.  Nothing is read where a single account can be connected. */
static bool
is_named(struct ctx *ctx, const struct config *cfg, const struct event *event)
{
	const struct event_payload *payload = &event->payload;
	char subdomain[EVENT_SUBDOMAIN_SIZE];
	struct search own = { .subdomain = subdomain };

	if (payload->of_account == 0 && event_parse_id(payload->account_id) == 0)
		return false;
	if (cfg->app.connections == CONNECTIONS_SHARED || cfg->amocrm.account != NULL
	    || cfg->amocrm.account_id != 0 || !event_subdomain(event, subdomain))
		return true;
	if (!connection_each_in_account(ctx, cfg, event->account_id, compare_host, &own)) {
		log_note(ctx, "damaged", ctx->reason);
		ctx_clear_fault(ctx);
		return true;
	}
	return own.looked_at == 0 || own.account_id != 0;
}

bool
event_find_account(struct ctx *ctx, const struct config *cfg, struct event *event)
{
	int64_t by_token = 0;

	if (!event_account(ctx, event, &event->account_id)
	    || !salesbot_account(ctx, cfg, event, &by_token))
		return false;
	if (event->account_id != 0 && by_token != 0 && event->account_id != by_token)
		return fault(ctx, FAULT_REQUEST, "the body and its token name two accounts");
	if (event->account_id == 0)
		event->account_id = by_token;
	return is_named(ctx, cfg, event) || account_by_subdomain(ctx, cfg, event);
}
