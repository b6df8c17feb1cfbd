/* store_message.c - see store_message.h.
 *
 *   -> {"do":"get","key":…}
 *   <- {"values":[<base64url or null>]}
 *
 *   -> {"do":"begin","turn":…,"lease":…,"token":0}
 *   <- {}
 *
 *   -> {"do":"read","keys":[…]}
 *   <- {"values":[…]}
 *
 *   -> {"do":"write","changes":[{"key":…,"value":<base64url or null>,"expires":0,"absent":0},…]}
 *   <- {}
 *
 *   -> {"do":"commit"} or {"do":"roll_back"}
 *   <- {}
 *
 *   -> {"do":"each","prefix":…,"after":…}
 *   <- {"records":[[<key>,<base64url>],…],"more":0}
 *
 *   -> {"do":"hold","name":…,"holder":…,"for_ms":…}
 *   <- {"token":0,"abandoned":0}
 *
 *   -> {"do":"let_go","name":…,"token":…,"abandoned":0}
 *   <- {}
 */
#include "store/store_message.h"

#include "text/json.h"
#include "text/json_bytes.h"

#include <string.h>

/* An array of at most max items. */
static bool
get_array(const struct json_object *doc, const char *name, size_t max, struct json_object **array,
    size_t *count)
{
	if (!json_object_object_get_ex(doc, name, array)
	    || !json_object_is_type(*array, json_type_array))
		return false;
	*count = json_object_array_length(*array);
	return *count <= max;
}

/* NULL: it is not a string, or contains a NUL. */
static const char *
string_of(struct json_object *value)
{
	const char *string = json_object_get_string(value);

	return json_object_is_type(value, json_type_string)
		&& strlen(string) == (size_t)json_object_get_string_len(value)
	    ? string
	    : NULL;
}

void
store_begin_encode(struct strbuf *sb, const struct store_begin *begin)
{
	json_add_member(sb, "turn", begin->turn);
	json_add_member(sb, "lease", begin->lease);
	strbuf_addf(sb, ",\"token\":%lld", (long long)begin->token);
}

bool
store_begin_decode(const struct json_object *doc, struct store_begin *begin)
{
	begin->turn = json_get_string(doc, "turn");
	begin->lease = json_get_string(doc, "lease");
	return json_get_integer(doc, "token", &begin->token);
}

void
store_keys_encode(struct strbuf *sb, const struct store_keys *keys)
{
	strbuf_addstr(sb, ",\"keys\":[");
	for (size_t i = 0; i < keys->count; i++) {
		strbuf_addstr(sb, i > 0 ? "," : "");
		json_add_string(sb, keys->keys[i]);
	}
	strbuf_addch(sb, ']');
}

bool
store_keys_decode(const struct json_object *doc, struct store_keys *keys)
{
	struct json_object *array;

	if (!get_array(doc, "keys", STORE_OPS_MAX, &array, &keys->count))
		return false;
	for (size_t i = 0; i < keys->count; i++) {
		keys->keys[i] = string_of(json_object_array_get_idx(array, i));
		if (keys->keys[i] == NULL)
			return false;
	}
	return true;
}

void
store_values_encode(struct strbuf *sb, const struct store_values *values)
{
	strbuf_addstr(sb, "{\"values\":[");
	for (size_t i = 0; i < values->count; i++) {
		strbuf_addstr(sb, i > 0 ? "," : "");
		json_add_bytes_value(sb, values->values[i], values->lengths[i]);
	}
	strbuf_addstr(sb, "]}");
}

bool
store_values_decode(struct ctx *ctx, const struct json_object *doc, struct store_values *values)
{
	struct json_object *array;

	if (!get_array(doc, "values", STORE_OPS_MAX, &array, &values->count))
		return false;
	for (size_t i = 0; i < values->count; i++) {
		const uint8_t *bytes;

		if (!json_bytes_value(
			ctx, json_object_array_get_idx(array, i), &bytes, &values->lengths[i]))
			return false;
		values->values[i] = (const char *)bytes;
	}
	return true;
}

static void
encode_change(struct strbuf *sb, const struct store_change *change)
{
	strbuf_addch(sb, '{');
	json_add_member(sb, "key", change->key);
	json_add_bytes(sb, "value", change->value, change->len);
	strbuf_addf(
	    sb, ",\"expires\":%lld,\"absent\":%d}", (long long)change->expires, change->absent);
}

void
store_changes_encode(struct strbuf *sb, const struct store_changes *changes)
{
	strbuf_addstr(sb, ",\"changes\":[");
	for (size_t i = 0; i < changes->count; i++) {
		strbuf_addstr(sb, i > 0 ? "," : "");
		encode_change(sb, &changes->changes[i]);
	}
	strbuf_addch(sb, ']');
}

static bool
decode_change(struct ctx *ctx, const struct json_object *doc, struct store_change *change)
{
	const uint8_t *bytes;

	change->key = json_get_string(doc, "key");
	if (change->key == NULL || !json_get_bytes(ctx, doc, "value", &bytes, &change->len)
	    || !json_get_integer(doc, "expires", &change->expires))
		return false;
	change->value = (const char *)bytes;
	return json_get_flag(doc, "absent", &change->absent);
}

bool
store_changes_decode(struct ctx *ctx, const struct json_object *doc, struct store_changes *changes)
{
	struct json_object *array;

	if (!get_array(doc, "changes", STORE_OPS_MAX, &array, &changes->count))
		return false;
	for (size_t i = 0; i < changes->count; i++)
		if (!decode_change(ctx, json_object_array_get_idx(array, i), &changes->changes[i]))
			return false;
	return true;
}

void
store_range_encode(struct strbuf *sb, const struct store_range *range)
{
	json_add_member(sb, "prefix", range->prefix);
	json_add_member(sb, "after", range->after);
}

bool
store_range_decode(const struct json_object *doc, struct store_range *range)
{
	range->prefix = json_get_string(doc, "prefix");
	range->after = json_get_string(doc, "after");
	return range->prefix != NULL && range->after != NULL;
}

void
store_page_begin(struct strbuf *sb)
{
	strbuf_addstr(sb, "{\"records\":[");
}

void
store_page_add(struct strbuf *sb, const char *key, size_t key_len, const void *value, size_t len)
{
	strbuf_addstr(sb, sb->start[sb->len - 1] == '[' ? "[" : ",[");
	json_add_string_len(sb, key, key_len);
	strbuf_addch(sb, ',');
	json_add_bytes_value(sb, value, len);
	strbuf_addch(sb, ']');
}

void
store_page_end(struct strbuf *sb, bool more)
{
	strbuf_addf(sb, "],\"more\":%d}", more);
}

bool
store_page_decode(const struct json_object *doc, struct store_page *page)
{
	return get_array(doc, "records", SIZE_MAX, &page->records, &page->count)
	    && json_get_flag(doc, "more", &page->more);
}

bool
store_page_record(struct ctx *ctx, const struct store_page *page, size_t index, const char **key,
    const char **value)
{
	struct json_object *record = json_object_array_get_idx(page->records, index);
	const uint8_t *bytes;
	size_t len;

	if (!json_object_is_type(record, json_type_array) || json_object_array_length(record) != 2)
		return false;
	*key = string_of(json_object_array_get_idx(record, 0));
	if (*key == NULL
	    || !json_bytes_value(ctx, json_object_array_get_idx(record, 1), &bytes, &len))
		return false;
	*value = (const char *)bytes;
	return true;
}

void
store_claim_encode(struct strbuf *sb, const struct store_claim *claim)
{
	json_add_member(sb, "name", claim->name);
	json_add_member(sb, "holder", claim->holder);
	strbuf_addf(sb, ",\"for_ms\":%lld", (long long)claim->term_ms);
}

bool
store_claim_decode(const struct json_object *doc, struct store_claim *claim)
{
	claim->name = json_get_string(doc, "name");
	claim->holder = json_get_string(doc, "holder");
	return claim->name != NULL && claim->holder != NULL
	    && json_get_integer(doc, "for_ms", &claim->term_ms);
}

void
store_claimed_encode(struct strbuf *sb, const struct store_claimed *claimed)
{
	strbuf_addf(
	    sb, "{\"token\":%lld,\"abandoned\":%d}", (long long)claimed->token, claimed->abandoned);
}

bool
store_claimed_decode(const struct json_object *doc, struct store_claimed *claimed)
{
	return json_get_integer(doc, "token", &claimed->token)
	    && json_get_flag(doc, "abandoned", &claimed->abandoned);
}

void
store_release_encode(struct strbuf *sb, const struct store_release *release)
{
	json_add_member(sb, "name", release->name);
	strbuf_addf(
	    sb, ",\"token\":%lld,\"abandoned\":%d", (long long)release->token, release->abandoned);
}

bool
store_release_decode(const struct json_object *doc, struct store_release *release)
{
	release->name = json_get_string(doc, "name");
	return release->name != NULL && json_get_integer(doc, "token", &release->token)
	    && json_get_flag(doc, "abandoned", &release->abandoned);
}
