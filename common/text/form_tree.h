/* form_tree.h - the members of one level of brackets (nested_form.h), by name and in order.
 *
 * They are in a list, in the order of their first appearance, and in a balanced tree, so that a
 * look-up among n members takes O(log n) comparisons even with names chosen by an attacker.  A hash
 * table would need a secret seed for that.
 *
 * The tree is our own because tsearch(3) allocates its nodes outside the arena, where each fault
 * would have to free them, and takes 25 % more instructions for an event of 83 pairs (410 000
 * instead of 328 000) and 19 to 37 % more for 20 000 pairs.  The RB_ macros of libbsd cost about
 * what ours costs, and another package to build with.
 */
#ifndef FORM_TREE_H
#define FORM_TREE_H

#include "base/ctx.h"

#include <stdint.h>

struct form_member;

/* All zero: no members. */
struct form_tree {
	struct form_member *root;  /* of the tree, which sorts indexes as numbers */
	struct form_member *first; /* of the list */
	struct form_member *last;
	int64_t next_index; /* the highest index, plus one */
	uint32_t count;
	uint32_t indexes; /* how many of the names are indexes: canonical decimal numbers */
};

struct form_member {
	const char *name;
	uint32_t name_len;
	uint32_t rank;
	const char *value;      /* NULL: the member is nested */
	struct form_tree level; /* its members, if it is nested */
	struct form_member *next;
	struct form_member *left;
	struct form_member *right;
};

/* Finds the member of that name, or adds one without a value. */
bool form_tree_get_or_add(struct ctx *ctx, struct form_tree *level, const char *name, size_t len,
    struct form_member **member);

/* Adds a member whose name is the next index.  Fault: FAULT_REQUEST when there is no next index. */
bool form_tree_append(struct ctx *ctx, struct form_tree *level, struct form_member **member);

/* Whether the names are exactly 0 to n-1. */
bool form_tree_is_array(const struct form_tree *level);

#endif
