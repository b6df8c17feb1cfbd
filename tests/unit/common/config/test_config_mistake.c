/* test_config_mistake.c - values in quotes, and two keys on one line. */
#include "../../table.h"

#include "config/config_mistake.h"

static void
finds_mistakes(void **state)
{
	static const struct {
		const char *label, *value;
		enum config_mistake expected;
	} table[] = {
		{ "a plain value", "hunter2", CONFIG_NO_MISTAKE },
		{ "nothing", "", CONFIG_NO_MISTAKE },
		{ "double quotes", "\"hunter2\"", CONFIG_QUOTED },
		{ "single quotes", "'hunter2'", CONFIG_QUOTED },
		{ "backquotes", "`hunter2`", CONFIG_QUOTED },
		{ "typographic quotes", "\u201chunter2\u201d", CONFIG_QUOTED },
		{ "quotes of Ukrainian and Russian", "\u00abhunter2\u00bb", CONFIG_QUOTED },
		{ "only quotes", "\"\"", CONFIG_QUOTED },
		{ "one quote", "\"", CONFIG_NO_MISTAKE },
		{ "a quote at the beginning", "\"hunter2", CONFIG_NO_MISTAKE },
		{ "a quote at the end", "hunter2\"", CONFIG_NO_MISTAKE },
		{ "two different quotes", "\"hunter2'", CONFIG_NO_MISTAKE },
		{ "quotes inside", "the \"best\" app", CONFIG_NO_MISTAKE },
		{ "a second key", "hunter2 algorithm = HS256", CONFIG_SECOND_KEY },
		{ "a second key without blanks", "hunter2 algorithm=HS256", CONFIG_SECOND_KEY },
		{ "a second key behind a tab", "hunter2\tsecret = x", CONFIG_SECOND_KEY },
		{ "a third word is the key", "For You name = x", CONFIG_SECOND_KEY },
		{ "another word before the '='", "hunter2 colour = blue", CONFIG_NO_MISTAKE },
		{ "the name of a key without '='", "my secret", CONFIG_NO_MISTAKE },
		{ "a query with the name of a key", "https://x.example/?secret=x",
		    CONFIG_NO_MISTAKE },
		{ "blanks at the end", "hunter2  ", CONFIG_NO_MISTAKE },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		enum config_mistake found = config_find_mistake(table[i].value);

		same_number(table[i].label, found, table[i].expected);
		DEMAND(table[i].label,
		    (*config_mistake_text(found) == '\0') == (found == CONFIG_NO_MISTAKE));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_mistakes) };

	return cmocka_run_group_tests_name("config mistakes", tests, NULL, NULL);
}
