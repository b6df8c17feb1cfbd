/* test_host_allowlist.c - which hosts may receive the secret;
 * everything a URL parser could misread is not one. */
#include "../../table.h"

#include "config/host_allowlist.h"

#define DOMAINS "amocrm.ru amocrm.com kommo.com"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static void
allows_hosts(void **state)
{
	static const struct {
		const char *label, *host, *lowered; /* NULL: refused */
	} table[] = {
		{ "an account", "reforyou.amocrm.ru", "reforyou.amocrm.ru" },
		{ "the last domain", "a.kommo.com", "a.kommo.com" },
		{ "another case", "ReForYou.AMOCRM.Ru", "reforyou.amocrm.ru" },
		{ "digits and a hyphen", "new-5b.amocrm.com", "new-5b.amocrm.com" },
		{ "one character", "a.amocrm.ru", "a.amocrm.ru" },
		{ "a label at its limit", X60 "xxx.amocrm.ru", X60 "xxx.amocrm.ru" },
		{ "a label over its limit", X60 "xxxx.amocrm.ru", NULL },

		{ "empty", "", NULL },
		{ "a domain alone", "amocrm.ru", NULL },
		{ "a domain behind a dot", ".amocrm.ru", NULL },
		{ "a label alone", "reforyou", NULL },
		{ "a label and a dot", "reforyou.", NULL },
		{ "two labels", "a.b.amocrm.ru", NULL },
		{ "an empty label inside", "a..amocrm.ru", NULL },
		{ "a dot at the end", "a.amocrm.ru.", NULL },
		{ "a hyphen first", "-a.amocrm.ru", NULL },
		{ "a hyphen last", "a-.amocrm.ru", NULL },
		{ "a hyphen alone", "-.amocrm.ru", NULL },
		{ "another domain", "a.example.com", NULL },
		{ "a domain that ends alike", "a.evilamocrm.ru", NULL },
		{ "a domain that begins alike", "a.amocrm.ru.evil.com", NULL },
		{ "half a domain", "a.amocrm", NULL },
		{ "a domain of the list with its neighbour", "a.amocrm.ru amocrm.com", NULL },
		{ "the whole list", "a." DOMAINS, NULL },
		{ "user name", "a.amocrm.ru@127.0.0.1", NULL },
		{ "user name before", "evil@a.amocrm.ru", NULL },
		{ "a fragment", "x#.amocrm.ru", NULL },
		{ "a query", "x?.amocrm.ru", NULL },
		{ "a path", "127.0.0.1/.amocrm.ru", NULL },
		{ "a backslash", "127.0.0.1\\.amocrm.ru", NULL },
		{ "a port", "a.amocrm.ru:443", NULL },
		{ "an escape", "a%2eamocrm.ru", NULL },
		{ "a URL", "https://a.amocrm.ru", NULL },
		{ "a blank before", " a.amocrm.ru", NULL },
		{ "a blank behind", "a.amocrm.ru ", NULL },
		{ "a newline behind", "a.amocrm.ru\n", NULL },
		{ "an underscore", "a_b.amocrm.ru", NULL },
		{ "not ASCII", "\xd0\xb0.amocrm.ru", NULL },
		{ "a full-width dot",
		    "a\xef\xbc\x8e"
		    "amocrm.ru",
		    NULL },
		{ "an address", "127.0.0.1", NULL },
		{ "an address in one number", "2130706433", NULL },
		{ "an address in brackets", "[::1]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char lowered[HOST_SIZE];
		bool allowed = host_allowed(DOMAINS, table[i].host, lowered);

		DEMAND(table[i].label, allowed == (table[i].lowered != NULL));
		if (allowed)
			same_text(table[i].label, lowered, table[i].lowered);
	}
}

static void
reads_the_list(void **state)
{
	static const struct {
		const char *label, *domains;
		bool allowed;
	} table[] = {
		{ "one domain", "amocrm.ru", true },
		{ "blanks around", "  amocrm.ru  ", true },
		{ "several blanks between", "kommo.com   amocrm.ru", true },
		{ "no domain", "", false },
		{ "blanks alone", "  ", false },
		{ "another domain", "kommo.com", false },
		{ "a longer domain", "amocrm.ru.example", false },
		{ "a shorter domain", "ru", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		char lowered[HOST_SIZE];

		DEMAND(table[i].label,
		    host_allowed(table[i].domains, "a.amocrm.ru", lowered) == table[i].allowed);
	}
}

static void
allows_no_longer_host(void **state)
{
	char host[HOST_MAX + 2];
	char lowered[HOST_SIZE + 1];

	(void)state;
	for (size_t len = HOST_MAX; len <= HOST_MAX + 1; len++) {
		memset(host, 'd', len);
		host[len] = '\0';
		host[1] = '.'; /* one label, then a domain as long as need be */
		lowered[HOST_SIZE] = 'x';
		if (host_allowed(host + 2, host, lowered) != (len == HOST_MAX))
			fail_msg("a host of %zu bytes", len);
		assert_int_equal(lowered[HOST_SIZE], 'x');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_hosts),
		cmocka_unit_test(reads_the_list),
		cmocka_unit_test(allows_no_longer_host),
	};

	return cmocka_run_group_tests_name("host allowlist", tests, NULL, NULL);
}
