/* test_fault.c - the names of faults. */
#include "../../table.h"

#include "base/fault.h"

static void
names_every_kind(void **state)
{
	(void)state;
	for (int kind = FAULT_NONE; kind < FAULT_KINDS; kind++) {
		const char *name = fault_name((enum fault_kind)kind);

		DEMAND("each kind has a name", name[0] != '\0');
		for (int other = FAULT_NONE; other < kind; other++)
			DEMAND(name, strcmp(name, fault_name((enum fault_kind)other)) != 0);
		if (kind != FAULT_NONE)
			same_number(name, fault_by_name(name), kind);
	}
}

static void
finds_kinds_by_name(void **state)
{
	static const struct {
		const char *label, *name;
		enum fault_kind expected;
	} table[] = {
		{ "a name", "reply_lost", FAULT_REPLY_LOST },
		{ "the first fault", "request", FAULT_REQUEST },
		{ "the last fault", "server", FAULT_SERVER },
		{ "no fault at all", "none", FAULT_SERVER },
		{ "an unknown name", "reply_found", FAULT_SERVER },
		{ "the beginning of a name", "reply", FAULT_SERVER },
		{ "a name and more", "reply_lost ", FAULT_SERVER },
		{ "other case", "Reply_Lost", FAULT_SERVER },
		{ "a number", "3", FAULT_SERVER },
		{ "an empty name", "", FAULT_SERVER },
		{ "NULL", NULL, FAULT_SERVER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		same_number(table[i].label, fault_by_name(table[i].name), table[i].expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_kind),
		cmocka_unit_test(finds_kinds_by_name),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
