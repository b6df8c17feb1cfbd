/* form_members.c - see form_members.h. */
#include "text/form_members.h"

#include "base/encode.h"
#include "base/siphash.h"

#include <string.h>

#define CAPACITY_MIN     64
#define SPARE_COUNT      32 /* members; an event of amoCRM has as many */
#define INDEX_DIGITS_MAX 19 /* of INT64_MAX */

void
form_members_init(struct form_members *all)
{
	*all = (struct form_members){ .count = 0 };
	siphash_process_key(all->key);
}

/* What a member is found by. */
struct key {
	const char *name;
	size_t len;
	uint32_t parent;
	uint64_t hash;
};

static bool
fits(const struct form_member *m, const struct key *key)
{
	return m->hash == key->hash && m->parent == key->parent && m->name_len == key->len
	    && memcmp(m->name, key->name, key->len) == 0;
}

/* The slot of the member, or the free one where it would be. */
static struct form_member **
find(const struct form_members *all, const struct key *key)
{
	size_t mask = all->capacity - 1;
	size_t at = key->hash & mask;
	const struct form_member *m;

	while ((m = all->slots[at]) != NULL && !fits(m, key))
		at = (at + 1) & mask;
	return &all->slots[at];
}

static bool
grow(struct ctx *ctx, struct form_members *all)
{
	struct form_members larger = *all;

	larger.capacity = all->capacity == 0 ? CAPACITY_MIN : 4 * all->capacity;
	if (!ctx_alloc(ctx, larger.capacity * sizeof(struct form_member *), &larger.slots))
		return false;
	for (size_t i = 0; i < all->capacity; i++) {
		struct form_member *m = all->slots[i];

		if (m != NULL)
			*find(&larger, &(struct key){ m->name, m->name_len, m->parent, m->hash }) =
			    m;
	}
	*all = larger;
	return true;
}

/* An index of PHP: a decimal number without sign or leading zeros. */
static bool
read_index(const struct form_member *m, int64_t *index)
{
	*index = 0;
	return (m->name_len == 1 && *m->name == '0')
	    || decimal_parse_len(m->name, m->name_len, index);
}

static void
count_index(struct form_members *all, struct form_member *parent, const struct form_member *m)
{
	int64_t index;

	if (!read_index(m, &index))
		return;
	parent->indexes++;
	if (index >= parent->next_index)
		parent->next_index = index < INT64_MAX ? index + 1 : INT64_MAX;
	else
		all->out_of_order = true;
}

/* Gives a member that is all zero.  They are allocated many at a time. */
static bool
take_spare(struct ctx *ctx, struct form_members *all, struct form_member **m)
{
	if (all->spare_count == 0) {
		if (!ctx_alloc(ctx, SPARE_COUNT * sizeof **m, &all->spare))
			return false;
		all->spare_count = SPARE_COUNT;
	}
	*m = all->spare++;
	all->spare_count--;
	return true;
}

static bool
add(struct ctx *ctx, struct form_members *all, struct form_member *parent, const char *name,
    size_t len, struct form_member **added)
{
	struct form_member *m;

	if (!take_spare(ctx, all, &m))
		return false;
	m->name = name;
	m->name_len = (uint32_t)len;
	m->level = ++all->levels;
	m->parent = parent->level;
	if (parent->last == NULL)
		parent->first = m;
	else
		parent->last->next = m;
	parent->last = m;
	parent->count++;
	*added = m;
	return true;
}

/* Gives the slot of the member of that name, or the free one for it. */
static bool
find_slot(struct ctx *ctx, struct form_members *all, struct key *key, struct form_member ***slot)
{
	if (2 * (all->count + 1) > all->capacity && !grow(ctx, all))
		return false;
	key->hash = siphash(all->key, key->parent, key->name, key->len);
	*slot = find(all, key);
	return true;
}

static void
put(struct form_members *all, struct form_member **slot, const struct key *key,
    struct form_member *m)
{
	m->hash = key->hash;
	*slot = m;
	all->count++;
}

/* Makes the members that were appended to be found by their names, too. */
static bool
put_appended(struct ctx *ctx, struct form_members *all, struct form_member *parent)
{
	struct form_member **slot;

	for (; parent->appended != NULL; parent->appended = parent->appended->next) {
		struct form_member *m = parent->appended;
		struct key key = { .name = m->name, .len = m->name_len, .parent = m->parent };

		if (!find_slot(ctx, all, &key, &slot))
			return false;
		put(all, slot, &key, m);
	}
	return true;
}

bool
form_member_get_or_add(struct ctx *ctx, struct form_members *all, struct form_member *parent,
    const char *name, size_t len, struct form_member **member)
{
	struct key key = { .name = name, .len = len, .parent = parent->level };
	struct form_member **slot;

	if (!put_appended(ctx, all, parent) || !find_slot(ctx, all, &key, &slot))
		return false;
	*member = *slot;
	if (*slot != NULL)
		return true;
	if (!add(ctx, all, parent, name, len, member))
		return false;
	put(all, slot, &key, *member);
	count_index(all, parent, *member);
	return true;
}

static bool
write_index(struct ctx *ctx, int64_t index, const char **digits, size_t *len)
{
	char buffer[INDEX_DIGITS_MAX];
	char *start = buffer + sizeof buffer;

	do
		*--start = (char)('0' + index % 10);
	while ((index /= 10) > 0);
	*len = (size_t)(buffer + sizeof buffer - start);
	return ctx_strndup(ctx, start, *len, digits);
}

bool
form_member_append(struct ctx *ctx, struct form_members *all, struct form_member *parent,
    struct form_member **member)
{
	const char *name;
	size_t len;

	if (parent->next_index == INT64_MAX)
		return fault(ctx, FAULT_REQUEST, "the next array index would be too large");
	if (!write_index(ctx, parent->next_index, &name, &len)
	    || !add(ctx, all, parent, name, len, member))
		return false;
	if (parent->appended == NULL)
		parent->appended = *member;
	parent->indexes++;
	parent->next_index++;
	return true;
}

void
form_member_set(struct form_members *all, struct form_member *member, const char *value, size_t len)
{
	if (member->first != NULL) {
		member->level = ++all->levels; /* so the members are not found any more */
		member->first = member->last = member->appended = NULL;
		member->next_index = 0;
		member->count = member->indexes = 0;
	}
	member->value = value;
	member->value_len = len;
}

bool
form_member_is_array(const struct form_member *member)
{
	return member->indexes == member->count && member->next_index == member->count;
}

static bool
sort_array(struct ctx *ctx, struct form_member *array)
{
	struct form_member **by_index;
	struct form_member **link = &array->first;
	int64_t index;

	if (!ctx_alloc(ctx, array->count * sizeof(struct form_member *), &by_index))
		return false;
	for (struct form_member *m = array->first; m != NULL; m = m->next)
		if (read_index(m, &index))
			by_index[index] = m;
	for (uint32_t i = 0; i < array->count; i++) {
		*link = by_index[i];
		link = &by_index[i]->next;
	}
	*link = NULL;
	return true;
}

static bool
sort(struct ctx *ctx, const struct form_member *parent)
{
	for (struct form_member *m = parent->first; m != NULL; m = m->next)
		if (m->first != NULL
		    && ((form_member_is_array(m) && !sort_array(ctx, m)) || !sort(ctx, m)))
			return false;
	return true;
}

bool
form_members_sort(
    struct ctx *ctx, const struct form_members *all, const struct form_member *outermost)
{
	return !all->out_of_order || sort(ctx, outermost);
}
