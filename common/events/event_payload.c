/* event_payload.c - what the payload of an event says: whose it is, and what has changed; see
 * event.h. */
#include "events/event.h"

#include "base/encode.h"

#include <string.h>

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
	int64_t id;

	value = event_unquote(value);
	return decimal_parse_len(value.at, value.len, &id) ? id : 0;
}

/* Members that are not entities. */
static bool
is_about_account(struct json_slice name)
{
	return json_slice_equal(name, "account") || json_slice_equal(name, "account_id")
	    || json_slice_equal(name, "subdomain");
}

/* The place of a member; NULL: it is what has changed. */
static struct json_slice *
place_of(struct event_payload *payload, struct json_slice name)
{
	const struct {
		const char *name;
		struct json_slice *place;
	} known[] = {
		{ "account", &payload->account },
		{ "account_id", &payload->account_id },
		{ "subdomain", &payload->subdomain },
		{ "connection", &payload->connection },
		{ "token", &payload->token },
		{ "data", &payload->data },
		{ "return_url", &payload->return_url },
	};

	if (name.len < strlen("data") || name.len > strlen("account_id"))
		return NULL;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (json_slice_equal(name, known[i].name))
			return known[i].place;
	return NULL;
}

static struct json_slice
if_string(struct json_slice value)
{
	return *value.at == '"' ? value : (struct json_slice){ NULL, 0 };
}

static void
read_account(struct event_payload *payload)
{
	struct json_slice rest = payload->account;
	struct json_slice name;
	struct json_slice value;

	if (rest.at == NULL || *rest.at != '{')
		return;
	while (json_slice_next(&rest, &name, &value))
		if (json_slice_equal(name, "id"))
			payload->of_account = event_parse_id(value);
		else if (json_slice_equal(name, "subdomain"))
			payload->subdomain = if_string(value);
}

struct event_payload
event_payload_of(struct json_slice all)
{
	struct event_payload payload = { .all = all };
	struct json_slice rest = all;
	struct json_slice name;
	struct json_slice value;
	struct json_slice *place;

	while (json_slice_next(&rest, &name, &value)) {
		place = place_of(&payload, name);
		if (place != NULL)
			*place = place == &payload.subdomain ? if_string(value) : value;
		payload.has_entities |=
		    (*value.at == '[' || *value.at == '{' || json_slice_equal(name, "event"))
		    && (place == NULL || !is_about_account(name));
	}
	read_account(&payload);
	return payload;
}

struct event_changes
event_changes_of(const struct event_payload *payload)
{
	return (struct event_changes){
		.payload = payload, .rest = payload->all, .scalar = !payload->has_entities
	};
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
	const struct event_payload *payload = changes->payload;
	struct json_slice name;
	struct json_slice value;

	if (changes->actions.len > 0 && next_action(changes, change))
		return true;
	changes->actions.len = 0;
	if (!changes->any && payload->return_url.at != NULL && payload->token.at != NULL) {
		changes->rest.len = 0;
		value = payload->data.at != NULL ? payload->data : payload->all;
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
	changes->rest = payload->all;
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

/* The account_id of an item, or of the note in it, as leads[note][0][note][account_id]; 0: none. */
static int64_t
account_of_item(struct json_slice item)
{
	struct json_slice note;
	struct json_slice value;

	if (*item.at != '{')
		return 0;
	if (json_slice_get(item, "account_id", &value))
		return event_parse_id(value);
	return json_slice_get(item, "note", &note) && *note.at == '{'
		&& json_slice_get(note, "account_id", &value)
	    ? event_parse_id(value)
	    : 0;
}

/* Whether all items have the same account_id, those of nested lists too: which list they are in
 * does not matter, so brackets and commas are passed over. */
static bool
share_account(struct json_slice items, int64_t *id)
{
	int64_t account_id;

	while (items.len > 0) {
		if (*items.at == '[' || *items.at == ',' || *items.at == ']') {
			items.at++;
			items.len--;
			continue;
		}
		account_id = account_of_item(json_slice_cut(&items));
		if (account_id == 0 || !agree(id, account_id))
			return false;
	}
	return true;
}

/* 0: they do not share one. */
static int64_t
account_of_items(const struct event_payload *payload)
{
	struct event_changes changes = event_changes_of(payload);
	struct event_change change;
	int64_t id = 0;
	bool shared = true;

	while (shared && event_changes_next(&changes, &change))
		shared = share_account(change.items, &id);
	return shared ? id : 0;
}

bool
event_account(struct ctx *ctx, const struct event *event, int64_t *account_id)
{
	const struct event_payload *payload = &event->payload;

	*account_id = payload->of_account;
	if (!agree(account_id, event_parse_id(payload->account_id))
	    || !agree(account_id, account_of_items(payload)))
		return fault(
		    ctx, FAULT_REQUEST, "the body names two accounts, and an event has one");
	return true;
}

bool
event_subdomain(const struct event *event, char subdomain[EVENT_SUBDOMAIN_SIZE])
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-";
	struct json_slice value = event_unquote(event->payload.subdomain);

	if (value.len == 0 || value.len >= EVENT_SUBDOMAIN_SIZE)
		return false;
	memcpy(subdomain, value.at, value.len);
	subdomain[value.len] = '\0';
	return subdomain[strspn(subdomain, alphabet)] == '\0';
}
