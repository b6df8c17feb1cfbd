/* fuzz_event.c - the line that a webhook becomes: json-c reads it as we do.
 *
 * Input: F or J on a line, for a form or JSON; amoCRM's id of the request on the next; the body.
 */
#include "fuzz.h"

#include "events/event.h"
#include "text/json.h"
#include "text/json_compact.h"
#include "text/json_slice.h"
#include "text/nested_form.h"

#include <json-c/json.h>

/* Whether the escaped text, with quotes, is this string. */
static bool
same_string(struct json_slice escaped, const char *text)
{
	struct json_object *parsed = json_parse(escaped.at, escaped.len);
	bool same = json_object_is_type(parsed, json_type_string)
	    && strcmp(json_object_get_string(parsed), text) == 0;

	json_object_put(parsed);
	return same;
}

/* A name is without its quotes, which stand around it. */
static struct json_slice
quoted(struct json_slice name)
{
	return (struct json_slice){ name.at - 1, name.len + 2 };
}

/* Walks the value with both parsers.  Of members with one name json-c keeps the last. */
static void
check_value(struct json_slice ours, struct json_object *theirs, int depth)
{
	struct json_slice rest = ours;
	struct json_slice name;
	struct json_slice value;
	size_t count = 0;

	switch (json_object_get_type(theirs)) {
	case json_type_array:
		MUST(*ours.at == '[');
		while (json_slice_next(&rest, &name, &value))
			check_value(value, json_object_array_get_idx(theirs, count++), depth + 1);
		MUST(count == json_object_array_length(theirs));
		break;
	case json_type_object:
		MUST(*ours.at == '{');
		while (json_slice_next(&rest, &name, &value))
			count++;
		MUST(count >= (size_t)json_object_object_length(theirs));
		json_object_object_foreach(theirs, key, member)
		{
			struct json_slice found = { NULL, 0 };

			for (rest = ours; json_slice_next(&rest, &name, &value);)
				if (same_string(quoted(name), key))
					found = value;
			MUST(found.at != NULL);
			check_value(found, member, depth + 1);
		}
		break;
	case json_type_string:
		MUST(same_string(ours, json_object_get_string(theirs)));
		break;
	default:
		MUST(strchr("-0123456789tfn", *ours.at) != NULL);
	}
	MUST(depth < JSON_COMPACT_DEPTH_MAX + 8);
}

static void
check_line(struct ctx *ctx, const struct event *event, const char *line)
{
	struct json_object *doc = json_parse(line, strlen(line));
	struct json_object *payload = json_parse(event->payload.all.at, event->payload.all.len);
	struct json_object *member;
	struct stored_event stored;
	int64_t account_id;

	MUST(strpbrk(line, "\r\n") == NULL && json_compact_complete(line, strlen(line)));
	MUST(json_object_is_type(doc, json_type_object));
	MUST(json_object_object_get_ex(doc, "payload", &member));
	MUST(json_object_equal(member, payload));
	check_value(json_slice_of(line), doc, 0);
	MUST(event_read(ctx, line, &stored) && stored.line == line);
	MUST(strcmp(stored.id, json_get_string(doc, "id")) == 0);
	MUST(stored.account_id == event->account_id);
	MUST(!json_get_integer(doc, "account_id", &account_id) || account_id == stored.account_id);
	MUST(json_object_object_get_ex(doc, "events", &member)
	    && json_object_array_length(member) <= EVENT_NAMES_MAX);
	json_object_put(payload);
	json_object_put(doc);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts parts = { data, size };
	char *how = fuzz_line(&parts);
	char *request_id = fuzz_line(&parts);
	char *body = malloc(parts.left + 1);
	struct event event = { .received_at = { .tv_sec = 1800000000, .tv_nsec = 123000000 },
		.body = body,
		.body_len = parts.left,
		.request_id = request_id };
	const char *line;
	const char *payload;
	struct ctx ctx;

	MUST(body != NULL);
	memcpy(body, parts.left == 0 ? (const uint8_t *)"" : parts.at, parts.left);
	body[parts.left] = '\0';
	MUST(ctx_open(&ctx, 16 << 20));
	if (how[0] == 'J' ? json_compact(&ctx, body, parts.left, &payload)
			  : nested_form_to_json(&ctx, body, parts.left, &payload)) {
		event.payload = event_payload_of(json_slice_of(payload));
		if (!event_account(&ctx, &event, &event.account_id)) {
			MUST(ctx.kind == FAULT_REQUEST);
			ctx_clear_fault(&ctx);
			event.account_id = 0;
		}
		MUST(event_write(&ctx, &event, &line));
		check_line(&ctx, &event, line);
	}
	ctx_close(&ctx);
	free(body);
	free(request_id);
	free(how);
	return 0;
}
