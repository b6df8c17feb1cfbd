/* status.c - see status.h. */
#include "connection/status.h"

#include "base/strbuf.h"
#include "text/json.h"

bool
status_data(struct ctx *ctx, const struct config *cfg, const struct connection *connection,
    const char *authorize_url, const char **data)
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
	return strbuf_finish(&sb, data);
}
