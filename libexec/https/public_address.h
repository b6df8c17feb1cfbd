/* public_address.h - addresses that are of the internet at large (RFC 6890):
 * a URL in the configuration must not reach what only this machine or its network can.
 */
#ifndef PUBLIC_ADDRESS_H
#define PUBLIC_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

bool is_public_address(const struct sockaddr *address);

#endif
