/* store_limits.h - the limits of the store.
 */
#ifndef STORE_LIMITS_H
#define STORE_LIMITS_H

#define STORE_KEY_MAX        200   /* bytes; an app user's name can be long */
#define STORE_VALUE_MAX      65536 /* bytes; two tokens of 8 KB, sealed, are 22 KB */
#define STORE_OPS_MAX        8     /* operations of one commit; an authorization makes four */
#define STORE_TERM_MARGIN_MS 60000 /* of a lease, beyond the calls: to store over a failover */
#define STORE_WAIT_MS        5000 /* for another writer of the shard; a change takes milliseconds */

#define ESCROW_SLOTS          128 /* concurrent refreshes and exchanges, and what is left of them */
#define ESCROW_SLOTS_EXCHANGE 96  /* of these, for exchanges, which anybody can cause */
#define ESCROW_TEXT_MAX                                                                            \
	(STORE_VALUE_MAX + 8192) /* bytes; the longest record, and what it replaces */

#endif
