/* test_corrupt.c - corrupt records are reported together. */
#include "../../table.h"

#include "connection/corrupt.h"

static void
skips_only_corrupt_records(void **state)
{
	struct corrupt_records corrupt = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	DEMAND("no corrupt record", corrupt_none(&ctx, &corrupt));
	ctx_fault(&ctx, FAULT_CORRUPT, "damaged");
	DEMAND("a corrupt record is skipped", corrupt_skip(&ctx, &corrupt, "connection:1:2"));
	same_number("its fault is cleared", ctx.kind, FAULT_NONE);
	corrupt_note(&corrupt, "connection:3:\x1b\xff");
	ctx_fault(&ctx, FAULT_UNAVAILABLE, "locked");
	DEMAND("another fault is not skipped", !corrupt_skip(&ctx, &corrupt, "connection:5:6"));
	same_number("the other fault stays", ctx.kind, FAULT_UNAVAILABLE);
	ctx_clear_fault(&ctx);
	same_fault("two corrupt records", &ctx, corrupt_none(&ctx, &corrupt), FAULT_CORRUPT);
	has_text("both keys", ctx.reason, "connection:1:2, connection:3:??: corrupt, 2 in all");
	ctx_close(&ctx);
}

static void
skips_records_of_an_unreadable_file(void **state)
{
	struct corrupt_records corrupt = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	ctx_fault(&ctx, FAULT_STORAGE, "000.gdbm: is empty");
	DEMAND("the record is skipped", corrupt_skip(&ctx, &corrupt, "connection:1:2"));
	same_fault("one record", &ctx, corrupt_none(&ctx, &corrupt), FAULT_CORRUPT);
	has_text("its key", ctx.reason, "connection:1:2");
	has_text("the reason", ctx.reason, "000.gdbm: is empty");
	ctx_close(&ctx);
}

static void
counts_more_records_than_it_names(void **state)
{
	struct corrupt_records corrupt = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (int i = 0; i < 1000; i++)
		corrupt_note(&corrupt, "connection:31920194:1");
	same_fault("many corrupt records", &ctx, corrupt_none(&ctx, &corrupt), FAULT_CORRUPT);
	has_text("the first key", ctx.reason, "connection:31920194:1, ");
	has_text("their number", ctx.reason, "1000 in all");
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(skips_only_corrupt_records),
		cmocka_unit_test(skips_records_of_an_unreadable_file),
		cmocka_unit_test(counts_more_records_than_it_names),
	};

	return cmocka_run_group_tests_name("corrupt", tests, NULL, NULL);
}
