/* fcgi_peer.h - which web servers may connect to a FastCGI process.
 */
#ifndef FCGI_PEER_H
#define FCGI_PEER_H

#include <stdbool.h>
#include <sys/socket.h>

/* Whether the peer of a connection is in the list of the variable FCGI_WEB_SERVER_ADDRS: IPv4 and
 * IPv6 addresses, separated by commas (FastCGI 1.0 section 3.2).  An IPv4 address also stands for
 * the same address on an IPv6 socket, ::ffff:192.0.2.1, and the reverse.  An item that is no
 * address stands for nobody.  NULL, the variable is not set: everybody.
 *
 * A Unix socket is always allowed: its mode decides who may connect. */
bool fcgi_peer_allowed(const char *allowed, const struct sockaddr_storage *peer);

#endif
