/* amocrm_webhooks.c - the webhook subscriptions of an account; see amocrm.h. */
#include "amocrm/amocrm.h"

#include "base/strbuf.h"
#include "text/json.h"

#include <string.h>

static bool
call_webhooks(struct ctx *ctx, const struct config *cfg, const char *host, const char *method,
    const char *access_token, const char *body, int64_t deadline_ms, struct json_object **doc)
{
	struct amocrm_call call = { method, host, AMOCRM_WEBHOOKS_PATH, NULL, body, deadline_ms,
		BUDGET_OWN_STATE };

	*doc = NULL;
	return ctx_printf(ctx, &call.header, "Authorization: Bearer %s", access_token)
	    && amocrm_call(ctx, cfg, &call, doc);
}

/* {"destination":…,"settings":[…]}; events NULL: the destination alone. */
static bool
write_destination(
    struct ctx *ctx, const char *destination, const char *const *events, const char **body)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"destination\":");
	json_add_string(&sb, destination);
	if (events != NULL) {
		strbuf_addstr(&sb, ",\"settings\":[");
		for (size_t i = 0; events[i] != NULL; i++) {
			strbuf_addstr(&sb, i > 0 ? "," : "");
			json_add_string(&sb, events[i]);
		}
		strbuf_addch(&sb, ']');
	}
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, body);
}

bool
amocrm_subscribe(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, const char *const *events,
    int64_t deadline_ms)
{
	struct json_object *doc = NULL;
	const char *body;
	bool ok = write_destination(ctx, destination, events, &body)
	    && call_webhooks(ctx, cfg, host, "POST", access_token, body, deadline_ms, &doc);

	json_object_put(doc);
	return ok;
}

bool
amocrm_unsubscribe(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms)
{
	struct json_object *doc = NULL;
	const char *body;
	bool ok = write_destination(ctx, destination, NULL, &body)
	    && call_webhooks(ctx, cfg, host, "DELETE", access_token, body, deadline_ms, &doc);

	json_object_put(doc);
	return ok;
}

/* {"_embedded":{"webhooks":[{"destination":…,"disabled":…},…]}} */
static enum subscription
find_destination(const struct json_object *doc, const char *destination)
{
	struct json_object *embedded;
	struct json_object *list;
	struct json_object *disabled;

	if (!json_object_is_type(doc, json_type_object)
	    || !json_object_object_get_ex(doc, "_embedded", &embedded)
	    || !json_object_is_type(embedded, json_type_object)
	    || !json_object_object_get_ex(embedded, "webhooks", &list)
	    || !json_object_is_type(list, json_type_array))
		return SUBSCRIPTION_NONE;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *hook = json_object_array_get_idx(list, i);
		const char *url = json_get_string(hook, "destination");

		if (url == NULL || strcmp(url, destination) != 0)
			continue;
		return json_object_object_get_ex(hook, "disabled", &disabled)
			&& json_object_get_boolean(disabled)
		    ? SUBSCRIPTION_DISABLED
		    : SUBSCRIPTION_ACTIVE;
	}
	return SUBSCRIPTION_NONE;
}

bool
amocrm_subscription(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms,
    enum subscription *found)
{
	struct json_object *doc;

	if (!call_webhooks(ctx, cfg, host, "GET", access_token, NULL, deadline_ms, &doc))
		return false;
	*found = find_destination(doc, destination);
	json_object_put(doc);
	return true;
}
