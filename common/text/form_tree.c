/* form_tree.c - an AA tree (Arne Andersson, "Balanced search trees made simple", 1993).
 *
 * Each member has a rank.  A left child has a lower rank than its parent, a right child at most the
 * same, a right grandchild a lower one; so the height is at most 2 log2(n + 1).
 */
#include "text/form_tree.h"

#include "base/encode.h"

#include <string.h>

/* Compares lengths first and then bytes, which sorts indexes as numbers. */
static int
name_order(const char *name, size_t len, const struct form_member *member)
{
	if (len != member->name_len)
		return len < member->name_len ? -1 : 1;
	return memcmp(name, member->name, len);
}

static struct form_member *
find(const struct form_tree *level, const char *name, size_t len)
{
	struct form_member *m = level->root;
	int order;

	while (m != NULL && (order = name_order(name, len, m)) != 0)
		m = order < 0 ? m->left : m->right;
	return m;
}

/* Rotates right if the left child has its parent's rank. */
static struct form_member *
skew(struct form_member *top)
{
	struct form_member *left = top->left;

	if (left == NULL || left->rank != top->rank)
		return top;
	top->left = left->right;
	left->right = top;
	return left;
}

/* Rotates left if the right grandchild has its grandparent's rank. */
static struct form_member *
split(struct form_member *top)
{
	struct form_member *right = top->right;

	if (right == NULL || right->right == NULL || right->right->rank != top->rank)
		return top;
	top->right = right->left;
	right->left = top;
	right->rank++;
	return right;
}

static struct form_member *
insert(struct form_member *top, struct form_member *added)
{
	if (top == NULL)
		return added;
	if (name_order(added->name, added->name_len, top) < 0)
		top->left = insert(top->left, added);
	else
		top->right = insert(top->right, added);
	return split(skew(top));
}

/* An index of PHP: a decimal number without sign or leading zeros. */
static bool
is_index(const char *name, int64_t *index)
{
	*index = 0;
	return strcmp(name, "0") == 0 || decimal_parse(name, index);
}

static void
count_in(struct form_tree *level, const struct form_member *member)
{
	int64_t index;

	level->count++;
	if (!is_index(member->name, &index))
		return;
	level->indexes++;
	if (index >= level->next_index)
		level->next_index = index < INT64_MAX ? index + 1 : INT64_MAX;
}

static bool
add(struct ctx *ctx, struct form_tree *level, const char *name, size_t len,
    struct form_member **added)
{
	struct form_member *m;

	if (!ctx_alloc(ctx, sizeof *m, &m) || !ctx_strndup(ctx, name, len, &m->name))
		return false;
	m->name_len = (uint32_t)len;
	if (level->last == NULL)
		level->first = m;
	else
		level->last->next = m;
	level->last = m;
	level->root = insert(level->root, m);
	count_in(level, m);
	*added = m;
	return true;
}

bool
form_tree_get_or_add(struct ctx *ctx, struct form_tree *level, const char *name, size_t len,
    struct form_member **member)
{
	*member = find(level, name, len);
	return *member != NULL || add(ctx, level, name, len, member);
}

bool
form_tree_append(struct ctx *ctx, struct form_tree *level, struct form_member **member)
{
	const char *name;

	if (level->next_index == INT64_MAX)
		return fault(ctx, FAULT_REQUEST, "the next array index would be too large");
	return ctx_printf(ctx, &name, "%lld", (long long)level->next_index)
	    && add(ctx, level, name, strlen(name), member);
}

bool
form_tree_is_array(const struct form_tree *level)
{
	return level->indexes == level->count && level->next_index == level->count;
}
