/* amocrm.c - one call to an account, and what its reply means; see amocrm.h. */
#include "amocrm/amocrm.h"

#include "amocrm/budget.h"
#include "base/clock.h"
#include "helper/https.h"
#include "text/json.h"

#include <string.h>

/* The hint in the reply classifies a 400 or 401.  An unknown hint does not prove the token invalid,
 * so the token is kept. */
static const struct hint {
	const char *part;
	enum fault_kind kind;
	const char *advice; /* for the log */
} hints[] = {
	{ "code has expired", FAULT_REFUSED, "over 20 minutes old; connect again" },
	{ "code has been revoked", FAULT_REFUSED, "already used; connect again" },
	{ "decrypt the authorization code", FAULT_REFUSED,
	    "truncated, or from the other platform: see authorize_url" },
	{ "oken has been revoked", FAULT_REFUSED,
	    "already used, or the integration was removed; connect again" },
	{ "oken has expired", FAULT_REFUSED, "not refreshed for three months; connect again" },
	{ "decrypt the refresh token", FAULT_REFUSED, "from another integration or platform" },
	{ "Redirect URI", FAULT_CLIENT,
	    "redirect_uri must equal the one in amoCRM's settings byte for byte" },
	{ "client_id", FAULT_CLIENT, "see client_id in the integration's Keys tab" },
	{ "client_secret", FAULT_CLIENT, "see client_secret in the integration's Keys tab" },
	{ "account", FAULT_CLIENT, "see account: amoCRM expects the request at another host" },
	{ "", FAULT_CLIENT, "wrong client_secret, or an unpaid account" },
};

/* The hints above are the token endpoint's; elsewhere a 401 concerns the access token alone. */
static const struct hint *
find_hint(const struct https_reply *reply, const char *path, const char *text)
{
	static const struct hint token = { "", FAULT_CLIENT,
		"the access token was not accepted; if this persists, connect again" };
	static const struct hint request = { "", FAULT_CLIENT,
		"amoCRM does not accept this request" };
	const struct hint *hint = hints;

	if (strncmp(path, "/oauth2/", strlen("/oauth2/")) != 0)
		return reply->status == 401 ? &token : &request;
	while (strstr(text, hint->part) == NULL)
		hint++;
	return hint;
}

static void
fault_refused(struct ctx *ctx, const struct amocrm_call *call, const struct https_reply *reply,
    const struct json_object *doc)
{
	const char *text = json_get_string(doc, "hint");
	const char *title = json_get_string(doc, "title");
	const struct hint *hint = find_hint(reply, call->path, text == NULL ? "" : text);

	ctx_fault(ctx, hint->kind, "%s refused with %ld: %.60s%s%.60s (%s)", call->host,
	    reply->status, title == NULL ? "" : title, text == NULL ? "" : ": ",
	    text == NULL ? "" : text, hint->advice);
}

static enum fault_kind
fault_kind_of(long status)
{
	if (status == 403)
		return FAULT_BLOCKED;
	return (status >= 300 && status < 400) || status == 404 ? FAULT_MOVED : FAULT_UNAVAILABLE;
}

static void
fault_temporary(struct ctx *ctx, const char *host, const struct https_reply *reply)
{
	long status = reply->status;

	ctx_fault(ctx, fault_kind_of(status), "%s replied with %ld %s%s", host, status,
	    reply->is_json ? "in JSON" : "without JSON",
	    status == 403       ? "; the account or this server's address is blocked"
		: status == 429 ? "; too many requests"
				: "");
	ctx->retry_after_s = reply->retry_after_s;
}

/* *doc is NULL for a reply without content. */
static bool
read_reply(struct ctx *ctx, const struct amocrm_call *call, const struct https_reply *reply,
    struct json_object **doc)
{
	bool success = reply->status == 200 || reply->status == 201;

	*doc = json_parse(reply->body, strlen(reply->body));
	if (reply->status == 204 || (success && json_object_is_type(*doc, json_type_object)))
		return true;
	if ((reply->status == 400 || reply->status == 401)
	    && json_object_is_type(*doc, json_type_object))
		fault_refused(ctx, call, reply, *doc);
	else
		fault_temporary(ctx, call->host, reply);
	json_object_put(*doc);
	*doc = NULL;
	return false;
}

static bool
send_in_turn(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    const struct https_request *http, struct https_reply *reply)
{
	struct budget_turn turn;
	bool ok;

	if (!budget_begin(ctx, cfg, call->host, call->share, call->deadline_ms, &turn))
		return false;
	ok = https_send(ctx, http, reply);
	budget_end(&turn);
	return ok;
}

bool
amocrm_call(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    struct json_object **doc)
{
	struct https_request http = { .method = call->method,
		.host = call->host,
		.headers = { "Accept: application/json" },
		.body = call->body,
		.deadline_ms = call->deadline_ms,
		.ca_file = cfg->amocrm.ca_file,
		.connect_to = cfg->amocrm.connect_to,
		.proxy = cfg->amocrm.proxy };
	struct https_reply reply;
	size_t count = 1;

	if (call->body != NULL)
		http.headers[count++] = "Content-Type: application/json";
	if (call->header != NULL)
		http.headers[count] = call->header;
	*doc = NULL;
	return ctx_printf(ctx, &http.url, "https://%s%s", call->host, call->path)
	    && send_in_turn(ctx, cfg, call, &http, &reply) && read_reply(ctx, call, &reply, doc);
}

int64_t
amocrm_deadline(const struct config *cfg)
{
	return clock_ms() + cfg->amocrm.timeout * INT64_C(1000);
}
