/* record.h - a connection as the store keeps it, in three lines.
 *
 *   active
 *   {"account_id":1,"amocrm_user_id":2,"host":"…","app_user":null,"connected_at":…}
 *   <the two tokens, sealed>
 *
 * The first two are clear, so that whoever asks only for the state needs no cipher.  The tokens are
 * sealed with the record's key and the whole second line as their context (see seal.h), so neither
 * can be changed or exchanged without the other.
 *
 * The state is outside of that, because amoCRM's disconnect hook revokes a connection without its
 * keys.  So whoever can write to the store can turn "revoked" back into "active", or the other way
 * round, and nothing here shows it.  That gives them no token, and amoCRM has ended those of a
 * revoked connection itself; but our programs would use, refresh and tell of the connection as if
 * it had not been.
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
	const char *app_user; /* NULL: nobody's, or everybody's */
	enum connection_state state;
	time_t connected_at;       /* of the newest authorization */
	time_t refreshed_at;       /* of the newest token pair */
	time_t expires_at;         /* of the access token */
	const char *clear;         /* the second line, as it stands in the store */
	const char *sealed;        /* the third */
	const char *authorization; /* the newest one's id, see connection.h; NULL: not known */
};

/* "connection:<account id>:<amoCRM user id>" */
bool record_key(struct ctx *ctx, int64_t account_id, int64_t amocrm_user_id, const char **key);

/* The two of such a key.  False, without a fault: it is none. */
bool record_key_read(const char *key, int64_t *account_id, int64_t *amocrm_user_id);

/* The record's text; clear and sealed of the connection are not looked at. */
bool record_write(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    const struct tokens *tokens, const char **value);

/* Fault: FAULT_CORRUPT when it is not what record_write wrote. */
bool record_read(struct ctx *ctx, const char *value, struct connection *connection);

/* Its state alone, which costs far less.  Fault: FAULT_STORAGE when it has none. */
bool record_state(struct ctx *ctx, const char *value, enum connection_state *state);

/* The same record in another state. */
bool record_with_state(
    struct ctx *ctx, const char *value, enum connection_state state, const char **changed);

/* The tokens of a connection that was read.  Fault: FAULT_STORAGE, see unseal. */
bool record_tokens(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    struct tokens *tokens);

/* Tokens as one text, and back; the text is a secret. */
bool tokens_write(struct ctx *ctx, const struct tokens *tokens, const char **text);
bool tokens_read(struct ctx *ctx, const char *text, struct tokens *tokens);

#endif
