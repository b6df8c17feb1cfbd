/* public_target.h - whether the host of a request that goes through a proxy has public addresses
 * only.  The socket goes to the proxy then, so its address says nothing about the host's.
 *
 * A proxy that resolves names itself may find other addresses than we do.  It is not told which one
 * to use: many proxies allow hosts by name.
 */
#ifndef PUBLIC_TARGET_H
#define PUBLIC_TARGET_H

#include "base/ctx.h"
#include "helper/https.h"

/* Resolves the host of the request's URL, and connects to nothing.
 * Fault: FAULT_UNAVAILABLE if one of its addresses is not public, FAULT_MOVED if it has none. */
bool public_target_check(struct ctx *ctx, const struct https_request *request);

#endif
