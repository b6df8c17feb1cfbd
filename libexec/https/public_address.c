/* public_address.c - see public_address.h. */
#include "public_address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static bool
ipv4_is_public(uint32_t address)
{
	static const struct {
		uint32_t net;
		int bits;
	} reserved[] = {
		{ 0x00000000, 8 },  /* this network */
		{ 0x0a000000, 8 },  /* private */
		{ 0x64400000, 10 }, /* carrier-grade NAT */
		{ 0x7f000000, 8 },  /* loopback */
		{ 0xa9fe0000, 16 }, /* link-local */
		{ 0xac100000, 12 }, /* private */
		{ 0xc0000000, 24 }, /* protocol assignments */
		{ 0xc0a80000, 16 }, /* private */
		{ 0xc6120000, 15 }, /* benchmarks */
		{ 0xe0000000, 3 },  /* multicast, reserved, broadcast */
	};

	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if ((address ^ reserved[i].net) >> (32 - reserved[i].bits) == 0)
			return false;
	return true;
}

/* Only 2000::/3 is global unicast.  6to4 and Teredo, parts of it, embed an IPv4 address. */
static bool
ipv6_is_public(const struct in6_addr *address)
{
	const uint8_t *b = address->s6_addr;
	uint32_t mapped =
	    (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15];

	if (IN6_IS_ADDR_V4MAPPED(address))
		return ipv4_is_public(mapped);
	return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x02)
	    && !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
}

bool
is_public_address(const struct sockaddr *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof v4);
		return ipv4_is_public(ntohl(v4.sin_addr.s_addr));
	}
	memcpy(&v6, address, sizeof v6);
	return address->sa_family == AF_INET6 && ipv6_is_public(&v6.sin6_addr);
}
