/* test_strbuf.c - strings that grow in an arena. */
#include "../../table.h"

#include "base/strbuf.h"

#include <stdlib.h>

static void
grows_between_other_allocations(void **state)
{
	struct ctx ctx;
	struct strbuf first;
	struct strbuf second;
	const char *one;
	const char *two;
	const char *between;
	const char *inner;

	(void)state;
	open_ctx(&ctx);
	strbuf_init(&ctx, &first);
	strbuf_init(&ctx, &second);
	for (int i = 0; i < 100; i++) {
		size_t mark;

		strbuf_addf(&first, "%d,", i);
		strbuf_addstr(&second, "b");
		assert_true(ctx_printf(&ctx, &between, "kept %d", i));
		strbuf_add(&first, "", 0);
		mark = arena_mark(&ctx);
		assert_true(ctx_strndup(&ctx, "taken back", 10, &inner));
		arena_rewind(&ctx, mark);
		assert_int_equal(between[5], i < 10 ? '0' + i : '0' + i / 10);
	}
	assert_true(strbuf_finish(&first, &one));
	assert_true(strbuf_finish(&second, &two));
	assert_int_equal(strlen(two), 100);
	assert_int_equal(strlen(one), 10 * 2 + 90 * 3);
	has_text("the first string", one, "0,1,2,3,");
	has_text("the first string", one, ",98,99,");
	ctx_close(&ctx);
}

/* Two strings and other allocations in turn, to several times the first block. */
static void
grows_from_block_to_block(void **state)
{
	struct ctx ctx;
	struct strbuf sb[2];
	const char *text[2];
	char *between;
	size_t mark;

	(void)state;
	assert_true(ctx_open(&ctx, (size_t)256 << 20));
	mark = arena_mark(&ctx);
	for (int round = 0; round < 2; round++) {
		strbuf_init(&ctx, &sb[0]);
		strbuf_init(&ctx, &sb[1]);
		for (uint32_t i = 0; i < 600000; i++) {
			strbuf_addf(&sb[0], "%06x,", i); /* alone at first, then beside another */
			if (i > 300000 && i % 5000 == 0) {
				strbuf_addf(&sb[1], "%06x,", i);
				assert_true(ctx_alloc(&ctx, 100, &between));
				memset(between, 'x', 100);
			}
		}
		assert_true(strbuf_finish(&sb[0], &text[0]));
		assert_true(strbuf_finish(&sb[1], &text[1]));
		for (uint32_t i = 0; i < 600000; i++)
			if (strtoul(text[0] + 7 * (size_t)i, NULL, 16) != i)
				fail_msg("the number %u is wrong", i);
		assert_int_equal(strlen(text[0]), 600000 * 7);
		assert_int_equal(strlen(text[1]), 59 * 7);
		arena_rewind(&ctx, mark);
	}
	ctx_close(&ctx);
}

static void
stays_full_once_it_is_full(void **state)
{
	struct ctx ctx;
	struct strbuf sb;
	const char *out;

	(void)state;
	assert_true(ctx_open(&ctx, 8));
	strbuf_init(&ctx, &sb);
	strbuf_addstr(&sb, "1234567");
	strbuf_addstr(&sb, "too long");
	strbuf_addch(&sb, 'x'); /* would fit */
	strbuf_addf(&sb, "%s", "");
	assert_false(strbuf_finish(&sb, &out));
	assert_int_equal(ctx.kind, FAULT_SERVER);
	ctx_close(&ctx);
}

static void
needs_a_byte_for_the_nul(void **state)
{
	static const struct {
		const char *label, *text;
		bool fits;
	} table[] = {
		{ "one byte left", "1234567", true },
		{ "no byte left", "12345678", false },
		{ "one byte too many", "123456789", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		for (int printed = 0; printed < 2; printed++) {
			struct ctx ctx;
			struct strbuf sb;
			const char *out;
			bool ok;

			assert_true(ctx_open(&ctx, 8));
			strbuf_init(&ctx, &sb);
			if (printed)
				strbuf_addf(&sb, "%s", table[i].text);
			else
				strbuf_addstr(&sb, table[i].text);
			ok = strbuf_finish(&sb, &out);
			same_fault(
			    table[i].label, &ctx, ok, table[i].fits ? FAULT_NONE : FAULT_SERVER);
			if (ok)
				same_text(table[i].label, out, table[i].text);
			DEMAND(table[i].label, nothing_written_behind(&ctx));
			ctx_close(&ctx);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_between_other_allocations),
		cmocka_unit_test(grows_from_block_to_block),
		cmocka_unit_test(stays_full_once_it_is_full),
		cmocka_unit_test(needs_a_byte_for_the_nul),
	};

	return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
