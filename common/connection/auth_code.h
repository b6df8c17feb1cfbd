/* auth_code.h - what has become of an authorization code.
 *
 * The store's record "code:<sha256 of the code>", for as long as amoCRM's codes live.
 */
#ifndef AUTH_CODE_H
#define AUTH_CODE_H

#include "base/ctx.h"
#include "config/config.h"
#include "store/store.h"

#define AUTH_CODE_LIFE_S 1200 /* amoCRM's codes live 20 minutes; as long one is recognised again */

struct auth_code {
	const char *connection;   /* the key of its record */
	const char *reserved_for; /* NULL: whoever claims it first */
	const char *claimed_by;   /* NULL: nobody yet */
	bool unclaimable;         /* no app user may claim it, see struct grant */
};

/* "<prefix>:<sha256 of the code>" */
bool auth_code_key(struct ctx *ctx, const char *prefix, const char *code, const char **key);

/* What tells an authorization from others, by the key of its code's record. */
bool auth_code_id(struct ctx *ctx, const char *key, const char **id);

/* What is known of a code; *found is false when it has become nothing yet.  Fault:
 * FAULT_STORAGE. */
bool auth_code_find(struct ctx *ctx, const struct store_config *store, const char *key, bool *found,
    struct auth_code *code);

/* The change of the store that keeps it. */
bool auth_code_op(
    struct ctx *ctx, const char *key, const struct auth_code *code, struct store_op *change);

#endif
