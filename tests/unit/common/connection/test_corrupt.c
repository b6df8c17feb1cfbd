/* test_corrupt.c - records that cannot be read, told of together. */
#include "../../table.h"

#include "connection/corrupt.h"

static void
passes_over_damage_alone(void **state)
{
	struct corrupt_records corrupt = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	DEMAND("none", corrupt_none(&ctx, &corrupt));
	ctx_fault(&ctx, FAULT_CORRUPT, "damaged");
	DEMAND("a damaged one", corrupt_skip(&ctx, &corrupt, "connection:1:2"));
	same_number("is no fault any more", ctx.kind, FAULT_NONE);
	corrupt_note(&corrupt, "connection:3:\x1b\xff");
	ctx_fault(&ctx, FAULT_STORAGE, "no permission");
	DEMAND("a disk that fails", !corrupt_skip(&ctx, &corrupt, "connection:5:6"));
	same_number("stays a fault", ctx.kind, FAULT_STORAGE);
	ctx_clear_fault(&ctx);
	same_fault("both", &ctx, corrupt_none(&ctx, &corrupt), FAULT_CORRUPT);
	has_text("the first", ctx.reason, "connection:1:2, connection:3:??: damaged, 2 in all");
	ctx_close(&ctx);
}

static void
counts_more_than_it_can_name(void **state)
{
	struct corrupt_records corrupt = { 0 };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (int i = 0; i < 1000; i++)
		corrupt_note(&corrupt, "connection:31920194:1");
	same_fault("many", &ctx, corrupt_none(&ctx, &corrupt), FAULT_CORRUPT);
	has_text("the first", ctx.reason, "connection:31920194:1, ");
	has_text("how many", ctx.reason, "1000 in all");
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_over_damage_alone),
		cmocka_unit_test(counts_more_than_it_can_name),
	};

	return cmocka_run_group_tests_name("corrupt", tests, NULL, NULL);
}
