/* test_config_mistake.c - values in quotes, with a comment, an invisible character or a second key
 * behind them. */
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
		{ "nothing", "", CONFIG_EMPTY },
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
		{ "quotes and a semicolon", "\"hunter2\";", CONFIG_QUOTED },
		{ "quotes and a comma", "'hunter2',", CONFIG_QUOTED },
		{ "a semicolon alone", ";", CONFIG_NO_MISTAKE },
		{ "a comment", "hunter2 # the secret", CONFIG_COMMENT },
		{ "a comment without a blank", "hunter2 #secret", CONFIG_COMMENT },
		{ "a comment behind a tab", "hunter2\t# secret", CONFIG_COMMENT },
		{ "an empty comment", "hunter2 #", CONFIG_COMMENT },
		{ "a comment behind quotes", "\"hunter2\" # secret", CONFIG_COMMENT },
		{ "the second '#' begins it", "hunter#2 # secret", CONFIG_COMMENT },
		{ "a '#' in the value", "hunter#2", CONFIG_NO_MISTAKE },
		{ "a '#' at the beginning", "#hunter2", CONFIG_NO_MISTAKE },
		{ "a number", "House #1", CONFIG_NO_MISTAKE },
		{ "a no-break space at the end", "hunter2\u00a0", CONFIG_INVISIBLE },
		{ "a no-break space at the beginning", "\u00a0hunter2", CONFIG_INVISIBLE },
		{ "a zero-width space", "hunter2\u200b", CONFIG_INVISIBLE },
		{ "a byte-order mark", "\ufeffhunter2", CONFIG_INVISIBLE },
		{ "a no-break space within", "For\u00a0You", CONFIG_NO_MISTAKE },
		{ "a letter with the same bytes", "hunter\u00e0", CONFIG_NO_MISTAKE },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		enum config_mistake found = config_find_mistake(table[i].value);

		same_number(table[i].label, found, table[i].expected);
		DEMAND(table[i].label,
		    (*config_mistake_text(found) == '\0') == (found == CONFIG_NO_MISTAKE));
		DEMAND(table[i].label,
		    (config_mistake_advice(found) == NULL) == (found == CONFIG_NO_MISTAKE));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(finds_mistakes) };

	return cmocka_run_group_tests_name("config mistakes", tests, NULL, NULL);
}
