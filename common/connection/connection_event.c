/* connection_event.c - see connection_event.h. */
#include "connection/connection_event.h"

#include "base/log.h"
#include "base/strbuf.h"
#include "events/event.h"
#include "events/event_log.h"
#include "text/json.h"

#include <string.h>

static bool
write_payload(struct ctx *ctx, const char *action, const struct connection *connection,
    const char *reason, const struct timespec *at, const char **payload)
{
	size_t subdomain_len = strcspn(connection->host, ".");
	const char *subdomain;
	struct strbuf sb;

	if (!ctx_strndup(ctx, connection->host, subdomain_len, &subdomain))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addf(
	    &sb, "{\"account\":{\"id\":\"%lld\",\"subdomain\":", (long long)connection->account_id);
	json_add_string(&sb, subdomain);
	strbuf_addstr(&sb, "},\"connection\":{");
	json_add_string(&sb, action);
	strbuf_addf(&sb, ":[{\"at\":\"%lld.%09ld\",\"amocrm_user_id\":\"%lld\",\"domain\":",
	    (long long)at->tv_sec, at->tv_nsec, (long long)connection->amocrm_user_id);
	json_add_string(&sb, connection->host);
	strbuf_addstr(&sb, ",\"app_user\":");
	json_add_string(&sb, connection->app_user);
	strbuf_addstr(&sb, ",\"reason\":");
	json_add_string(&sb, reason);
	strbuf_addstr(&sb, "}]}}");
	return strbuf_finish(&sb, payload);
}

static bool
append(struct ctx *ctx, const struct config *cfg, const char *action,
    const struct connection *connection, const char *reason)
{
	const struct event_log log = event_log_of(cfg);
	struct event event = { .account_id = connection->account_id };
	const char *line;

	clock_gettime(CLOCK_REALTIME, &event.received_at);
	if (!write_payload(ctx, action, connection, reason, &event.received_at, &event.body))
		return false;
	event.body_len = strlen(event.body);
	event.payload = event_payload_of(json_slice_of(event.body));
	return event_write(ctx, &event, &line) && event_log_append(ctx, &log, &event, line);
}

bool
connection_event_append(struct ctx *ctx, const struct config *cfg, const char *action,
    const struct connection *connection, const char *reason)
{
	bool faulty = ctx->kind != FAULT_NONE;

	if (append(ctx, cfg, action, connection, reason) || faulty)
		return true;
	if (ctx->database.sections > 0)
		return false;
	log_note(ctx, "notice_lost", ctx->reason);
	ctx_clear_fault(ctx);
	return true;
}
