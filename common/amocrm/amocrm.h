/* amocrm.h - what is said to amoCRM, and what its answers mean
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 */
#ifndef AMOCRM_H
#define AMOCRM_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

struct json_object;

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

/* One call to an account's host, which is allowed already. */
struct amocrm_call {
	const char *method;
	const char *host;
	const char *path;
	const char *header;  /* one more line, as Authorization; or NULL */
	const char *body;    /* JSON, or NULL */
	int64_t deadline_ms; /* by clock_ms */
};

/* The document of a good answer, to be given back with json_object_put; NULL for one without
 * content.
 * Fault: FAULT_REFUSED for a code or token that amoCRM's 400 or 401 calls bad, FAULT_CLIENT for any
 * other of these; FAULT_UNAVAILABLE, FAULT_MOVED, FAULT_REPLY_LOST for what may be over later: no
 * answer in time, 429 (with ctx->retry_after_s), 5xx, an answer that is not JSON; FAULT_BLOCKED for
 * 403.  All but the first leave a token as good as it was. */
bool amocrm_call(struct ctx *ctx, const struct amocrm_config *cfg, const struct amocrm_call *call,
    struct json_object **doc);

/* The URL of amoCRM's consent page: authorize_url of the configuration with our client_id and the
 * state, which amoCRM hands back to the callback. */
bool amocrm_authorize_url(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *state, const char **url);

/* Exchanges an authorization code (RFC 6749 section 4.1.3); the code works once.  host is allowed
 * already.
 * Fault: as amocrm_call; amoCRM is not waited for beyond deadline_ms. */
bool amocrm_exchange(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *code, int64_t deadline_ms, struct tokens *tokens);

/* A new token pair for the old one's refresh token (RFC 6749 section 6), which works once.
 * Fault: as amocrm_call. */
bool amocrm_refresh(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *refresh_token, int64_t deadline_ms, struct tokens *tokens);

/* The host an account has now, in case it was renamed: asked at the access token's api_domain.
 * Fault: as amocrm_call; FAULT_MOVED when the token tells no api_domain that is allowed. */
bool amocrm_current_host(struct ctx *ctx, const struct amocrm_config *cfg,
    const struct tokens *tokens, int64_t deadline_ms, const char **host);

/* Whose tokens these are, by the access token's claims (RFC 7519), which are believed because the
 * token came over TLS from an allowed host.  False without a fault: it is no JWT,
 * or does not tell. */
bool amocrm_identity_claimed(
    struct ctx *ctx, const char *host, const struct tokens *tokens, struct identity *identity);

/* The same by GET /api/v4/account.  Fault: as amocrm_call. */
bool amocrm_identity_asked(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const struct tokens *tokens, int64_t deadline_ms, struct identity *identity);

/* Where an account's webhooks go
 * (https://www.amocrm.ru/developers/content/crm_platform/webhooks-api).  The same destination again
 * updates its events.  Fault: as amocrm_call. */
bool amocrm_subscribe(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *access_token, const char *destination, const char *const *events,
    int64_t deadline_ms);
bool amocrm_unsubscribe(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms);

enum subscription { SUBSCRIPTION_NONE, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_DISABLED };

/* What has become of the subscription of that destination; amoCRM disables one whose answers are
 * bad. */
bool amocrm_subscription(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms,
    enum subscription *found);

/* When a call that begins now must be over, by clock_ms. */
int64_t amocrm_deadline(const struct amocrm_config *cfg);

#endif
