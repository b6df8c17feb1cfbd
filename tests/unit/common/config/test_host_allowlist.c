/* test_host_allowlist.c - which hosts may receive the secret; every host that a URL parser could
 * misread is refused. */
#include "../../table.h"

#include "config/host_allowlist.h"

#define DOMAINS "amocrm.ru amocrm.com kommo.com"

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static void
allows_only_hosts_of_the_listed_domains(void **state)
{
	static const struct {
		const char *label, *host, *lowered; /* NULL: refused */
	} table[] = {
		{ "the host of an account", "reforyou.amocrm.ru", "reforyou.amocrm.ru" },
		{ "the last domain", "a.kommo.com", "a.kommo.com" },
		{ "upper case", "ReForYou.AMOCRM.Ru", "reforyou.amocrm.ru" },
		{ "digits and a hyphen", "new-5b.amocrm.com", "new-5b.amocrm.com" },
		{ "a label of one character", "a.amocrm.ru", "a.amocrm.ru" },
		{ "a label at the limit", X60 "xxx.amocrm.ru", X60 "xxx.amocrm.ru" },
		{ "a label over the limit", X60 "xxxx.amocrm.ru", NULL },

		{ "an empty host", "", NULL },
		{ "only a domain", "amocrm.ru", NULL },
		{ "a domain after a dot", ".amocrm.ru", NULL },
		{ "only a label", "reforyou", NULL },
		{ "a label and a dot", "reforyou.", NULL },
		{ "two labels", "a.b.amocrm.ru", NULL },
		{ "an empty label inside", "a..amocrm.ru", NULL },
		{ "a dot at the end", "a.amocrm.ru.", NULL },
		{ "a leading hyphen", "-a.amocrm.ru", NULL },
		{ "a trailing hyphen", "a-.amocrm.ru", NULL },
		{ "only a hyphen", "-.amocrm.ru", NULL },
		{ "a domain that is not listed", "a.example.com", NULL },
		{ "a domain with the same ending", "a.evilamocrm.ru", NULL },
		{ "a domain with the same beginning", "a.amocrm.ru.evil.com", NULL },
		{ "a truncated domain", "a.amocrm", NULL },
		{ "two domains of the list", "a.amocrm.ru amocrm.com", NULL },
		{ "the whole list", "a." DOMAINS, NULL },
		{ "an allowed host as the user name", "a.amocrm.ru@127.0.0.1", NULL },
		{ "a user name before an allowed host", "evil@a.amocrm.ru", NULL },
		{ "a fragment", "x#.amocrm.ru", NULL },
		{ "a query", "x?.amocrm.ru", NULL },
		{ "a path", "127.0.0.1/.amocrm.ru", NULL },
		{ "a backslash", "127.0.0.1\\.amocrm.ru", NULL },
		{ "a port", "a.amocrm.ru:443", NULL },
		{ "a percent-encoded dot", "a%2eamocrm.ru", NULL },
		{ "a URL", "https://a.amocrm.ru", NULL },
		{ "a space before the host", " a.amocrm.ru", NULL },
		{ "a space after the host", "a.amocrm.ru ", NULL },
		{ "a newline after the host", "a.amocrm.ru\n", NULL },
		{ "an underscore", "a_b.amocrm.ru", NULL },
		{ "a letter outside ASCII", "\xd0\xb0.amocrm.ru", NULL },
		{ "a full-width dot",
		    "a\xef\xbc\x8e"
		    "amocrm.ru",
		    NULL },
		{ "an IPv4 address", "127.0.0.1", NULL },
		{ "an IPv4 address as one number", "2130706433", NULL },
		{ "an IPv6 address", "[::1]", NULL },
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
reads_the_list_of_domains(void **state)
{
	static const struct {
		const char *label, *domains;
		bool allowed;
	} table[] = {
		{ "one domain", "amocrm.ru", true },
		{ "spaces around", "  amocrm.ru  ", true },
		{ "several spaces between domains", "kommo.com   amocrm.ru", true },
		{ "an empty list", "", false },
		{ "only spaces", "  ", false },
		{ "a list without the domain", "kommo.com", false },
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
refuses_a_host_over_the_limit(void **state)
{
	char host[HOST_MAX + 2];
	char lowered[HOST_SIZE + 1];

	(void)state;
	for (size_t len = HOST_MAX; len <= HOST_MAX + 1; len++) {
		memset(host, 'd', len);
		host[len] = '\0';
		host[1] = '.'; /* a label of one character, and the rest is the domain */
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
		cmocka_unit_test(allows_only_hosts_of_the_listed_domains),
		cmocka_unit_test(reads_the_list_of_domains),
		cmocka_unit_test(refuses_a_host_over_the_limit),
	};

	return cmocka_run_group_tests_name("host allowlist", tests, NULL, NULL);
}
