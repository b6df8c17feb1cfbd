/* fcgi_peer.c - see fcgi_peer.h. */
#include "web/fcgi_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

/* An IPv4 address in the form in which an IPv6 socket shows it (RFC 4291 section 2.5.5.2), so that
 * both forms are equal. */
static void
map_ipv4(const struct in_addr *v4, struct in6_addr *address)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	memcpy(address->s6_addr, prefix, sizeof prefix);
	memcpy(address->s6_addr + sizeof prefix, v4, sizeof *v4);
}

/* False: the peer has no IP address. */
static bool
peer_address(const struct sockaddr_storage *peer, struct in6_addr *address)
{
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	memcpy(&v4, peer, sizeof v4);
	memcpy(&v6, peer, sizeof v6);
	if (peer->ss_family == AF_INET)
		map_ipv4(&v4.sin_addr, address);
	else
		*address = v6.sin6_addr;
	return peer->ss_family == AF_INET || peer->ss_family == AF_INET6;
}

/* Whether the len bytes at item are this address, in any of its spellings. */
static bool
names_address(const char *item, size_t len, const struct in6_addr *address)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr named;
	struct in_addr v4;

	if (len >= sizeof text)
		return false;
	memcpy(text, item, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		map_ipv4(&v4, &named);
	else if (inet_pton(AF_INET6, text, &named) != 1)
		return false;
	return memcmp(&named, address, sizeof named) == 0;
}

bool
fcgi_peer_allowed(const char *allowed, const struct sockaddr_storage *peer)
{
	struct in6_addr address;

	if (allowed == NULL || peer->ss_family == AF_UNIX)
		return true;
	if (!peer_address(peer, &address))
		return false;
	while (*allowed != '\0') {
		size_t len = strcspn(allowed, ", ");

		if (names_address(allowed, len, &address))
			return true;
		allowed += len + strspn(allowed + len, ", ");
	}
	return false;
}
