/* public_address.h - whether an address is reachable on the public Internet (RFC 6890): a URL in
 * the configuration must not reach private hosts that only this server can reach (SSRF).
 */
#ifndef PUBLIC_ADDRESS_H
#define PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

bool is_public_address(const struct sockaddr *address);

#endif
