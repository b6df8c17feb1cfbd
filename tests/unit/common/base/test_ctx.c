/* test_ctx.c - the arena and the first fault. */
#include "../../child.h"

#include "base/strbuf.h"

#include <stdalign.h>
#include <stdio.h>
#include <sys/resource.h>

static void
opens_an_arena_that_fits_into_memory(void **state)
{
	static const struct {
		const char *label;
		size_t size;
		enum fault_kind expected;
	} table[] = {
		{ "one byte", 1, FAULT_NONE },
		{ "a gigabyte, of which nothing is used", (size_t)1 << 30, FAULT_NONE },
		{ "no bytes", 0, FAULT_SERVER },
		{ "more than the address space", SIZE_MAX / 2, FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		bool ok = ctx_open(&ctx, table[i].size);

		same_fault(table[i].label, &ctx, ok, table[i].expected);
		if (ok)
			ctx_close(&ctx);
	}
}

static void
allocates_zeroed_aligned_bytes(void **state)
{
	static const size_t sizes[] = { 1, 3, 16, 0, 17, 255, 1, 4096, 7 };
	struct ctx ctx;
	char *before = NULL;

	(void)state;
	open_ctx(&ctx);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ROWS(sizes); i++) {
			char *at;

			assert_true(ctx_alloc(&ctx, sizes[i], &at));
			assert_int_equal((uintptr_t)at % alignof(max_align_t), 0);
			assert_true(i == 0 || at >= before + sizes[i - 1]);
			for (size_t byte = 0; byte < sizes[i]; byte++)
				assert_int_equal(at[byte], 0);
			memset(at, 0xa5, sizes[i]);
			before = at;
		}
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
}

static void
allocates_up_to_the_last_byte(void **state)
{
	static const struct {
		const char *label;
		size_t arena, first, second;
		bool fits;
	} table[] = {
		{ "the whole arena", 64, 64, 0, true },
		{ "one byte too many", 64, 65, 0, false },
		{ "the rest", 64, 16, 48, true },
		{ "one byte more than the rest", 64, 16, 49, false },
		{ "the rest after alignment", 64, 1, 48, true },
		{ "one byte more than the rest after alignment", 64, 1, 49, false },
		{ "alignment past the end of the arena", 60, 57, 1, false },
		{ "a size that would overflow", 64, 16, SIZE_MAX, false },
		{ "the largest size", 64, SIZE_MAX, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		void *at;
		bool ok;

		assert_true(ctx_open(&ctx, table[i].arena));
		ok = ctx_alloc(&ctx, table[i].first, &at) && ctx_alloc(&ctx, table[i].second, &at);
		same_fault(table[i].label, &ctx, ok, table[i].fits ? FAULT_NONE : FAULT_SERVER);
		ctx_close(&ctx);
	}
}

static void
keeps_the_first_fault(void **state)
{
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	assert_false(fault(&ctx, FAULT_REFUSED, "hint %d", 7));
	assert_false(fault(&ctx, FAULT_SERVER, "and then this"));
	assert_int_equal(ctx.kind, FAULT_REFUSED);
	assert_string_equal(ctx.reason, "hint 7");

	ctx_wipe(&ctx);
	assert_int_equal(ctx.kind, FAULT_NONE);
	assert_string_equal(ctx.reason, "");
	assert_false(fault(&ctx, FAULT_STORAGE, "another request's"));
	assert_int_equal(ctx.kind, FAULT_STORAGE);
	ctx_close(&ctx);
}

static void
truncates_a_reason_at_its_limit(void **state)
{
	char longer[CTX_REASON_MAX + 1];
	struct ctx ctx;

	(void)state;
	memset(longer, 'x', sizeof longer);
	for (size_t len = CTX_REASON_MAX - 1; len <= CTX_REASON_MAX; len++) {
		open_ctx(&ctx);
		assert_false(fault(&ctx, FAULT_SERVER, "%.*s", (int)len, longer));
		assert_int_equal(strlen(ctx.reason), CTX_REASON_MAX - 1);
		ctx_close(&ctx);
	}
}

static void
wipes_everything_of_a_request(void **state)
{
	struct ctx ctx;
	const char *secret;

	(void)state;
	open_ctx(&ctx);
	assert_true(ctx_strndup(&ctx, "def50200", 8, &secret));
	assert_false(fault(&ctx, FAULT_SERVER, "about it"));
	snprintf(ctx.notes, sizeof ctx.notes, " code=1");
	ctx_wipe(&ctx);
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(ctx.arena[i], 0);
	for (size_t i = 0; i < sizeof ctx.reason; i++)
		assert_int_equal(ctx.reason[i], 0);
	for (size_t i = 0; i < sizeof ctx.notes; i++)
		assert_int_equal(ctx.notes[i], 0);
	assert_int_equal(ctx.used, 0);

	ctx_close(&ctx);
	assert_null(ctx.arena);
	assert_int_equal(ctx.size, 0);
}

static void
rewinds_to_a_mark(void **state)
{
	struct ctx ctx;
	const char *kept;
	const char *gone;
	size_t mark;

	(void)state;
	open_ctx(&ctx);
	assert_true(ctx_strndup(&ctx, "kept", 4, &kept));
	mark = arena_mark(&ctx);
	assert_true(ctx_strndup(&ctx, "gone", 4, &gone));
	arena_rewind(&ctx, mark);
	assert_string_equal(kept, "kept");
	same_bytes("the memory after the mark", gone, "\0\0\0\0", 4);
	assert_int_equal(arena_mark(&ctx), mark);
	ctx_close(&ctx);
}

static void
copies_and_prints(void **state)
{
	struct ctx ctx;
	const char *s;

	(void)state;
	open_ctx(&ctx);
	assert_true(ctx_strndup(&ctx, "def50200", 3, &s));
	assert_string_equal(s, "def");
	assert_true(ctx_strndup(&ctx, "", 0, &s));
	assert_string_equal(s, "");
	assert_true(ctx_strndup(&ctx, "a\0b", 3, &s));
	same_bytes("a NUL inside", s, "a\0b", 4);
	assert_true(ctx_printf(&ctx, &s, "connection:%d:%s", 31920194, "1"));
	assert_string_equal(s, "connection:31920194:1");
	assert_true(ctx_printf(&ctx, &s, "%s", ""));
	assert_string_equal(s, "");
	ctx_close(&ctx);
}

/* Pieces whose sizes come from a fixed sequence, up to a few times the first block. */
#define PIECES 400

static void
keeps_pieces_whole_from_block_to_block(void **state)
{
	struct ctx ctx;
	struct {
		char *at;
		size_t size;
		size_t mark;
	} pieces[PIECES];
	size_t count = 0;
	uint32_t random = 1;

	(void)state;
	assert_true(ctx_open(&ctx, (size_t)64 << 20));
	for (int step = 0; step < 4 * PIECES; step++) {
		random = random * 1664525 + 1013904223;
		if (count == PIECES || (random >> 28 == 0 && count > 0)) { /* back to a mark */
			size_t to = (random >> 8) % count;

			arena_rewind(&ctx, pieces[to].mark);
			assert_int_equal(arena_mark(&ctx), pieces[to].mark);
			count = to;
		}
		pieces[count].size = (random >> 4) % (random >> 30 == 0 ? 400000 : 5000);
		pieces[count].mark = arena_mark(&ctx);
		assert_true(ctx_alloc(&ctx, pieces[count].size, &pieces[count].at));
		for (size_t i = 0; i < pieces[count].size; i++)
			assert_int_equal(pieces[count].at[i], 0);
		memset(pieces[count].at, (int)count % 255 + 1, pieces[count].size);
		count++;
		for (size_t n = 0; step % 50 == 0 && n < count; n++)
			for (size_t i = 0; i < pieces[n].size; i++)
				assert_int_equal((unsigned char)pieces[n].at[i], n % 255 + 1);
	}
	ctx_wipe(&ctx);
	assert_int_equal(ctx.used, 0);
	assert_int_equal(ctx.last, 0);
	ctx_close(&ctx);
}

/* How much address space a child may have beyond what it has. */
static bool
limit_address_space(size_t more)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	bool ok = file != NULL && fscanf(file, "%lu", &pages) == 1;
	struct rlimit limit = { .rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more };

	if (file != NULL)
		fclose(file);
	limit.rlim_max = limit.rlim_cur;
	return ok && setrlimit(RLIMIT_AS, &limit) == 0;
}

static bool
use_little_address_space(void *arg)
{
	struct ctx ctx;
	struct strbuf sb;
	const char *text;
	char *at;

	(void)arg;
	if (!limit_address_space((size_t)16 << 20) || !ctx_open(&ctx, (size_t)256 << 20)
	    || !ctx_alloc(&ctx, 4 << 20, &at))
		return false;
	/* what does not fit is refused, and what does is still given */
	if (ctx_alloc(&ctx, 32 << 20, &at) || ctx.kind != FAULT_SERVER)
		return false;
	ctx_clear_fault(&ctx);
	strbuf_init(&ctx, &sb);
	for (int i = 0; i < 4 << 16; i++)
		strbuf_addstr(&sb, "0123456789abcdef");
	if (!strbuf_finish(&sb, &text) || strlen(text) != 4 << 20)
		return false;
	ctx_wipe(&ctx);
	strbuf_init(&ctx, &sb);
	for (int i = 0; i < 4 << 18; i++)
		strbuf_addstr(&sb, "0123456789abcdef");
	return !strbuf_finish(&sb, &text) && ctx.kind == FAULT_SERVER;
}

static void
takes_address_space_as_it_is_used(void **state)
{
	(void)state;
	in_child("16 MiB", use_little_address_space, NULL);
}

static bool
copy_and_print(struct ctx *ctx, void *arg)
{
	const char *copy;
	const char *print;
	const char *whole;
	struct strbuf sb;

	(void)arg;
	if (!ctx_strndup(ctx, "abcdefg", 7, &copy) || !ctx_printf(ctx, &print, "%d-%s", 42, "xyz"))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "one ");
	strbuf_addf(&sb, "%s ", "two");
	if (!ctx_strndup(ctx, "between", 7, &copy))
		return false;
	strbuf_addch(&sb, '3');
	strbuf_addf(&sb, "%s", "");
	if (!strbuf_finish(&sb, &whole))
		return false;
	assert_string_equal(copy, "between");
	assert_string_equal(print, "42-xyz");
	assert_string_equal(whole, "one two 3");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("copies, formatted strings and a strbuf", copy_and_print, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_an_arena_that_fits_into_memory),
		cmocka_unit_test(allocates_zeroed_aligned_bytes),
		cmocka_unit_test(allocates_up_to_the_last_byte),
		cmocka_unit_test(keeps_the_first_fault),
		cmocka_unit_test(truncates_a_reason_at_its_limit),
		cmocka_unit_test(wipes_everything_of_a_request),
		cmocka_unit_test(rewinds_to_a_mark),
		cmocka_unit_test(copies_and_prints),
		cmocka_unit_test(keeps_pieces_whole_from_block_to_block),
		cmocka_unit_test(takes_address_space_as_it_is_used),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("ctx", tests, NULL, NULL);
}
