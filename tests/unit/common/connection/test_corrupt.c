/* test_corrupt.c - records that cannot be read, told of together. */
#include "../../table.h"

#include "connection/corrupt.h"

static void
passes_over_damage_alone(void **state)
{
	struct damage damage = { 0 };
	struct work w;

	(void)state;
	open_room(&w);
	DEMAND("none", damage_none(&w, &damage));
	work_fault(&w, FAULT_DAMAGED, "damaged");
	DEMAND("a damaged one", damage_passed(&w, &damage, "connection:1:2"));
	same_number("is no fault any more", w.kind, FAULT_NONE);
	damage_note(&damage, "connection:3:\x1b\xff");
	work_fault(&w, FAULT_STORAGE, "no permission");
	DEMAND("a disk that fails", !damage_passed(&w, &damage, "connection:5:6"));
	same_number("stays a fault", w.kind, FAULT_STORAGE);
	work_recover(&w);
	same_fault("both", &w, damage_none(&w, &damage), FAULT_DAMAGED);
	has_text("the first", w.reason, "connection:1:2, connection:3:??: damaged, 2 in all");
	work_close(&w);
}

static void
counts_more_than_it_can_name(void **state)
{
	struct damage damage = { 0 };
	struct work w;

	(void)state;
	open_room(&w);
	for (int i = 0; i < 1000; i++)
		damage_note(&damage, "connection:31920194:1");
	same_fault("many", &w, damage_none(&w, &damage), FAULT_DAMAGED);
	has_text("the first", w.reason, "connection:31920194:1, ");
	has_text("how many", w.reason, "1000 in all");
	work_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_over_damage_alone),
		cmocka_unit_test(counts_more_than_it_can_name),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
