/* test_form_members.c - members by name and in order, at a cost that does not depend on the names.
 *
 * Comparisons are counted, not timed: the module is compiled in here with its memcmp replaced.
 */
#include "../../table.h"

#include <stdio.h>
#include <sys/auxv.h>

static size_t comparisons;

static int
counted_memcmp(const void *a, const void *b, size_t len)
{
	comparisons++;
	return memcmp(a, b, len);
}

#define memcmp counted_memcmp
#include "text/form_members.c"
#undef memcmp

/* A form of one level. */
struct level {
	struct ctx ctx;
	struct form_members all;
	struct form_member top;
};

static void
level_open(struct level *level)
{
	*level = (struct level){ .all = { .count = 0 } };
	assert_true(ctx_open(&level->ctx, (size_t)32 << 20));
	form_members_init(&level->all);
}

/* Copies the name. */
static struct form_member *
get_or_add(struct level *level, const char *name)
{
	struct form_member *m;
	const char *copy;

	assert_true(ctx_strndup(&level->ctx, name, strlen(name), &copy));
	assert_true(
	    form_member_get_or_add(&level->ctx, &level->all, &level->top, copy, strlen(copy), &m));
	return m;
}

static struct form_member *
append(struct level *level)
{
	struct form_member *m;

	assert_true(form_member_append(&level->ctx, &level->all, &level->top, &m));
	return m;
}

/* The names in order, each followed by a space. */
static const char *
names_of(struct level *level, const struct form_member *parent)
{
	const char *names = "";

	for (const struct form_member *m = parent->first; m != NULL; m = m->next)
		assert_true(
		    ctx_printf(&level->ctx, &names, "%s%.*s ", names, (int)m->name_len, m->name));
	return names;
}

static void
adds_each_name_once_and_in_order(void **state)
{
	static const char *const names[] = { "b", "a", "b", "", "aa", "a", "10", "9", "" };
	struct level level;

	(void)state;
	level_open(&level);
	for (size_t n = 0; n < ROWS(names); n++) {
		const struct form_member *m = get_or_add(&level, names[n]);

		assert_int_equal(m->name_len, strlen(names[n]));
		assert_memory_equal(m->name, names[n], m->name_len);
	}
	same_text("the order of first appearance", names_of(&level, &level.top), "b a  aa 10 9 ");
	assert_int_equal(level.top.count, 6);
	ctx_close(&level.ctx);
}

static void
finds_what_was_appended(void **state)
{
	const struct form_member *second;
	struct level level;

	(void)state;
	level_open(&level);
	append(&level);
	second = append(&level);
	assert_ptr_equal(get_or_add(&level, "1"), second);
	get_or_add(&level, "7");
	same_text("after 7", names_of(&level, &level.top), "0 1 7 ");
	append(&level);
	same_text("the next one", names_of(&level, &level.top), "0 1 7 8 ");
	get_or_add(&level, "8");
	assert_int_equal(level.top.count, 4);
	assert_int_equal(level.top.indexes, 4);
	ctx_close(&level.ctx);
}

static void
keeps_levels_apart(void **state)
{
	struct form_member *outer;
	struct form_member *inner;
	struct form_member *again;
	struct level level;

	(void)state;
	level_open(&level);
	outer = get_or_add(&level, "a");
	assert_true(form_member_get_or_add(&level.ctx, &level.all, outer, "a", 1, &inner));
	assert_ptr_not_equal(inner, outer);
	form_member_set(&level.all, inner, "1", 1);
	form_member_set(&level.all, outer, "2", 1);
	assert_null(outer->first);
	assert_true(form_member_get_or_add(&level.ctx, &level.all, outer, "a", 1, &again));
	assert_ptr_not_equal(again, inner);
	assert_null(again->value);
	same_text("the new level", names_of(&level, outer), "a ");
	ctx_close(&level.ctx);
}

/* Writes the n-th name of a sequence that an attacker might choose. */
typedef void name_maker(char name[64], int n);

static void
ascending(char name[64], int n)
{
	snprintf(name, 64, "%d", n);
}

static void
descending(char name[64], int n)
{
	snprintf(name, 64, "%d", 99999 - n);
}

static void
common_prefix(char name[64], int n)
{
	snprintf(name, 64, "a_very_long_prefix_that_all_of_them_have_%08d", n);
}

static void
common_suffix(char name[64], int n)
{
	snprintf(name, 64, "%08d_a_very_long_end_that_all_of_them_have", n);
}

static void
zigzag(char name[64], int n)
{
	snprintf(name, 64, "%05d", n % 2 == 0 ? n : 99999 - n);
}

static void
scattered(char name[64], int n)
{
	snprintf(name, 64, "%08x", (unsigned)n * 2654435761u);
}

static const struct {
	const char *label;
	name_maker *make;
} kinds[] = {
	{ "ascending", ascending },
	{ "descending", descending },
	{ "a common prefix", common_prefix },
	{ "a common suffix", common_suffix },
	{ "from both ends in turn", zigzag },
	{ "scattered", scattered },
};

#define NAMES 20000

static void
compares_each_name_once(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < ROWS(kinds); kind++) {
		struct level level;
		char name[64];

		level_open(&level);
		comparisons = 0;
		for (int round = 0; round < 2; round++)
			for (int n = 0; n < NAMES; n++) {
				kinds[kind].make(name, n);
				get_or_add(&level, name);
			}
		assert_int_equal(level.top.count, NAMES);
		same_number(kinds[kind].label, (long long)comparisons, NAMES);
		ctx_close(&level.ctx);
	}
}

/* How far members are from the slots that their hashes name, on average. */
static double
mean_distance(const struct form_members *all)
{
	size_t mask = all->capacity - 1;
	size_t sum = 0;

	for (size_t i = 0; i < all->capacity; i++)
		if (all->slots[i] != NULL)
			sum += (i - all->slots[i]->hash) & mask;
	return (double)sum / (double)all->count;
}

static void
spreads_all_kinds_of_names(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < ROWS(kinds); kind++) {
		struct level level;
		char name[64];

		level_open(&level);
		for (int n = 0; n < NAMES; n++) {
			kinds[kind].make(name, n);
			get_or_add(&level, name);
		}
		if (mean_distance(&level.all) > 2)
			fail_msg("%s: %g", kinds[kind].label, mean_distance(&level.all));
		ctx_close(&level.ctx);
	}
}

#define COLLIDING 500
#define SLOTS     1024 /* the capacity for so many */

/* Names that collide under a key that the attacker knows do not under another one. */
static void
hashes_with_a_secret_key(void **state)
{
	static const uint64_t known_key[2] = { 1, 2 };
	static const uint64_t other_key[2] = { 3, 4 };
	double distance[2];
	char name[64];

	(void)state;
	for (int secret = 0; secret < 2; secret++) {
		struct level level;

		level_open(&level);
		memcpy(level.all.key, secret ? other_key : known_key, sizeof level.all.key);
		for (int n = 0; level.top.count < COLLIDING; n++) {
			scattered(name, n);
			if (siphash(known_key, 0, name, strlen(name)) % SLOTS == 0)
				get_or_add(&level, name);
		}
		assert_int_equal(level.all.capacity, SLOTS);
		distance[secret] = mean_distance(&level.all);
		ctx_close(&level.ctx);
	}
	if (distance[0] < COLLIDING / 3.0)
		fail_msg("with a known key: %g", distance[0]);
	if (distance[1] > 2)
		fail_msg("with another key: %g", distance[1]);
}

static void
has_a_key_of_its_process(void **state)
{
	struct form_members all;

	(void)state;
	form_members_init(&all);
	assert_memory_equal(all.key, (const void *)getauxval(AT_RANDOM), sizeof all.key);
	assert_true(all.key[0] != 0 && all.key[1] != 0);
}

static void
recognizes_an_array(void **state)
{
	static const struct {
		const char *label;
		const char *names[4];
		bool array;
	} table[] = {
		{ "only 0", { "0" }, true },
		{ "0 to 2", { "0", "1", "2" }, true },
		{ "0 to 2 in another order", { "2", "0", "1" }, true },
		{ "0 twice", { "0", "0" }, true },
		{ "from 1", { "1", "2" }, false },
		{ "a missing index", { "0", "2" }, false },
		{ "a name among indexes", { "0", "a" }, false },
		{ "as many members as an array has, but one is a name", { "0", "2", "a" }, false },
		{ "a leading zero", { "0", "01" }, false },
		{ "the largest index", { "9223372036854775807" }, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct level level;

		level_open(&level);
		for (int n = 0; n < 4 && table[i].names[n] != NULL; n++)
			get_or_add(&level, table[i].names[n]);
		same_number(table[i].label, form_member_is_array(&level.top), table[i].array);
		ctx_close(&level.ctx);
	}
}

static void
sorts_the_arrays(void **state)
{
	static const char *const kinds_of_names[][4] = {
		{ "2", "0", "1", NULL },
		{ "b", "2", "0", "1" },
	};
	static const char *const expected[] = { "0 1 2 ", "b 2 0 1 " };
	struct level level;

	(void)state;
	for (size_t kind = 0; kind < ROWS(kinds_of_names); kind++) {
		struct form_member *list;
		struct form_member *m;

		level_open(&level);
		get_or_add(&level, "1");
		list = get_or_add(&level, "0");
		for (int n = 0; n < 4 && kinds_of_names[kind][n] != NULL; n++)
			assert_true(form_member_get_or_add(
			    &level.ctx, &level.all, list, kinds_of_names[kind][n], 1, &m));
		assert_true(form_members_sort(&level.ctx, &level.all, &level.top));
		same_text("below", names_of(&level, list), expected[kind]);
		same_text("outermost", names_of(&level, &level.top), "1 0 ");
		ctx_close(&level.ctx);
	}
}

static void
sorts_indexes_as_numbers(void **state)
{
	struct form_member *list;
	struct form_member *m;
	struct level level;
	char name[64];
	int next = 0;

	(void)state;
	level_open(&level);
	list = get_or_add(&level, "list");
	for (int n = 0; n < 1200; n++) {
		const char *copy;

		ascending(name, n * 7 % 1200);
		assert_true(ctx_strndup(&level.ctx, name, strlen(name), &copy));
		assert_true(
		    form_member_get_or_add(&level.ctx, &level.all, list, copy, strlen(copy), &m));
	}
	assert_true(form_members_sort(&level.ctx, &level.all, &level.top));
	for (m = list->first; m != NULL; m = m->next) {
		ascending(name, next++);
		assert_int_equal(m->name_len, strlen(name));
		assert_memory_equal(m->name, name, m->name_len);
	}
	assert_int_equal(next, 1200);
	ctx_close(&level.ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_each_name_once_and_in_order),
		cmocka_unit_test(finds_what_was_appended),
		cmocka_unit_test(keeps_levels_apart),
		cmocka_unit_test(compares_each_name_once),
		cmocka_unit_test(spreads_all_kinds_of_names),
		cmocka_unit_test(hashes_with_a_secret_key),
		cmocka_unit_test(has_a_key_of_its_process),
		cmocka_unit_test(recognizes_an_array),
		cmocka_unit_test(sorts_the_arrays),
		cmocka_unit_test(sorts_indexes_as_numbers),
	};

	return cmocka_run_group_tests_name("form members", tests, NULL, NULL);
}
