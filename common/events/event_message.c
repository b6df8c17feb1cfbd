/* event_message.c - see event_message.h.
 *
 *   -> {"do":"append","account_id":0,"id":…,"received_at":…,"line":<base64url>,"pending":0,
 *       "repeated":0}
 *   <- {}
 *
 *   -> {"do":"seek","since":0}
 *   <- {"seq":0}
 *
 *   -> {"do":"events","after":0}
 *   <- {"events":[[<number>,<settled: 0 or 1>,<base64url>],…]}
 */
#include "events/event_message.h"

#include "text/json.h"
#include "text/json_bytes.h"

#include <string.h>

#define HEX "0123456789abcdef"

void
event_append_encode(struct strbuf *sb, const struct event_append *append)
{
	strbuf_addf(sb, ",\"account_id\":%lld,\"pending\":%d,\"repeated\":%d",
	    (long long)append->account_id, append->pending, append->repeated);
	json_add_member(sb, "id", append->id);
	json_add_member(sb, "received_at", append->received_at);
	json_add_bytes(sb, "line", append->line, strlen(append->line));
}

bool
event_append_decode(struct ctx *ctx, const struct json_object *doc, struct event_append *append)
{
	append->id = json_get_string(doc, "id");
	append->received_at = json_get_string(doc, "received_at");
	if (append->id == NULL || strspn(append->id, HEX) != EVENT_ID_LEN
	    || append->id[EVENT_ID_LEN] != '\0' || append->received_at == NULL
	    || !json_get_integer(doc, "account_id", &append->account_id)
	    || !json_get_flag(doc, "pending", &append->pending)
	    || !json_get_flag(doc, "repeated", &append->repeated))
		return false;
	return json_get_bytes_text(ctx, doc, "line", &append->line) && append->line != NULL;
}

void
event_seek_encode(struct strbuf *sb, time_t since)
{
	strbuf_addf(sb, ",\"since\":%lld", (long long)since);
}

bool
event_seek_decode(const struct json_object *doc, time_t *since)
{
	int64_t seconds;

	if (!json_get_integer(doc, "since", &seconds))
		return false;
	*since = (time_t)seconds;
	return true;
}

void
event_found_encode(struct strbuf *sb, int64_t seq)
{
	strbuf_addf(sb, "{\"seq\":%lld}", (long long)seq);
}

bool
event_found_decode(const struct json_object *doc, int64_t *seq)
{
	return json_get_integer(doc, "seq", seq);
}

void
event_after_encode(struct strbuf *sb, int64_t seq)
{
	strbuf_addf(sb, ",\"after\":%lld", (long long)seq);
}

bool
event_after_decode(const struct json_object *doc, int64_t *seq)
{
	return json_get_integer(doc, "after", seq);
}

void
event_page_begin(struct strbuf *sb)
{
	strbuf_addstr(sb, "{\"events\":[");
}

void
event_page_add(struct strbuf *sb, int64_t seq, bool settled, const void *line, size_t len)
{
	strbuf_addf(sb, "%s[%lld,%d,", sb->len > strlen("{\"events\":[") ? "," : "", (long long)seq,
	    settled);
	json_add_bytes_value(sb, line, len);
	strbuf_addch(sb, ']');
}

void
event_page_end(struct strbuf *sb)
{
	strbuf_addstr(sb, "]}");
}

bool
event_page_decode(const struct json_object *doc, struct event_page *page)
{
	if (!json_object_object_get_ex(doc, "events", &page->events)
	    || !json_object_is_type(page->events, json_type_array))
		return false;
	page->count = json_object_array_length(page->events);
	return true;
}

bool
event_page_line(
    struct ctx *ctx, const struct event_page *page, size_t index, struct event_line *line)
{
	struct json_object *item = json_object_array_get_idx(page->events, index);
	const uint8_t *bytes;
	size_t len;

	if (!json_object_is_type(item, json_type_array) || json_object_array_length(item) != 3
	    || !json_bytes_value(ctx, json_object_array_get_idx(item, 2), &bytes, &len)
	    || bytes == NULL)
		return false;
	line->seq = json_object_get_int64(json_object_array_get_idx(item, 0));
	line->settled = json_object_get_int64(json_object_array_get_idx(item, 1)) != 0;
	line->line = (const char *)bytes;
	return strlen(line->line) == len;
}
