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

struct member;

/* All zero: without members. */
struct level {
	struct member *root; /* of the tree; its order is that of numbers where names are indexes */
	struct member *first;
	struct member *last;
	int64_t next_index; /* one above the highest index that is a name here */
	uint32_t count;
	uint32_t indexes; /* so many of the names are indexes: decimal numbers, plainly spelt */
};

struct member {
	const char *name;
	uint32_t name_len;
	uint32_t rank;
	const char *value;  /* NULL: a level */
	struct level level; /* without members when there is a value */
	struct member *next;
	struct member *left;
	struct member *right;
};

/* The member of that name, which is there afterwards. */
bool level_enter(
    struct ctx *ctx, struct level *level, const char *name, size_t len, struct member **member);

/* A new member, named by the index above all that the level has had.
 * Fault: FAULT_REQUEST when there is no such number. */
bool level_push(struct ctx *ctx, struct level *level, struct member **member);

/* The names are exactly 0 to n-1. */
bool level_is_array(const struct level *level);

#endif
