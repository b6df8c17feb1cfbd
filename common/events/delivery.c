/* delivery.c - see delivery.h. */
#include "events/delivery.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "events/webhook_signature.h"
#include "helper/https.h"

#include <string.h>

/* The host of a URL, in lower case as libcurl writes it.  This is no complete parser: https_send
 * refuses the request if libcurl finds another host in the URL. */
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
		return fault(ctx, FAULT_CONFIG,
		    "[deliver] url contains a user name; use [deliver] secret instead");
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
make_request(struct ctx *ctx, const struct config *cfg, const struct stored_event *event,
    struct https_request *request)
{
	time_t now = time(NULL);
	const char *signature;

	memset(request, 0, sizeof *request);
	request->method = "POST";
	request->url = cfg->deliver.url;
	request->headers[0] = "Content-Type: application/json";
	request->body = event->line;
	request->deadline_ms = clock_ms() + DELIVERY_TIMEOUT_MS;
	request->plain_allowed = cfg->deliver.allow_private;
	request->public_only = !cfg->deliver.allow_private;
	request->discard_body = true;
	request->ca_file = cfg->deliver.ca_file;
	request->proxy = cfg->deliver.proxy;
	return host_of(ctx, cfg->deliver.url, &request->host)
	    && webhook_sign(ctx, cfg->deliver.secret, event->id, now, event->line, &signature)
	    && ctx_printf(ctx, &request->headers[1], "webhook-id: %s", event->id)
	    && ctx_printf(ctx, &request->headers[2], "webhook-timestamp: %lld", (long long)now)
	    && ctx_printf(ctx, &request->headers[3], "webhook-signature: %s", signature);
}

/* RFC 9110 section 15: what a 4xx says of a request does not change when the request is repeated,
 * except for 408, 425 and 429. */
static enum delivery_outcome
outcome_of(long status)
{
	if (status >= 200 && status <= 299)
		return DELIVERY_ACCEPTED;
	if (status == 410)
		return DELIVERY_GONE;
	if (status == 408 || status == 425 || status == 429)
		return DELIVERY_FAILED;
	return status >= 300 && status <= 499 ? DELIVERY_REJECTED : DELIVERY_FAILED;
}

enum delivery_outcome
delivery_send(struct ctx *ctx, const struct config *cfg, const struct stored_event *event)
{
	struct https_request request;
	struct https_reply reply;
	enum delivery_outcome outcome;

	if (!make_request(ctx, cfg, event, &request) || !https_send(ctx, &request, &reply))
		return DELIVERY_FAILED;
	outcome = outcome_of(reply.status);
	if (outcome != DELIVERY_ACCEPTED) {
		ctx_fault(ctx, FAULT_UNAVAILABLE, "the receiver replied with %ld", reply.status);
		ctx->retry_after_s = reply.retry_after_s;
	}
	return outcome;
}
