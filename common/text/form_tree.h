/* form_tree.h - the members of one level of brackets (nested_form.h), by name and in order.
 *
 * They stand in a list, in the order of their first appearance, and in a balanced tree, so that
 * finding one of n takes some log n comparisons whoever chose the names.  A hash table would need a
 * secret to promise that.
 */
#ifndef FORM_TREE_H
#define FORM_TREE_H

#include "base/ctx.h"

#include <stdint.h>

struct form_member;

/* All zero: without members. */
struct form_tree {
	struct form_member
	    *root; /* of the tree; its order is that of numbers where names are indexes */
	struct form_member *first;
	struct form_member *last;
	int64_t next_index; /* one above the highest index that is a name here */
	uint32_t count;
	uint32_t indexes; /* so many of the names are indexes: decimal numbers, plainly spelt */
};

struct form_member {
	const char *name;
	uint32_t name_len;
	uint32_t rank;
	const char *value;      /* NULL: a level */
	struct form_tree level; /* without members when there is a value */
	struct form_member *next;
	struct form_member *left;
	struct form_member *right;
};

/* The member of that name, which is there afterwards. */
bool form_tree_get_or_add(struct ctx *ctx, struct form_tree *level, const char *name, size_t len,
    struct form_member **member);

/* A new member, named by the index above all that the level has had.
 * Fault: FAULT_REQUEST when there is no such number. */
bool form_tree_append(struct ctx *ctx, struct form_tree *level, struct form_member **member);

/* The names are exactly 0 to n-1. */
bool form_tree_is_array(const struct form_tree *level);

#endif
