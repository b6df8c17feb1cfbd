/* amocrm.h - what is said to amoCRM, and what its answers mean
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 */
#ifndef AMOCRM_H
#define AMOCRM_H

#include "config.h"
#include "work.h"

#include <stdint.h>
#include <time.h>

#define AMOCRM_TOKEN_MAX 16384 /* bytes; about 1 KB today, and they grow */

struct tokens {
	const char *access_token;
	const char *refresh_token;
	time_t expires_at; /* of the access token */
};

struct identity {
	int64_t account_id;
	int64_t user_id; /* the amoCRM user */
	const char *host;
};

/* Exchanges an authorization code (RFC 6749 section 4.1.3); the code works once.  host is allowed
 * already.
 * Fault: FAULT_REFUSED when amoCRM says so in JSON; FAULT_UNAVAILABLE for anything that may be over
 * later: no answer by deadline_ms (of clock_ms), 403, 429, 5xx, an answer that is not JSON. */
bool amocrm_exchange(struct work *w, const struct amocrm_config *cfg, const char *host,
    const char *code, int64_t deadline_ms, struct tokens *tokens);

/* Whose tokens these are, by the access token's claims (RFC 7519), which are believed because the
 * token came over TLS from an allowed host.  False without a fault: it is no JWT, or does not tell. */
bool amocrm_identity_claimed(
    struct work *w, const char *host, const struct tokens *tokens, struct identity *identity);

/* The same by GET /api/v4/account.  Fault: as amocrm_exchange. */
bool amocrm_identity_asked(struct work *w, const struct amocrm_config *cfg, const char *host,
    const struct tokens *tokens, int64_t deadline_ms, struct identity *identity);

#endif
