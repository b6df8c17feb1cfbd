/* form_members.h - the members of a nested form (nested_form.h), by name and in order.
 *
 * Those of one level of brackets are in a list, in the order of their first appearance.  Those of
 * all levels are in one hash table, so that a look-up takes constant time.  An attacker chooses the
 * names but cannot make them collide: the hash has a secret key.  Members that are appended have
 * new names, and are put into the table only when a name is looked up on their level.
 */
#ifndef FORM_MEMBERS_H
#define FORM_MEMBERS_H

#include "base/ctx.h"

#include <stdint.h>

/* All zero: a level without a name or members, as the outermost one is. */
struct form_member {
	const char *name; /* without a NUL */
	uint32_t name_len;
	uint32_t level;    /* the number of its members' level */
	uint32_t parent;   /* the number of the level that it is on */
	uint32_t indexes;  /* how many of its members' names are canonical decimal numbers */
	uint64_t hash;     /* of parent and name */
	const char *value; /* NULL: the member is nested */
	size_t value_len;
	struct form_member *first; /* of its members */
	struct form_member *last;
	struct form_member *appended; /* of these, the first that is not in the table yet */
	struct form_member *next;     /* on the same level */
	int64_t next_index;           /* the highest index, plus one */
	uint32_t count;
};

struct form_members {
	struct form_member **slots; /* open addressing */
	size_t capacity;            /* a power of two, over twice the count; 0: no slots yet */
	size_t count;
	struct form_member *spare; /* allocated, and not used yet */
	size_t spare_count;
	uint32_t levels;   /* numbers that were given to levels; 0 is the outermost one's */
	bool out_of_order; /* an index has appeared before a lower one */
	uint64_t key[2];
};

void form_members_init(struct form_members *all);

/* Finds the member of that name, which is not copied, or adds one without a value. */
bool form_member_get_or_add(struct ctx *ctx, struct form_members *all, struct form_member *parent,
    const char *name, size_t len, struct form_member **member);

/* Adds a member whose name is the next index.  Fault: FAULT_REQUEST when there is no next index. */
bool form_member_append(struct ctx *ctx, struct form_members *all, struct form_member *parent,
    struct form_member **member);

/* Gives a member a value, in place of the members that it has. */
void form_member_set(
    struct form_members *all, struct form_member *member, const char *value, size_t len);

/* Whether the names of its members are exactly 0 to n-1. */
bool form_member_is_array(const struct form_member *member);

/* Puts the members of each array into the order of their indexes. */
bool form_members_sort(
    struct ctx *ctx, const struct form_members *all, const struct form_member *outermost);

#endif
