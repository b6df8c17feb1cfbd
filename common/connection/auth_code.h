/* auth_code.h - what is known of an authorization code: which connection it became, who may claim
 * that, and whether amoCRM refused it.
 *
 * It is the store's record "code:<sha256 of the code>", and expires when amoCRM's code would.
 * Codes are single-use, so it makes the exchange idempotent.  This record alone decides who may
 * claim the connection, so it is written before, or in the same commit as, all that comes of the
 * code:
 *
 *   pending     amoCRM has issued tokens, and has not yet said whose they are
 *   connected   the tokens are those of a connection
 *   refused     amoCRM refused the code, and need not be asked again
 */
#ifndef AUTH_CODE_H
#define AUTH_CODE_H

#include "base/ctx.h"
#include "config/config.h"
#include "store/store.h"

#define AUTH_CODE_LIFE_S 1200 /* as long as amoCRM's codes: 20 minutes */

struct auth_code {
	const char *connection;   /* the key of its record; NULL: not yet, or refused */
	const char *host;         /* while pending or refused: the account's; otherwise NULL */
	const char *tokens;       /* while pending: sealed; otherwise NULL */
	const char *reserved_for; /* an app user; NULL: the first who claims it */
	const char *claimed_by;   /* an app user; NULL: nobody yet */
	bool unclaimable;         /* no app user may claim it, see struct grant */
	enum fault_kind refused;  /* the fault its exchange has ended with; FAULT_NONE: none */
};

/* The key "code:<sha256 of the code>". */
bool auth_code_key(struct ctx *ctx, const char *code, const char **key);

/* The id of the authorization (struct authorization), from the key of its code's record. */
bool auth_code_id(struct ctx *ctx, const char *key, const char **id);

/* Finds the record of a code; *found is false if nothing is known of the code.
 * Fault: FAULT_STORAGE; FAULT_CORRUPT when this record alone cannot be read. */
bool auth_code_find(struct ctx *ctx, const struct store_config *store, const char *key, bool *found,
    struct auth_code *code);

/* The operation that stores the record. */
bool auth_code_op(
    struct ctx *ctx, const char *key, const struct auth_code *code, struct store_op *op);

/* Records that the exchange of a code at this host has failed for good.  The fault in ctx, which is
 * recorded, stays: that this could not be recorded matters less. */
void auth_code_refuse(
    struct ctx *ctx, const struct store_config *store, const char *key, const char *host);

#endif
