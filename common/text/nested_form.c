/* nested_form.c - see nested_form.h. */
#include "text/nested_form.h"

#include "base/strbuf.h"
#include "text/form.h"
#include "text/form_members.h"
#include "text/json.h"

#include <string.h>

/* The length of a key's first name: up to its brackets, or the whole key if they are unbalanced. */
static size_t
first_name_len(const char *key, size_t len)
{
	const char *brackets = memchr(key, '[', len);
	const char *end = key + len;
	const char *rest = brackets;

	if (brackets == NULL)
		return len;
	while (rest < end && *rest == '[') {
		const char *close = memchr(rest, ']', (size_t)(end - rest));

		if (close == NULL)
			return len;
		rest = close + 1;
	}
	return rest == end ? (size_t)(brackets - key) : len;
}

struct form {
	struct form_members all;
	struct form_member outermost;
	int names; /* in all keys */
};

/* Finds or adds the member that the brackets name. */
static bool
descend(struct ctx *ctx, struct form *form, struct form_member **member, const char *brackets)
{
	for (int depth = 2; *brackets != '\0'; depth++) {
		const char *name = brackets + 1;
		size_t len = (size_t)(strchr(name, ']') - name);
		struct form_member *parent = *member;

		form->names++;
		if (depth > NESTED_FORM_DEPTH_MAX)
			return fault(ctx, FAULT_REQUEST, "a key has more than %d names in brackets",
			    NESTED_FORM_DEPTH_MAX - 1);
		parent->value = NULL;
		if (len == 0 ? !form_member_append(ctx, &form->all, parent, member)
			     : !form_member_get_or_add(ctx, &form->all, parent, name, len, member))
			return false;
		brackets = name + len + 1;
	}
	return true;
}

struct pair {
	const char *key; /* decoded, with a NUL */
	size_t key_len;
	const char *value; /* the same */
	size_t value_len;
};

static bool
set(struct ctx *ctx, struct form *form, const struct pair *pair)
{
	size_t len = first_name_len(pair->key, pair->key_len);
	struct form_member *member;

	if (pair->key_len > NESTED_FORM_KEY_MAX)
		return fault(ctx, FAULT_REQUEST, "a key is over %d bytes", NESTED_FORM_KEY_MAX);
	form->names++;
	if (!form_member_get_or_add(ctx, &form->all, &form->outermost, pair->key, len, &member)
	    || !descend(ctx, form, &member, pair->key + len))
		return false;
	form_member_set(&form->all, member, pair->value, pair->value_len);
	return true;
}

/* Decodes the pair at *text into *to, and moves both behind it. */
static bool
decode_pair(const char **text, const char *end, char **to, struct pair *pair)
{
	*pair = (struct pair){ .key = *to, .value = "" };
	if (!form_decode_name(text, end, to))
		return false;
	pair->key_len = (size_t)(*to - pair->key) - 1;
	if (*text == end || **text == '&')
		return true;
	++*text;
	pair->value = *to;
	if (!form_decode_value(text, end, to))
		return false;
	pair->value_len = (size_t)(*to - pair->value) - 1;
	return true;
}

static bool
read_pairs(struct ctx *ctx, const char *text, size_t len, struct form *form)
{
	const char *end = text + len;
	struct pair pair;
	char *decoded; /* each name and value, with a NUL for the separator after it */

	if (!ctx_alloc(ctx, len + 1, &decoded))
		return false;
	while (text < end) {
		if (*text == '&') {
			text++;
			continue;
		}
		if (!decode_pair(&text, end, &decoded, &pair))
			return fault(ctx, FAULT_REQUEST, "an invalid escape or NUL in the form");
		if (!set(ctx, form, &pair))
			return false;
		if (form->names > NESTED_FORM_NAMES_MAX)
			return fault(ctx, FAULT_REQUEST,
			    "the form has more than %d names in its keys", NESTED_FORM_NAMES_MAX);
	}
	return form->names > 0 || fault(ctx, FAULT_REQUEST, "the form has no pairs");
}

/* Writes the value of a member, or its members. */
static void
write_content(struct strbuf *sb, const struct form_member *of, bool array)
{
	if (of->value != NULL) {
		json_add_string_len(sb, of->value, of->value_len);
		return;
	}
	strbuf_addch(sb, array ? '[' : '{');
	for (const struct form_member *m = of->first; m != NULL; m = m->next) {
		if (m != of->first)
			strbuf_addch(sb, ',');
		if (!array)
			json_add_name(sb, m->name, m->name_len);
		write_content(sb, m, form_member_is_array(m));
	}
	strbuf_addch(sb, array ? ']' : '}');
}

bool
nested_form_to_json(struct ctx *ctx, const char *text, size_t len, const char **line)
{
	struct form form = { .names = 0 };
	struct strbuf sb;

	form_members_init(&form.all);
	if (!read_pairs(ctx, text, len, &form)
	    || !form_members_sort(ctx, &form.all, &form.outermost))
		return false;
	strbuf_init(ctx, &sb);
	write_content(&sb, &form.outermost, false);
	return strbuf_finish(&sb, line);
}
