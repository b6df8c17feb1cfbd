/* record.h - a connection as stored: a record of three lines.
 *
 *   active
 *   {"account_id":1,"amocrm_user_id":2,"host":"…","app_user":null,"connected_at":…}
 *   <the two tokens, sealed>
 *
 * The first two are clear text, so that reading the state needs no cipher.  The tokens are sealed
 * with the record's key and its whole second line as their context (see seal.h), so neither can be
 * changed without the other being noticed.
 *
 * The state is not authenticated, because amoCRM's disconnect hook revokes a connection without the
 * key ring.  An attacker who can write to the store can therefore turn "revoked" into "active" or
 * back unnoticed.  That yields no token, and amoCRM has invalidated those of a revoked connection
 * itself; but our programs would use and refresh the connection, and report it as active.
 */
#ifndef RECORD_H
#define RECORD_H

#include "amocrm/amocrm.h"
#include "base/ctx.h"
#include "crypto/keyring.h"

#include <stdint.h>
#include <time.h>

enum connection_state { CONNECTION_ACTIVE, CONNECTION_REVOKED };

/* One token pair, of one amoCRM user in one account. */
struct connection {
	int64_t account_id;
	int64_t amocrm_user_id;
	const char *host;
	const char *app_user; /* NULL: nobody's; where connections are shared, always */
	enum connection_state state;
	time_t connected_at;       /* the newest authorization */
	time_t refreshed_at;       /* the newest token pair */
	time_t expires_at;         /* the access token's end */
	const char *clear;         /* the second line, as stored */
	const char *sealed;        /* the third line */
	const char *authorization; /* the newest one's id; NULL: not known */
};

/* The key "connection:<account id>:<amoCRM user id>". */
bool record_key(struct ctx *ctx, int64_t account_id, int64_t amocrm_user_id, const char **key);

/* The two ids of such a key.  False without a fault: it is another key. */
bool record_key_read(const char *key, int64_t *account_id, int64_t *amocrm_user_id);

/* Writes the record, with the tokens sealed; the members clear and sealed are ignored. */
bool record_write(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    const struct tokens *tokens, const char **value);

/* Reads the record, except its tokens.  Fault: FAULT_CORRUPT if record_write did not write it. */
bool record_read(struct ctx *ctx, const char *value, struct connection *connection);

/* Reads its state alone, which costs far less.  Fault: FAULT_CORRUPT. */
bool record_state(struct ctx *ctx, const char *value, enum connection_state *state);

/* The same record with another state. */
bool record_with_state(
    struct ctx *ctx, const char *value, enum connection_state state, const char **changed);

/* Unseals the tokens of a connection that was read.  Fault: FAULT_STORAGE, see unseal. */
bool record_tokens(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    struct tokens *tokens);

/* Tokens as JSON text, and back; the text is a secret. */
bool tokens_write(struct ctx *ctx, const struct tokens *tokens, const char **text);
bool tokens_read(struct ctx *ctx, const char *text, struct tokens *tokens);

#endif
