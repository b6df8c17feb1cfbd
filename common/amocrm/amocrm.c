/* amocrm.c - one call to an account, and what its reply means; see amocrm.h. */
#include "amocrm/amocrm.h"

#include "amocrm/budget.h"
#include "amocrm/refusal.h"
#include "base/clock.h"
#include "helper/https.h"
#include "text/json.h"

#include <string.h>

static enum fault_kind
fault_kind_of(long status)
{
	if (status == 403)
		return FAULT_BLOCKED;
	/* 401: the former host of a renamed account */
	return (status >= 300 && status < 400) || status == 401 || status == 404
	    ? FAULT_MOVED
	    : FAULT_UNAVAILABLE;
}

/* What a status means whatever the reply says. */
static const char *
meaning_of(long status)
{
	switch (status) {
	case 402:
		return "; the account is not paid";
	case 403:
		return "; the account or this server's address is blocked";
	case 429:
		return "; too many requests";
	default:
		return "";
	}
}

static void
fault_temporary(struct ctx *ctx, const char *host, const struct https_reply *reply,
    const struct json_object *doc)
{
	const char *quote;

	if (!refusal_quote(ctx, doc, &quote))
		return;
	ctx_fault(ctx, fault_kind_of(reply->status), "%s replied with %ld %s%s%s%s", host,
	    reply->status, reply->is_json ? "in JSON" : "without JSON", *quote == '\0' ? "" : ": ",
	    quote, meaning_of(reply->status));
	ctx->retry_after_s = reply->retry_after_s;
}

/* *doc is NULL for a reply without content. */
static bool
read_reply(struct ctx *ctx, const struct amocrm_call *call, const struct https_reply *reply,
    struct json_object **doc)
{
	bool success = reply->status == 200 || reply->status == 201;
	bool gone = reply->status == 404 && strcmp(call->method, "DELETE") == 0 && reply->is_json;

	*doc = json_parse(reply->body, strlen(reply->body));
	if (gone || reply->status == 204
	    || (success && json_object_is_type(*doc, json_type_object)))
		return true;
	if ((reply->status == 400 || reply->status == 401
		|| (reply->status == 403 && strcmp(call->path, AMOCRM_WEBHOOKS_PATH) == 0))
	    && json_object_is_type(*doc, json_type_object))
		refusal_fault(ctx, call, reply, *doc);
	else
		fault_temporary(ctx, call->host, reply, *doc);
	json_object_put(*doc);
	*doc = NULL;
	return false;
}

bool
amocrm_call(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    struct json_object **doc)
{
	struct budget_turn turn;
	bool ok = amocrm_call_in_turn(ctx, cfg, call, doc, &turn);

	if (ok)
		budget_end(ctx, cfg, &turn);
	return ok;
}

bool
amocrm_call_in_turn(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    struct json_object **doc, struct budget_turn *turn)
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
	if (!ctx_printf(ctx, &http.url, "https://%s%s", call->host, call->path)
	    || !budget_begin(ctx, cfg, call->host, call->share, call->deadline_ms, turn))
		return false;
	if (https_send(ctx, &http, &reply) && read_reply(ctx, call, &reply, doc))
		return true;
	budget_end(ctx, cfg, turn);
	return false;
}

int64_t
amocrm_deadline(const struct config *cfg)
{
	return clock_ms() + cfg->amocrm.timeout * INT64_C(1000);
}
