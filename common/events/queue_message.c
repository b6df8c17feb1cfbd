/* queue_message.c - see queue_message.h.
 *
 *   -> {"do":"claim","after":-1,"holder":…}
 *   <- {"token":0,"account_id":0,"attempts":0,"rejections":0,"blocked":0}
 *
 *   -> {"do":"next","account_id":…,"token":…,"seq":0,"wait_s":0,"attempts":0,"rejections":0,
 *       "reason":null}
 *   <- {"claimed":1,"seq":…,"line":<base64url or null>}
 *
 *   -> {"do":"taken", "passed", "put_off", "bury" or "release", and as above}
 *   <- {"claimed":1}
 *
 *   -> {"do":"prune_events","keep_s":…,"waiting":0}
 *   <- {"pruned":0}
 *
 *   -> {"do":"queue_state","since":…}
 *   <- {"events":0,"newest":0,"waiting":0,"waiting_since":0,"dead":0,"blocked":0,"account_id":0,
 *       "attempts":0,"next_at":0}
 */
#include "events/queue_message.h"

#include "text/json.h"
#include "text/json_bytes.h"

#include <limits.h>

static void
add_number(struct strbuf *sb, const char *name, int64_t number)
{
	strbuf_addf(sb, "%s\"%s\":%lld", sb->len > 0 && sb->start[sb->len - 1] == '{' ? "" : ",",
	    name, (long long)number);
}

void
queue_search_encode(struct strbuf *sb, const struct queue_search *search)
{
	add_number(sb, "after", search->after);
	json_add_member(sb, "holder", search->holder);
}

bool
queue_search_decode(const struct json_object *doc, struct queue_search *search)
{
	search->holder = json_get_string(doc, "holder");
	return search->holder != NULL && json_get_integer(doc, "after", &search->after);
}

void
queue_claim_encode(struct strbuf *sb, const struct queue_claim *claim)
{
	strbuf_addch(sb, '{');
	add_number(sb, "token", claim->token);
	add_number(sb, "account_id", claim->account_id);
	add_number(sb, "attempts", claim->attempts);
	add_number(sb, "rejections", claim->rejections);
	add_number(sb, "blocked", claim->blocked);
	strbuf_addch(sb, '}');
}

bool
queue_claim_decode(const struct json_object *doc, struct queue_claim *claim)
{
	return json_get_integer(doc, "token", &claim->token)
	    && json_get_integer(doc, "account_id", &claim->account_id)
	    && json_get_integer(doc, "attempts", &claim->attempts)
	    && json_get_integer(doc, "rejections", &claim->rejections)
	    && json_get_integer(doc, "blocked", &claim->blocked) && claim->attempts >= 0
	    && claim->attempts < INT_MAX && claim->rejections >= 0 && claim->rejections < INT_MAX;
}

void
queue_step_encode(struct strbuf *sb, const struct queue_step *step)
{
	add_number(sb, "account_id", step->account_id);
	add_number(sb, "token", step->token);
	add_number(sb, "seq", step->seq);
	add_number(sb, "wait_s", step->wait_s);
	add_number(sb, "attempts", step->attempts);
	add_number(sb, "rejections", step->rejections);
	json_add_member(sb, "reason", step->reason);
}

bool
queue_step_decode(const struct json_object *doc, struct queue_step *step)
{
	step->reason = json_get_string(doc, "reason");
	return json_get_integer(doc, "account_id", &step->account_id)
	    && json_get_integer(doc, "token", &step->token)
	    && json_get_integer(doc, "seq", &step->seq)
	    && json_get_integer(doc, "wait_s", &step->wait_s)
	    && json_get_integer(doc, "attempts", &step->attempts)
	    && json_get_integer(doc, "rejections", &step->rejections);
}

void
queue_claimed_encode(struct strbuf *sb, bool claimed)
{
	strbuf_addf(sb, "{\"claimed\":%d}", claimed);
}

bool
queue_claimed_decode(const struct json_object *doc, bool *claimed)
{
	return json_get_flag(doc, "claimed", claimed);
}

void
queue_event_encode(struct strbuf *sb, const struct queue_event *event)
{
	strbuf_addf(sb, "{\"claimed\":%d,\"seq\":%lld", event->claimed, (long long)event->seq);
	json_add_bytes(sb, "line", event->line, event->len);
	strbuf_addch(sb, '}');
}

bool
queue_event_decode(struct ctx *ctx, const struct json_object *doc, struct queue_event *event)
{
	const uint8_t *line;

	if (!json_get_flag(doc, "claimed", &event->claimed)
	    || !json_get_integer(doc, "seq", &event->seq)
	    || !json_get_bytes(ctx, doc, "line", &line, &event->len))
		return false;
	event->line = (const char *)line;
	return true;
}

void
queue_prune_encode(struct strbuf *sb, const struct queue_prune *prune)
{
	add_number(sb, "keep_s", prune->keep_s);
	add_number(sb, "waiting", prune->waiting);
}

bool
queue_prune_decode(const struct json_object *doc, struct queue_prune *prune)
{
	return json_get_integer(doc, "keep_s", &prune->keep_s)
	    && json_get_flag(doc, "waiting", &prune->waiting);
}

void
queue_pruned_encode(struct strbuf *sb, int64_t pruned)
{
	strbuf_addf(sb, "{\"pruned\":%lld}", (long long)pruned);
}

bool
queue_pruned_decode(const struct json_object *doc, int64_t *pruned)
{
	return json_get_integer(doc, "pruned", pruned);
}

void
queue_since_encode(struct strbuf *sb, time_t since)
{
	add_number(sb, "since", since);
}

bool
queue_since_decode(const struct json_object *doc, int64_t *since)
{
	return json_get_integer(doc, "since", since);
}

void
queue_state_encode(struct strbuf *sb, const struct delivery_status *status)
{
	strbuf_addch(sb, '{');
	add_number(sb, "events", (int64_t)status->events);
	add_number(sb, "newest", status->newest);
	add_number(sb, "waiting", (int64_t)status->waiting);
	add_number(sb, "waiting_since", status->waiting_since);
	add_number(sb, "dead", (int64_t)status->dead);
	add_number(sb, "blocked", (int64_t)status->blocked);
	add_number(sb, "account_id", status->account_id);
	add_number(sb, "attempts", status->attempts);
	add_number(sb, "next_at", status->next_at);
	strbuf_addch(sb, '}');
}

static bool
get_count(const struct json_object *doc, const char *name, size_t *count)
{
	int64_t number;

	if (!json_get_integer(doc, name, &number) || number < 0)
		return false;
	*count = (size_t)number;
	return true;
}

bool
queue_state_decode(const struct json_object *doc, struct delivery_status *status)
{
	int64_t newest;
	int64_t waiting_since;
	int64_t attempts;
	int64_t next_at;

	if (!get_count(doc, "events", &status->events) || !json_get_integer(doc, "newest", &newest)
	    || !get_count(doc, "waiting", &status->waiting)
	    || !json_get_integer(doc, "waiting_since", &waiting_since)
	    || !get_count(doc, "dead", &status->dead)
	    || !get_count(doc, "blocked", &status->blocked)
	    || !json_get_integer(doc, "account_id", &status->account_id)
	    || !json_get_integer(doc, "attempts", &attempts)
	    || !json_get_integer(doc, "next_at", &next_at))
		return false;
	status->newest = newest;
	status->waiting_since = waiting_since;
	status->attempts = (int)attempts;
	status->next_at = next_at;
	return true;
}
