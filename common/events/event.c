/* event.c - see event.h. */
#include "events/event.h"

#include "base/encode.h"
#include "base/rfc3339.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "text/json.h"
#include "text/json_slice.h"

#include <string.h>

#define ID_SIZE sizeof "9223372036854775807"

/* The characters between the quotes of a string, still escaped; any other value as it stands. */
static struct json_slice
unquote(struct json_slice value)
{
	if (value.len >= 2 && *value.at == '"')
		return (struct json_slice){ value.at + 1, value.len - 2 };
	return value;
}

/* 0: the value is not an id. */
static int64_t
parse_id(struct json_slice value)
{
	char digits[ID_SIZE] = "";
	int64_t id;

	value = unquote(value);
	if (value.len < sizeof digits)
		memcpy(digits, value.at, value.len);
	return decimal_parse(digits, &id) ? id : 0;
}

static bool
account_member(const struct event *event, const char *name, struct json_slice *value)
{
	struct json_slice account;

	return json_slice_get(json_slice_of(event->payload), "account", &account)
	    && json_slice_get(account, name, value);
}

int64_t
event_account(const struct event *event)
{
	struct json_slice value;

	return account_member(event, "id", &value) ? parse_id(value) : 0;
}

static void
add_account(struct strbuf *sb, const struct event *event)
{
	int64_t id = event_account(event);
	struct json_slice subdomain;

	if (id != 0)
		strbuf_addf(sb, ",\"account_id\":%lld", (long long)id);
	else
		strbuf_addstr(sb, ",\"account_id\":null");
	strbuf_addstr(sb, ",\"subdomain\":");
	if (account_member(event, "subdomain", &subdomain) && *subdomain.at == '"')
		strbuf_add(sb, subdomain.at, subdomain.len);
	else
		strbuf_addstr(sb, "null");
}

struct event_names {
	struct {
		struct json_slice entity;
		struct json_slice action;
	} name[EVENT_NAMES_MAX];
	size_t count;
};

static bool
slices_equal(struct json_slice a, struct json_slice b)
{
	return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

static bool
contains(const struct event_names *names, struct json_slice entity, struct json_slice action)
{
	for (size_t i = 0; i < names->count; i++)
		if (slices_equal(names->name[i].entity, entity)
		    && slices_equal(names->name[i].action, action))
			return true;
	return false;
}

static void
add_actions(struct strbuf *sb, struct event_names *names, struct json_slice entity,
    struct json_slice actions)
{
	struct json_slice action;
	struct json_slice items;

	while (names->count < EVENT_NAMES_MAX && json_slice_next(&actions, &action, &items)) {
		if (contains(names, entity, action))
			continue;
		strbuf_addstr(sb, names->count == 0 ? "\"" : ",\"");
		strbuf_add(sb, entity.at, entity.len);
		strbuf_addch(sb, '.');
		strbuf_add(sb, action.at, action.len);
		strbuf_addch(sb, '"');
		names->name[names->count].entity = entity;
		names->name[names->count].action = action;
		names->count++;
	}
}

static void
add_names(struct strbuf *sb, const struct event *event)
{
	struct event_names names = { .count = 0 };
	struct json_slice rest = json_slice_of(event->payload);
	struct json_slice entity;
	struct json_slice actions;

	while (json_slice_next(&rest, &entity, &actions))
		if (*actions.at == '{' && !json_slice_equal(entity, "account"))
			add_actions(sb, &names, entity, actions);
}

bool
event_write(struct ctx *ctx, const struct event *event, const char **line)
{
	char id[SHA256_HEX_SIZE];
	char received_at[RFC3339_MS_SIZE];
	struct strbuf sb;

	sha256_hex(event->body, event->body_len, id);
	rfc3339_write_ms(&event->received_at, received_at);
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"id\":\"%s\",\"received_at\":\"%s\"", id, received_at);
	add_account(&sb, event);
	strbuf_addstr(&sb, ",\"events\":[");
	add_names(&sb, event);
	strbuf_addstr(&sb, "],\"request_id\":");
	json_add_string(&sb, event->request_id);
	strbuf_addstr(&sb, ",\"payload\":");
	strbuf_addstr(&sb, event->payload);
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, line);
}

static bool
copy_value(struct ctx *ctx, struct json_slice value, const char **out)
{
	value = unquote(value);
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
	event->account_id = parse_id(account_id);
	event->received_at = at.tv_sec;
	event->line = line;
	return true;
}
