/* test_fcgi_peer.c - which addresses FCGI_WEB_SERVER_ADDRS lets in. */
#include "../../table.h"

#include "web/fcgi_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The address as accept returns it; its family is that of the text, NULL: a Unix socket. */
static struct sockaddr_storage
peer_of(const char *text)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNIX };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(40000) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(40000),
		.sin6_flowinfo = 7,
		.sin6_scope_id = 2 };

	if (text != NULL && inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		memcpy(&peer, &v4, sizeof v4);
	else if (text != NULL) {
		assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
		memcpy(&peer, &v6, sizeof v6);
	}
	return peer;
}

static void
lets_in_the_addresses_of_the_list(void **state)
{
	static const struct {
		const char *label, *allowed, *peer;
		bool lets_in;
	} table[] = {
		{ "not set", NULL, "10.0.0.1", true },
		{ "not set, IPv6", NULL, "fe80::1", true },
		{ "a Unix socket", "127.0.0.1", NULL, true },
		{ "a Unix socket and an empty list", "", NULL, true },
		{ "IPv4", "127.0.0.1", "127.0.0.1", true },
		{ "IPv4, the last of several", "10.0.0.1,127.0.0.1", "127.0.0.1", true },
		{ "IPv4, with blanks", " 10.0.0.1 , 127.0.0.1 ", "127.0.0.1", true },
		{ "IPv4 on an IPv6 socket", "127.0.0.1", "::ffff:127.0.0.1", true },
		{ "IPv6", "::1", "::1", true },
		{ "IPv6, the last of several", "10.0.0.1,2001:db8::1", "2001:db8::1", true },
		{ "IPv6, spelled in full", "2001:0DB8:0:0:0:0:0:1", "2001:db8::1", true },
		{ "a mapped address in the list", "::ffff:127.0.0.1", "127.0.0.1", true },
		{ "a mapped address in hexadecimal", "::ffff:7f00:1", "::ffff:127.0.0.1", true },

		{ "an empty list", "", "127.0.0.1", false },
		{ "an empty list, IPv6", "", "::1", false },
		{ "only commas", ",,", "::1", false },
		{ "another IPv4", "10.0.0.1", "127.0.0.1", false },
		{ "an IPv4 that begins alike", "127.0.0.10", "127.0.0.1", false },
		{ "the beginning of an IPv4", "127.0.0", "127.0.0.0", false },
		{ "another IPv4 on an IPv6 socket", "10.0.0.1", "::ffff:127.0.0.1", false },
		{ "IPv6 where only an IPv4 is allowed", "127.0.0.1", "::1", false },
		{ "IPv4 where only an IPv6 is allowed", "::1", "127.0.0.1", false },
		{ "IPv4-compatible, which is not mapped", "127.0.0.1", "::127.0.0.1", false },
		{ "another IPv6", "2001:db8::1", "2001:db8::2", false },
		{ "all addresses, which is not a range", "::", "::1", false },
		{ "a network", "127.0.0.0/8,::/0", "127.0.0.1", false },
		{ "a name", "localhost", "127.0.0.1", false },
		{ "an IPv6 in brackets", "[::1]", "::1", false },
		{ "an item of any length",
		    "00000000000000000000000000000000000000000000000000000000000::1", "::1",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct sockaddr_storage peer = peer_of(table[i].peer);

		DEMAND(
		    table[i].label, fcgi_peer_allowed(table[i].allowed, &peer) == table[i].lets_in);
	}
}

/* A family without IP addresses is in no list. */
static void
refuses_other_families(void **state)
{
	const struct sockaddr_storage peer = { .ss_family = AF_VSOCK };

	(void)state;
	DEMAND("with a list", !fcgi_peer_allowed("::,0.0.0.0", &peer));
	DEMAND("without a list", fcgi_peer_allowed(NULL, &peer));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lets_in_the_addresses_of_the_list),
		cmocka_unit_test(refuses_other_families),
	};

	return cmocka_run_group_tests_name("fcgi_peer", tests, NULL, NULL);
}
