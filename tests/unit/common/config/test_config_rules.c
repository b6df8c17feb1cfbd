/* test_config_rules.c - the syntax of values that config_read accepts as any text. */
#include "../../table.h"

#include "config/config_rules.h"

struct row {
	const char *label, *value;
	bool valid;
};

static void
try_rule(bool (*rule)(const char *value), const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		DEMAND(rows[i].label, rule(rows[i].value) == rows[i].valid);
}

static void
checks_a_client_id(void **state)
{
	static const struct row table[] = {
		{ "a UUID", "0f3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f8", true },
		{ "a UUID in upper case", "0F3C1AB2-4D5E-6F70-8192-A3B4C5D6E7F8", false },
		{ "a letter that is not a digit", "0g3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f8", false },
		{ "a missing hyphen", "0f3c1ab24d5e-6f70-8192-a3b4c5d6e7f8", false },
		{ "a hyphen in another place", "0f3c1ab-24d5e-6f70-8192-a3b4c5d6e7f8", false },
		{ "one digit less", "0f3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f", false },
		{ "one digit more", "0f3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f80", false },
		{ "a space at the end", "0f3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f8 ", false },
		{ "a UUID in braces", "{0f3c1ab2-4d5e-6f70-8192-a3b4c5d6e7f8}", false },
		{ "an empty client_id", "", false },
	};

	(void)state;
	try_rule(config_client_id_valid, table, ROWS(table));
}

static void
checks_connect_to(void **state)
{
	static const struct row table[] = {
		{ "all four parts", "crm.example.com:443:127.0.0.1:8443", true },
		{ "any host", "::127.0.0.1:8443", true },
		{ "another host, the same port", "crm.example.com:443:other.example:", true },
		{ "another port, the same host", "crm.example.com:443::8443", true },
		{ "four empty parts", ":::", true },
		{ "IPv6", "crm.example.com:443:[::1]:8443", true },
		{ "IPv6 twice", "[2001:db8::1]:443:[::1]:8443", true },
		{ "two elements", "a.example:443:127.0.0.1:1 b.example:443:127.0.0.1:2", true },
		{ "several spaces between elements", "a.example:443:127.0.0.1:1   b.example:443::2",
		    true },
		{ "no element", "", true },
		{ "three parts", "crm.example.com:443:127.0.0.1", false },
		{ "five parts", "crm.example.com:443:127.0.0.1:8443:9", false },
		{ "a port that is not a number", "crm.example.com:https:127.0.0.1:8443", false },
		{ "the other port is not a number", "crm.example.com:443:127.0.0.1:x", false },
		{ "a port of five digits", "::127.0.0.1:65535", true },
		{ "a port of six digits", "::127.0.0.1:655350", false },
		{ "IPv6 without brackets", "crm.example.com:443:::1:8443", false },
		{ "a bracket that is not closed", "crm.example.com:443:[::1:8443", false },
		{ "a bracket closed in the next element", "a.example:443:[:: ]:8443", false },
		{ "a letter after a bracket", "crm.example.com:443:[::1]x:8443", false },
		{ "the second element is wrong", "::127.0.0.1:1 ::127.0.0.1", false },
		{ "only a host", "crm.example.com", false },
		{ "a comma between elements", "::127.0.0.1:1,::127.0.0.1:2", false },
	};

	(void)state;
	try_rule(config_connect_to_valid, table, ROWS(table));
}

static void
checks_a_proxy(void **state)
{
	static const struct row table[] = {
		{ "only a host", "proxy.example", true },
		{ "a host and a port", "proxy.example:3128", true },
		{ "http", "http://proxy.example:3128", true },
		{ "https", "https://proxy.example", true },
		{ "socks4", "socks4://proxy.example", true },
		{ "socks4a", "socks4a://proxy.example", true },
		{ "socks5", "socks5://proxy.example", true },
		{ "socks5h", "socks5h://proxy.example:1080", true },
		{ "a password", "http://me:secret@proxy.example:3128", true },
		{ "a password with @ and : in it", "http://me:s@e:c@proxy.example:3128", true },
		{ "a password without a scheme", "me:secret@proxy.example", true },
		{ "a slash at the end", "http://proxy.example/", true },
		{ "IPv6", "http://[::1]:3128", true },
		{ "IPv6 without a port", "[::1]", true },
		{ "IPv6 and a slash", "http://[::1]/", true },
		{ "a port and a slash", "http://proxy.example:3128/", true },
		{ "another scheme", "ftp://proxy.example", false },
		{ "a scheme in upper case", "HTTP://proxy.example", false },
		{ "an empty scheme", "://proxy.example", false },
		{ "no host", "http://", false },
		{ "no host after a password", "http://me:secret@", false },
		{ "no host before a port", "http://:3128", false },
		{ "an empty port", "proxy.example:", false },
		{ "a port that is not a number", "proxy.example:web", false },
		{ "a port of five digits", "proxy.example:65535", true },
		{ "a port of six digits", "proxy.example:655350", false },
		{ "a space", "proxy.example 3128", false },
		{ "a bracket that is not closed", "http://[::1", false },
		{ "a letter after a bracket", "http://[::1]x", false },
		{ "an empty proxy", "", false },
	};

	(void)state;
	try_rule(config_proxy_valid, table, ROWS(table));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_a_client_id),
		cmocka_unit_test(checks_connect_to),
		cmocka_unit_test(checks_a_proxy),
	};

	return cmocka_run_group_tests_name("config rules", tests, NULL, NULL);
}
