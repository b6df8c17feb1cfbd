/* test_form_tree.c - members by name, in order, and at a cost that does not depend on the names.
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
enters_each_name_once_and_in_order(void **state)
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
		same_text("the member that is answered", m->name, names[n]);
	}
	for (m = level.first; m != NULL; m = m->next)
		same_text("in the order of their first appearance", m->name, expected[i++]);
	assert_int_equal(i, ROWS(expected));
	assert_int_equal(level.count, ROWS(expected));
	ctx_close(&ctx);
}

/* The n-th name of a kind an attacker would choose. */
typedef void name_maker(char name[64], int n);

static void
rising(char name[64], int n)
{
	snprintf(name, 64, "%d", n);
}

static void
falling(char name[64], int n)
{
	snprintf(name, 64, "%d", 99999 - n);
}

static void
common_prefix(char name[64], int n)
{
	snprintf(name, 64, "a_very_long_prefix_that_all_of_them_have_%08d", n);
}

static void
common_end(char name[64], int n)
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
	{ "rising", rising },
	{ "falling", falling },
	{ "a common prefix", common_prefix },
	{ "a common end", common_end },
	{ "from both ends", zigzag },
	{ "scattered", scattered },
};

#define NAMES 20000

/* An AA tree of n members is at most 2 log2(n + 1) high.  A name is looked for, and then put in
 * its place: two ways down. */
static void
compares_in_proportion_to_the_logarithm(void **state)
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

/* Names of one length differ by their bytes alone, and so cannot be told apart without memcmp;
 * those of different lengths are, so the height is looked at too. */
static void
stays_low(void **state)
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
knows_an_array(void **state)
{
	static const struct {
		const char *label;
		const char *names[4];
		bool array;
	} table[] = {
		{ "0", { "0" }, true },
		{ "0 to 2", { "0", "1", "2" }, true },
		{ "0 to 2 in another order", { "2", "0", "1" }, true },
		{ "0 twice", { "0", "0" }, true },
		{ "from 1", { "1", "2" }, false },
		{ "a gap", { "0", "2" }, false },
		{ "a name", { "0", "a" }, false },
		{ "as many as the highest says, but for one that is a name", { "0", "2", "a" },
		    false },
		{ "a leading nought", { "0", "01" }, false },
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
	rising(name, (*next)++);
	same_text("the tree's order", top->name, name);
	in_order(top->right, next);
}

static void
has_indexes_in_the_order_of_numbers(void **state)
{
	struct form_tree level = { 0 };
	struct form_member *m;
	struct ctx ctx;
	char name[64];
	int next = 0;

	(void)state;
	open_ctx(&ctx);
	for (int n = 0; n < 1200; n++) {
		rising(name, n * 7 % 1200);
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
		cmocka_unit_test(enters_each_name_once_and_in_order),
		cmocka_unit_test(compares_in_proportion_to_the_logarithm),
		cmocka_unit_test(stays_low),
		cmocka_unit_test(knows_an_array),
		cmocka_unit_test(has_indexes_in_the_order_of_numbers),
	};

	return cmocka_run_group_tests_name("form tree", tests, NULL, NULL);
}
