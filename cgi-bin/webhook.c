/* webhook.c - amoCRM reports an event.
 *
 *   amoCRM -- POST form or JSON [?key=secret] --------->  webhook
 *                                                         (the event is on disk)
 *   amoCRM <-- 200 -------------------------------------  webhook
 *
 *   amoCRM -- GET client_uuid, account_id, signature -->  webhook   revokes the account's
 *
 * Webhooks are unsigned.  If [webhook] secret is set, the URL must carry it as the key, which only
 * the account's settings show.  By default, the account that the body names must be connected.
 */
#include "amocrm/disconnect_hook.h"
#include "base/clock.h"
#include "base/sha2.h"
#include "connection/connection.h"
#include "connection/event_account.h"
#include "events/event.h"
#include "events/event_log.h"
#include "text/form.h"
#include "text/json_compact.h"
#include "text/nested_form.h"
#include "web/serve.h"

#include <string.h>

#define LINE_GROWTH_MAX 2    /* times [webhook] max_body; a line is usually shorter than its body */
#define DATABASE_MS     1500 /* for a database: amoCRM waits 2 seconds for the reply */

static bool
check_key(struct ctx *ctx, const struct webhook_config *cfg, const struct request *req)
{
	struct form_field key = { .name = "key", .max = REQUEST_QUERY_MAX };

	if (cfg->secret == NULL)
		return true;
	if (!form_parse(ctx, req->query, &key, 1))
		return false;
	return timingsafe_equal(key.value, cfg->secret)
	    || fault(ctx, FAULT_FORBIDDEN, "the key is not [webhook] secret");
}

static bool
read_body(struct ctx *ctx, const struct config *cfg, const struct request *req, struct event *event)
{
	if (!request_body(ctx, req, (size_t)cfg->webhook.max_body, &event->body, &event->body_len))
		return false;
	return event->body_len > 0 || fault(ctx, FAULT_REQUEST, "the body is empty");
}

static bool
read_payload(struct ctx *ctx, const struct request *req, struct event *event)
{
	const char *line;
	bool ok;

	switch (request_media(req)) {
	case MEDIA_FORM:
		ok = nested_form_to_json(ctx, event->body, event->body_len, &line);
		break;
	case MEDIA_JSON:
		ok = json_compact(ctx, event->body, event->body_len, &line);
		break;
	default:
		return fault(ctx, FAULT_MEDIA, "the body is neither a form nor JSON");
	}
	if (ok)
		event->payload = event_payload_of(json_slice_of(line));
	return ok;
}

/* The entity "connection" is reserved for our own events (connection_event.h), which nobody may
 * forge. */
static bool
check_entity(struct ctx *ctx, const struct event *event)
{
	return event->payload.connection.at == NULL
	    || fault(ctx, FAULT_REQUEST,
		"the body contains a connection event, which only this back end creates");
}

static bool
check_account(struct ctx *ctx, const struct config *cfg, const struct event *event)
{
	int64_t account_id = event->account_id;
	bool active;

	if (cfg->webhook.accounts == WEBHOOK_ANY)
		return true;
	if (account_id == 0)
		return fault(ctx, FAULT_FORBIDDEN, "the body names no account");
	return connection_account_active(ctx, cfg, account_id, &active)
	    && (active
		|| fault(
		    ctx, FAULT_FORBIDDEN, "account %lld is not connected", (long long)account_id));
}

/* Escapes can make a line longer than the body. */
static bool
check_length(struct ctx *ctx, const struct config *cfg, const char *line)
{
	return strlen(line) <= LINE_GROWTH_MAX * (size_t)cfg->webhook.max_body
	    || fault(ctx, FAULT_TOO_LARGE, "the event's line is over %d times [webhook] max_body",
		LINE_GROWTH_MAX);
}

static bool
store_event(struct ctx *ctx, const struct config *cfg, const struct event *event)
{
	struct event_log log = event_log_of(cfg);
	const char *line;

	if (!log.to_deliver) /* else `amocrmctl deliver` prunes what it has delivered */
		log.keep_s = cfg->webhook.keep_days * (time_t)86400;
	log.size_max = cfg->webhook.max_journal;
	return event_write(ctx, event, &line) && check_length(ctx, cfg, line)
	    && event_log_append(ctx, &log, event, line);
}

static bool
receive_event(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct event event = { .request_id = req->request_id };

	clock_gettime(CLOCK_REALTIME, &event.received_at);
	return check_key(ctx, &cfg->webhook, req) && read_body(ctx, cfg, req, &event)
	    && read_payload(ctx, req, &event) && check_entity(ctx, &event)
	    && event_find_account(ctx, cfg, &event) && check_account(ctx, cfg, &event)
	    && store_event(ctx, cfg, &event) && respond_success(ctx, NULL, NULL, res);
}

/* The account's connections are kept, but not used before a new authorization. */
static bool
revoke_account(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	int64_t account_id;

	return disconnect_hook_verify(ctx, &cfg->amocrm, req->query, &account_id)
	    && connection_revoke_account(ctx, cfg, account_id)
	    && respond_success(ctx, "AMO CRM disconnected", NULL, res);
}

static bool
webhook(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	ctx->database.end_ms = clock_ms() + DATABASE_MS;
	return req->method == METHOD_GET ? revoke_account(ctx, cfg, req, res)
					 : receive_event(ctx, cfg, req, res);
}

int
main(void)
{
	static const struct program program = { "webhook", METHOD_GET | METHOD_POST, webhook,
		NULL };

	return serve(&program);
}
