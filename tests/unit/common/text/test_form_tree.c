/* test_form_tree.c - members by name and in order, at a cost that does not depend on the names.
 *
 * Comparisons are counted, not timed: the module is compiled in here with its memcmp replaced.
 */
#include "../../table.h"

#include <stdio.h>

static size_t comparisons;

static int
counted_memcmp(const void *a, const void *b, size_t len)
{
	comparisons++;
	return memcmp(a, b, len);
}

#define memcmp counted_memcmp
#include "text/form_tree.c"
#undef memcmp

static void
adds_each_name_once_and_in_order(void **state)
{
	static const char *const names[] = { "b", "a", "b", "", "aa", "a", "10", "9", "" };
	static const char *const expected[] = { "b", "a", "", "aa", "10", "9" };
	struct form_tree level = { 0 };
	struct form_member *m;
	struct ctx ctx;
	size_t i = 0;

	(void)state;
	open_ctx(&ctx);
	for (size_t n = 0; n < ROWS(names); n++) {
		assert_true(form_tree_get_or_add(&ctx, &level, names[n], strlen(names[n]), &m));
		same_text("the member returned", m->name, names[n]);
	}
	for (m = level.first; m != NULL; m = m->next)
		same_text("the order of first appearance", m->name, expected[i++]);
	assert_int_equal(i, ROWS(expected));
	assert_int_equal(level.count, ROWS(expected));
	ctx_close(&ctx);
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

/* An AA tree of n members is at most 2 log2(n + 1) high.  Adding a name descends twice: to
 * search it, and to insert it. */
static void
compares_in_logarithmic_time(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < ROWS(kinds); kind++) {
		struct form_tree level = { 0 };
		struct form_member *m;
		struct ctx ctx;
		char name[64];
		double height = 0;

		for (int n = NAMES; n > 0; n /= 2)
			height += 2;
		comparisons = 0;
		assert_true(ctx_open(&ctx, (size_t)16 << 20));
		for (int round = 0; round < 2; round++)
			for (int n = 0; n < NAMES; n++) {
				kinds[kind].make(name, n);
				assert_true(
				    form_tree_get_or_add(&ctx, &level, name, strlen(name), &m));
			}
		assert_int_equal(level.count, NAMES);
		if ((double)comparisons > 3 * NAMES * height)
			fail_msg("%s: %zu comparisons for %d names", kinds[kind].label, comparisons,
			    NAMES);
		ctx_close(&ctx);
	}
}

static size_t
height_of(const struct form_member *top)
{
	size_t left = top == NULL ? 0 : 1 + height_of(top->left);
	size_t right = top == NULL ? 0 : 1 + height_of(top->right);

	return left > right ? left : right;
}

/* Names of one length can be distinguished only by memcmp, which is counted.  Names of different
 * lengths are compared without it, so the height is checked too. */
static void
stays_balanced(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < ROWS(kinds); kind++) {
		struct form_tree level = { 0 };
		struct form_member *m;
		struct ctx ctx;
		char name[64];
		size_t limit = 0;

		assert_true(ctx_open(&ctx, (size_t)16 << 20));
		for (int n = 0; n < NAMES; n++) {
			kinds[kind].make(name, n);
			assert_true(form_tree_get_or_add(&ctx, &level, name, strlen(name), &m));
		}
		for (int n = NAMES; n > 0; n /= 2)
			limit += 2;
		if (height_of(level.root) > limit)
			fail_msg("%s: a height of %zu", kinds[kind].label, height_of(level.root));
		ctx_close(&ctx);
	}
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
		struct form_tree level = { 0 };
		struct form_member *m;
		struct ctx ctx;

		open_ctx(&ctx);
		for (int n = 0; n < 4 && table[i].names[n] != NULL; n++)
			assert_true(form_tree_get_or_add(
			    &ctx, &level, table[i].names[n], strlen(table[i].names[n]), &m));
		same_number(table[i].label, form_tree_is_array(&level), table[i].array);
		ctx_close(&ctx);
	}
}

static void
in_order(const struct form_member *top, int *next)
{
	char name[64];

	if (top == NULL)
		return;
	in_order(top->left, next);
	ascending(name, (*next)++);
	same_text("the order of the tree", top->name, name);
	in_order(top->right, next);
}

static void
sorts_indexes_as_numbers(void **state)
{
	struct form_tree level = { 0 };
	struct form_member *m;
	struct ctx ctx;
	char name[64];
	int next = 0;

	(void)state;
	open_ctx(&ctx);
	for (int n = 0; n < 1200; n++) {
		ascending(name, n * 7 % 1200);
		assert_true(form_tree_get_or_add(&ctx, &level, name, strlen(name), &m));
	}
	in_order(level.root, &next);
	assert_int_equal(next, 1200);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_each_name_once_and_in_order),
		cmocka_unit_test(compares_in_logarithmic_time),
		cmocka_unit_test(stays_balanced),
		cmocka_unit_test(recognizes_an_array),
		cmocka_unit_test(sorts_indexes_as_numbers),
	};

	return cmocka_run_group_tests_name("form tree", tests, NULL, NULL);
}
