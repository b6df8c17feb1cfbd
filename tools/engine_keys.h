/* engine_keys.h - which keys the hosts of a shared database encrypt with: the id of each and the
 * SHA-256 of its bytes, as the database keeps them.
 */
#ifndef ENGINE_KEYS_H
#define ENGINE_KEYS_H

#include "config/config.h"
#include "crypto/keyring.h"

struct json_object;

/* How a key ring differs from what is recorded. */
struct engine_keys {
	const char *missing; /* an id that the ring lacks; NULL: none */
	const char *other;   /* an id under which the ring has another key; NULL: none */
	const char *added;   /* an id of the ring that is not recorded; NULL: none */
	bool first;          /* the key that encrypts is another one than that of its id */
};

/* Records the ring's keys that are not recorded yet, unless it differs from those that are. */
bool engine_keys_add(struct ctx *ctx, const struct store_config *store, const struct keyring *ring,
    struct engine_keys *found);

/* Records exactly the ring's keys. */
bool engine_keys_set(struct ctx *ctx, const struct store_config *store, const struct keyring *ring);

/* Compares the ring with the member "keys" of a reply.  What it finds is copied to the arena. */
bool engine_keys_compare(struct ctx *ctx, const struct keyring *ring,
    const struct json_object *reply, struct engine_keys *found);

#endif
