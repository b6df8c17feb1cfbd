/* nested_form.c - see nested_form.h. */
#include "text/nested_form.h"

#include "base/strbuf.h"
#include "text/form.h"
#include "text/form_tree.h"
#include "text/json.h"

#include <string.h>

/* The length of a key's first name: up to its brackets, or the whole key if they are unbalanced. */
static size_t
first_name_len(const char *key)
{
	size_t len = strcspn(key, "[");
	const char *rest = key + len;

	while (*rest == '[') {
		const char *end = strchr(rest, ']');

		if (end == NULL)
			break;
		rest = end + 1;
	}
	return *rest == '\0' ? len : strlen(key);
}

/* Finds or adds the member that the brackets name. */
static bool
descend(struct ctx *ctx, struct form_member **member, const char *brackets, int *names)
{
	for (int depth = 2; *brackets != '\0'; depth++) {
		const char *name = brackets + 1;
		size_t len = strcspn(name, "]");
		struct form_tree *level = &(*member)->level;

		++*names;
		if (depth > NESTED_FORM_DEPTH_MAX)
			return fault(ctx, FAULT_REQUEST, "a key has more than %d names in brackets",
			    NESTED_FORM_DEPTH_MAX - 1);
		(*member)->value = NULL;
		if (len == 0 ? !form_tree_append(ctx, level, member)
			     : !form_tree_get_or_add(ctx, level, name, len, member))
			return false;
		brackets = name + len + 1;
	}
	return true;
}

static bool
set(struct ctx *ctx, struct form_tree *top, const char *key, const char *value, int *names)
{
	size_t len = first_name_len(key);
	struct form_member *member;

	if (strlen(key) > NESTED_FORM_KEY_MAX)
		return fault(ctx, FAULT_REQUEST, "a key is over %d bytes", NESTED_FORM_KEY_MAX);
	if (!form_tree_get_or_add(ctx, top, key, len, &member)
	    || !descend(ctx, &member, key + len, names))
		return false;
	member->value = value;
	memset(&member->level, 0, sizeof member->level);
	return true;
}

static bool
read_pair(struct ctx *ctx, const char *pair, size_t len, struct form_tree *top, int *names)
{
	const char *equals = memchr(pair, '=', len);
	size_t key_len = equals == NULL ? len : (size_t)(equals - pair);
	const char *key;
	const char *value = "";

	if (!form_decode(ctx, pair, key_len, &key)
	    || (equals != NULL && !form_decode(ctx, equals + 1, len - key_len - 1, &value)))
		return fault(ctx, FAULT_REQUEST, "an invalid escape or NUL in the form");
	++*names;
	return set(ctx, top, key, value, names);
}

static bool
read_pairs(struct ctx *ctx, const char *form, size_t len, struct form_tree *top)
{
	const char *end = form + len;
	int names = 0;

	while (form < end) {
		const char *next = memchr(form, '&', (size_t)(end - form));
		size_t pair_len = (size_t)((next == NULL ? end : next) - form);

		if (pair_len > 0 && !read_pair(ctx, form, pair_len, top, &names))
			return false;
		if (names > NESTED_FORM_NAMES_MAX)
			return fault(ctx, FAULT_REQUEST,
			    "the form has more than %d names in its keys", NESTED_FORM_NAMES_MAX);
		form += pair_len + (next != NULL);
	}
	return names > 0 || fault(ctx, FAULT_REQUEST, "the form has no pairs");
}

static void write_member(struct strbuf *sb, const struct form_member *m);

static void
write_elements(struct strbuf *sb, const struct form_member *top)
{
	if (top == NULL)
		return;
	write_elements(sb, top->left);
	if (strcmp(top->name, "0") != 0)
		strbuf_addch(sb, ',');
	write_member(sb, top);
	write_elements(sb, top->right);
}

static void
write_object(struct strbuf *sb, const struct form_tree *level)
{
	strbuf_addch(sb, '{');
	for (const struct form_member *m = level->first; m != NULL; m = m->next) {
		if (m != level->first)
			strbuf_addch(sb, ',');
		json_add_string(sb, m->name);
		strbuf_addch(sb, ':');
		write_member(sb, m);
	}
	strbuf_addch(sb, '}');
}

static void
write_member(struct strbuf *sb, const struct form_member *m)
{
	if (m->value != NULL) {
		json_add_string(sb, m->value);
		return;
	}
	if (!form_tree_is_array(&m->level)) {
		write_object(sb, &m->level);
		return;
	}
	strbuf_addch(sb, '[');
	write_elements(sb, m->level.root);
	strbuf_addch(sb, ']');
}

bool
nested_form_to_json(struct ctx *ctx, const char *form, size_t len, const char **line)
{
	struct form_tree top = { 0 };
	struct strbuf sb;

	if (!read_pairs(ctx, form, len, &top))
		return false;
	strbuf_init(ctx, &sb);
	write_object(&sb, &top);
	return strbuf_finish(&sb, line);
}
