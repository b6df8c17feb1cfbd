/* event_payload.c - what the payload of an event says: whose it is, and what has changed; see
 * event.h. */
#include "events/event.h"

#include "base/encode.h"

#include <string.h>

#define ID_SIZE sizeof "9223372036854775807"

/* Members of a payload that are not entities. */
static const char *const about[] = { "account", "account_id", "subdomain" };

struct json_slice
event_unquote(struct json_slice value)
{
	if (value.len >= 2 && *value.at == '"')
		return (struct json_slice){ value.at + 1, value.len - 2 };
	return value;
}

int64_t
event_parse_id(struct json_slice value)
{
	char digits[ID_SIZE] = "";
	int64_t id;

	value = event_unquote(value);
	if (value.len < sizeof digits)
		memcpy(digits, value.at, value.len);
	return decimal_parse(digits, &id) ? id : 0;
}

static bool
is_about_account(struct json_slice name)
{
	for (size_t i = 0; i < sizeof about / sizeof *about; i++)
		if (json_slice_equal(name, about[i]))
			return true;
	return false;
}

/* A Salesbot's request: {"token":…,"data":{…},"return_url":…}. */
static bool
is_salesbot(struct json_slice payload)
{
	struct json_slice unused;

	return json_slice_get(payload, "return_url", &unused)
	    && json_slice_get(payload, "token", &unused);
}

struct event_changes
event_changes_of(struct json_slice payload)
{
	return (struct event_changes){ .all = payload, .rest = payload };
}

static bool
whole(struct event_changes *changes, struct json_slice entity, struct json_slice items,
    struct event_change *change)
{
	changes->any = true;
	*change = (struct event_change){ .entity = entity, .items = items };
	return true;
}

/* The next action of the entity. */
static bool
next_action(struct event_changes *changes, struct event_change *change)
{
	change->entity = changes->entity;
	if (!json_slice_next(&changes->actions, &change->action, &change->items))
		return false;
	changes->any = true;
	return true;
}

bool
event_changes_next(struct event_changes *changes, struct event_change *change)
{
	static const char salesbot[] = "salesbot";
	struct json_slice name;
	struct json_slice value;

	if (changes->actions.len > 0 && next_action(changes, change))
		return true;
	changes->actions.len = 0;
	if (!changes->any && is_salesbot(changes->all)) {
		changes->rest.len = 0;
		if (!json_slice_get(changes->all, "data", &value))
			value = changes->all;
		return whole(
		    changes, (struct json_slice){ salesbot, sizeof salesbot - 1 }, value, change);
	}
	while (changes->rest.len > 0 && json_slice_next(&changes->rest, &name, &value)) {
		if (is_about_account(name))
			continue;
		if (changes->scalar || *value.at == '[' || json_slice_equal(name, "event"))
			return whole(changes, name, value, change);
		if (*value.at != '{')
			continue;
		changes->entity = name;
		changes->actions = value;
		if (next_action(changes, change))
			return true;
	}
	if (changes->any || changes->scalar)
		return false;
	changes->scalar = true;
	changes->rest = changes->all;
	return event_changes_next(changes, change);
}

/* Sets *id, unless it is known; false: it differs from a known one. */
static bool
agree(int64_t *id, int64_t found)
{
	if (*id == 0)
		*id = found;
	return found == 0 || *id == found;
}

/* The account_id of items, which may be nested lists; *shared: all so far have the same. */
static void
read_items(struct json_slice items, int64_t *id, bool *shared)
{
	struct json_slice name;
	struct json_slice element;
	struct json_slice value;

	if (*items.at == '[') {
		while (*shared && json_slice_next(&items, &name, &element))
			read_items(element, id, shared);
		return;
	}
	*shared = *items.at == '{' && json_slice_get(items, "account_id", &value)
	    && event_parse_id(value) != 0 && agree(id, event_parse_id(value));
}

/* 0: they do not share one. */
static int64_t
account_of_items(struct json_slice payload)
{
	struct event_changes changes = event_changes_of(payload);
	struct event_change change;
	int64_t id = 0;
	bool shared = true;

	while (shared && event_changes_next(&changes, &change))
		read_items(change.items, &id, &shared);
	return shared ? id : 0;
}

bool
event_account(struct ctx *ctx, const struct event *event, int64_t *account_id)
{
	struct json_slice payload = json_slice_of(event->payload);
	struct json_slice account;
	struct json_slice value;

	*account_id = 0;
	if (json_slice_get(payload, "account", &account) && json_slice_get(account, "id", &value))
		*account_id = event_parse_id(value);
	if ((json_slice_get(payload, "account_id", &value)
		&& !agree(account_id, event_parse_id(value)))
	    || !agree(account_id, account_of_items(payload)))
		return fault(
		    ctx, FAULT_REQUEST, "the body names two accounts, and an event has one");
	return true;
}

bool
event_subdomain_value(const struct event *event, struct json_slice *value)
{
	struct json_slice payload = json_slice_of(event->payload);
	struct json_slice account;

	return ((json_slice_get(payload, "account", &account)
		    && json_slice_get(account, "subdomain", value))
		   || json_slice_get(payload, "subdomain", value))
	    && *value->at == '"';
}

bool
event_subdomain(const struct event *event, char subdomain[EVENT_SUBDOMAIN_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-";
	struct json_slice value;

	if (!event_subdomain_value(event, &value))
		return false;
	value = event_unquote(value);
	if (value.len == 0 || value.len >= EVENT_SUBDOMAIN_SIZE)
		return false;
	memcpy(subdomain, value.at, value.len);
	subdomain[value.len] = '\0';
	return subdomain[strspn(subdomain, alphabet)] == '\0';
}
