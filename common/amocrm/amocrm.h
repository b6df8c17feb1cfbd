/* amocrm.h - calls to amoCRM's API, and what its replies mean
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 *
 * Hosts are those that account_domains allows; the caller has checked them.
 */
#ifndef AMOCRM_H
#define AMOCRM_H

#include "amocrm/budget.h"
#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>
#include <time.h>

struct json_object;

#define AMOCRM_TOKEN_MAX 16384 /* bytes; tokens have about 1 KB today, and grow */

/* Only administrators of the account may use it: a 403 with JSON says that the user is none. */
#define AMOCRM_WEBHOOKS_PATH "/api/v4/webhooks"

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

/* One call to an account's host. */
struct amocrm_call {
	const char *method;
	const char *host;
	const char *path;
	const char *header;      /* a further header line, as Authorization; or NULL */
	const char *body;        /* JSON, or NULL */
	int64_t deadline_ms;     /* by clock_ms */
	enum budget_share share; /* of the turns, see budget.h */
};

/* *doc is the JSON document of a successful reply, to be released with json_object_put; NULL if it
 * has no content.
 * Fault: FAULT_REFUSED for a 400 or 401 that rejects the code or token, FAULT_CLIENT for any other
 * 400 or 401; FAULT_UNAVAILABLE, FAULT_MOVED, FAULT_REPLY_LOST for temporary failures: no reply by
 * the deadline, 429, 5xx, a reply that is not JSON; FAULT_BLOCKED for 403, but FAULT_CLIENT for one
 * of AMOCRM_WEBHOOKS_PATH with JSON.  The reply's Retry-After is in ctx->retry_after_s.  After all
 * but FAULT_REFUSED the code or token may still be valid. */
bool amocrm_call(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    struct json_object **doc);

/* The same, but after a success the call's turn goes on until the caller's budget_end: what the
 * reply brings can be made safe first. */
bool amocrm_call_in_turn(struct ctx *ctx, const struct config *cfg, const struct amocrm_call *call,
    struct json_object **doc, struct budget_turn *turn);

/* The URL of amoCRM's consent page: authorize_url of the configuration with our client_id and the
 * state, which amoCRM hands back to the callback. */
bool amocrm_authorize_url(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *state, const char **url);

/* Exchanges an authorization code, which is single-use (RFC 6749 section 4.1.3).  After a success
 * the caller ends the turn, by budget_end, when the tokens are safe.
 * Fault: as amocrm_call. */
bool amocrm_exchange(struct ctx *ctx, const struct config *cfg, const char *host, const char *code,
    enum budget_share share, int64_t deadline_ms, struct tokens *tokens, struct budget_turn *turn);

/* Exchanges a refresh token, which is single-use, for a new token pair (RFC 6749 section 6).  The
 * turn is as for amocrm_exchange.
 * Fault: as amocrm_call. */
bool amocrm_refresh(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *refresh_token, int64_t deadline_ms, struct tokens *tokens,
    struct budget_turn *turn);

/* The present host of an account that may have been renamed; asks the access token's api_domain.
 * Fault: as amocrm_call; FAULT_MOVED if the token or the reply names no host that is allowed. */
bool amocrm_current_host(struct ctx *ctx, const struct config *cfg, const struct tokens *tokens,
    int64_t deadline_ms, const char **host);

/* Whether it can be sent in a header (RFC 6750 section 2.1): visible ASCII, of at most
 * AMOCRM_TOKEN_MAX bytes. */
bool amocrm_token_valid(const char *token);

/* The account and user of a token pair, from the access token's claims (RFC 7519).  They are
 * trusted without a signature, as the token came over TLS from an allowed host.  False without a
 * fault: it is no JWT, or lacks the claims. */
bool amocrm_identity_from_token(
    struct ctx *ctx, const char *host, const struct tokens *tokens, struct identity *identity);

/* The same from GET /api/v4/account.  Fault: as amocrm_call. */
bool amocrm_identity_from_api(struct ctx *ctx, const struct config *cfg, const char *host,
    const struct tokens *tokens, enum budget_share share, int64_t deadline_ms,
    struct identity *identity);

/* Subscribes a destination to an account's webhooks, or unsubscribes it
 * (https://www.amocrm.ru/developers/content/crm_platform/webhooks-api).  events ends with NULL;
 * subscribing a destination again replaces its events.  Fault: as amocrm_call. */
bool amocrm_subscribe(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, const char *const *events,
    int64_t deadline_ms);
bool amocrm_unsubscribe(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms);

enum subscription { SUBSCRIPTION_NONE, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_DISABLED };

/* The state of a destination's subscription; amoCRM disables one that replies with errors.
 * Fault: as amocrm_call. */
bool amocrm_subscription(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *access_token, const char *destination, int64_t deadline_ms,
    enum subscription *found);

/* The deadline of a call that begins now, by clock_ms. */
int64_t amocrm_deadline(const struct config *cfg);

#endif
