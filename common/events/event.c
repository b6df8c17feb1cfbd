/* event.c - see event.h. */
#include "events/event.h"

#include "base/rfc3339.h"
#include "base/sha2.h"
#include "base/siphash.h"
#include "base/strbuf.h"
#include "text/json.h"
#include "text/json_slice.h"

#include <stdio.h>
#include <string.h>

/* The names that were written.  A payload may repeat a hundred of them many thousand times, so they
 * are compared by their hashes first, which nobody who chooses the names can make equal. */
struct event_names {
	struct {
		uint64_t hash;
		struct json_slice entity;
		struct json_slice action;
	} name[EVENT_NAMES_MAX];
	size_t count;
	uint64_t key[2];
};

static bool
slices_equal(struct json_slice a, struct json_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* Adds a name; false: it is there already. */
static bool
add_name(struct event_names *names, struct json_slice entity, struct json_slice action)
{
	uint64_t hash = siphash(names->key,
	    siphash(names->key, action.at != NULL, entity.at, entity.len), action.at, action.len);

	for (size_t i = 0; i < names->count; i++)
		if (names->name[i].hash == hash && slices_equal(names->name[i].entity, entity)
		    && slices_equal(names->name[i].action, action))
			return false;
	names->name[names->count].hash = hash;
	names->name[names->count].entity = entity;
	names->name[names->count].action = action;
	names->count++;
	return true;
}

static void
add_names(struct strbuf *sb, const struct event *event)
{
	struct event_changes changes = event_changes_of(&event->payload);
	struct event_names names = { .count = 0 };
	struct event_change change;

	siphash_process_key(names.key);
	while (names.count < EVENT_NAMES_MAX && event_changes_next(&changes, &change)) {
		if (!add_name(&names, change.entity, change.action))
			continue;
		strbuf_addstr(sb, names.count == 1 ? "\"" : ",\"");
		strbuf_add(sb, change.entity.at, change.entity.len);
		if (change.action.at != NULL) {
			strbuf_addch(sb, '.');
			strbuf_add(sb, change.action.at, change.action.len);
		}
		strbuf_addch(sb, '"');
	}
}

static bool
within(struct json_slice part, const char *at)
{
	return part.at != NULL && at >= part.at && at < part.at + part.len;
}

/* Whether a member of that name, but none of the account, has a value: neither null, 0 nor empty.
 * A quote within a string of the payload is escaped, so such a text can only be a member's name, or
 * the end of one that contains a quote. */
static bool
has_value(const struct event_payload *payload, const char *quoted_name)
{
	const char *all = payload->all.at;
	const char *value;

	for (const char *at = all; (at = strstr(at, quoted_name)) != NULL; at = value) {
		value = at + strlen(quoted_name);
		if (*value != ':' || (at > all && at[-1] == '\\') || within(payload->account, at))
			continue;
		if (value[1] == '"' ? value[2] != '"' : value[1] >= '1' && value[1] <= '9')
			return true;
	}
	return false;
}

static bool
says_when(const struct event_payload *payload)
{
	static const char *const names[] = { "\"last_modified\"", "\"updated_at\"",
		"\"modified_at\"", "\"date_create\"", "\"created_at\"", "\"timestamp\"",
		"\"msec\"" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (has_value(payload, names[i]))
			return true;
	return false;
}

static bool
write_id(
    struct ctx *ctx, const struct event *event, const char *received_at, char id[SHA256_HEX_SIZE])
{
	const char *first;

	if (says_when(&event->payload)) {
		sha256_hex(event->body, event->body_len, id);
		return true;
	}
	if (!ctx_printf(
		ctx, &first, "%s\n", event->request_id != NULL ? event->request_id : received_at))
		return false;
	sha256_concat_hex(first, strlen(first), event->body, event->body_len, id);
	return true;
}

static void
add_account(struct strbuf *sb, const struct event *event)
{
	struct json_slice subdomain = event->payload.subdomain;

	if (event->account_id != 0)
		strbuf_addf(sb, ",\"account_id\":%lld", (long long)event->account_id);
	else
		strbuf_addstr(sb, ",\"account_id\":null");
	strbuf_addstr(sb, ",\"subdomain\":");
	if (subdomain.len > 0)
		strbuf_add(sb, subdomain.at, subdomain.len);
	else
		strbuf_addstr(sb, "null");
}

bool
event_write(struct ctx *ctx, const struct event *event, const char **line)
{
	char id[SHA256_HEX_SIZE];
	char received_at[RFC3339_MS_SIZE];
	char nanoseconds[40];
	struct strbuf sb;

	snprintf(nanoseconds, sizeof nanoseconds, "%lld.%09ld",
	    (long long)event->received_at.tv_sec, event->received_at.tv_nsec);
	rfc3339_write_ms(&event->received_at, received_at);
	if (!write_id(ctx, event, nanoseconds, id))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"id\":\"%s\",\"received_at\":\"%s\"", id, received_at);
	add_account(&sb, event);
	strbuf_addstr(&sb, ",\"events\":[");
	add_names(&sb, event);
	strbuf_addstr(&sb, "],\"request_id\":");
	json_add_string(&sb, event->request_id);
	strbuf_addstr(&sb, ",\"payload\":");
	strbuf_add(&sb, event->payload.all.at, event->payload.all.len);
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, line);
}

static bool
copy_value(struct ctx *ctx, struct json_slice value, const char **out)
{
	value = event_unquote(value);
	return ctx_strndup(ctx, value.at, value.len, out);
}

bool
event_read(struct ctx *ctx, const char *line, struct stored_event *event)
{
	struct json_slice object = json_slice_of(line);
	struct json_slice id;
	struct json_slice account_id;
	struct json_slice received_at;
	const char *text;
	struct timespec at;

	if (!json_slice_get(object, "id", &id) || !json_slice_get(object, "account_id", &account_id)
	    || !json_slice_get(object, "received_at", &received_at)
	    || !copy_value(ctx, received_at, &text) || !rfc3339_parse(text, &at)
	    || !copy_value(ctx, id, &event->id))
		return false;
	event->account_id = event_parse_id(account_id);
	event->received_at = at.tv_sec;
	event->line = line;
	return true;
}
