/* status.c - see status.h. */
#include "connection/status.h"

#include "text/json.h"

bool
status_data(struct ctx *ctx, const struct config *cfg, const struct connection *connection,
    const char *authorize_url, const char **data)
{
	struct text t;

	text_begin(ctx, &t);
	text_print(&t, "{\"connected\":%s,\"hasTokens\":%s,\"domain\":",
	    connection != NULL && connection_usable(connection) ? "true" : "false",
	    connection != NULL ? "true" : "false");
	json_add_string(&t, connection != NULL ? connection->host : cfg->amocrm.account);
	if (connection != NULL)
		text_print(&t, ",\"accountId\":\"%lld\"", (long long)connection->account_id);
	else
		text_add(&t, ",\"accountId\":null");
	if (authorize_url != NULL) {
		text_add(&t, ",\"authorizeUrl\":");
		json_add_string(&t, authorize_url);
	}
	text_add(&t, "}");
	return text_end(&t, data);
}
