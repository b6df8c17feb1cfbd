/* post.c - see post.h. */
#include "post.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "events/webhook_signature.h"
#include "helper/https.h"

#include <string.h>

/* The host of a URL, as libcurl names it; what is odd about the URL,
 * libcurl will not agree with. */
static bool
host_of(struct ctx *ctx, const char *url, const char **host)
{
	const char *start = strstr(url, "://");
	size_t len;
	struct strbuf sb;

	if (start == NULL)
		return fault(ctx, FAULT_CONFIG, "[deliver] url is not a URL");
	start += 3;
	len = strcspn(start, "/?#");
	if (memchr(start, '@', len) != NULL)
		return fault(
		    ctx, FAULT_CONFIG, "[deliver] url holds a user name; use its secret instead");
	len = start[0] == '[' ? strcspn(start, "]") + 1 : strcspn(start, ":/?#");
	strbuf_init(ctx, &sb);
	for (size_t i = 0; i < len; i++)
		strbuf_addch(
		    &sb, start[i] >= 'A' && start[i] <= 'Z' ? (char)(start[i] + 32) : start[i]);
	return strbuf_finish(&sb, host);
}

bool
delivery_check(struct ctx *ctx, const struct config *cfg)
{
	const char *unused;

	if (cfg->deliver.url == NULL || cfg->deliver.secret == NULL)
		return fault(
		    ctx, FAULT_CONFIG, "%s: [deliver] url and secret are not both set", cfg->file);
	if (strncmp(cfg->deliver.url, "https://", 8) != 0 && !cfg->deliver.allow_private)
		return fault(ctx, FAULT_CONFIG,
		    "%s: [deliver] url is plain http; only allow_private = yes allows that",
		    cfg->file);
	return host_of(ctx, cfg->deliver.url, &unused)
	    && webhook_sign(ctx, cfg->deliver.secret, "", 0, "", &unused);
}

static bool
make_call(struct ctx *ctx, const struct config *cfg, const struct stored_event *event,
    struct https_request *call)
{
	time_t now = time(NULL);
	const char *signature;

	memset(call, 0, sizeof *call);
	call->method = "POST";
	call->url = cfg->deliver.url;
	call->headers[0] = "Content-Type: application/json";
	call->body = event->line;
	call->deadline_ms = clock_ms() + DELIVERY_TIMEOUT_MS;
	call->plain_allowed = cfg->deliver.allow_private;
	call->public_only = !cfg->deliver.allow_private;
	call->answer_dropped = true;
	return host_of(ctx, cfg->deliver.url, &call->host)
	    && webhook_sign(ctx, cfg->deliver.secret, event->id, now, event->line, &signature)
	    && ctx_printf(ctx, &call->headers[1], "webhook-id: %s", event->id)
	    && ctx_printf(ctx, &call->headers[2], "webhook-timestamp: %lld", (long long)now)
	    && ctx_printf(ctx, &call->headers[3], "webhook-signature: %s", signature);
}

enum delivery_outcome
delivery_send(struct ctx *ctx, const struct config *cfg, const struct stored_event *event)
{
	struct https_request call;
	struct https_reply answer;

	if (!make_call(ctx, cfg, event, &call) || !https_send(ctx, &cfg->amocrm, &call, &answer))
		return DELIVERY_FAILED;
	if (answer.status >= 200 && answer.status <= 299)
		return DELIVERY_ACCEPTED;
	ctx_fault(ctx, FAULT_UNAVAILABLE, "the receiver answered %ld", answer.status);
	ctx->retry_after_s = answer.retry_after_s;
	return answer.status == 410 ? DELIVERY_GONE : DELIVERY_FAILED;
}
