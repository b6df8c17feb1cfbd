/* check_secrets.c - the secrets that authenticate the app, amoCRM's webhooks, and our deliveries to
 * their receiver. */
#include "check/check.h"

#include "config/endpoints.h"
#include "crypto/jwt.h"
#include "events/delivery.h"

#include <string.h>

#define DISTINCT_MIN 8 /* different characters; 16 random bytes in hex have more */

/* The example of the specification of Standard Webhooks. */
static const char published_secret[] = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

bool
check_is_placeholder(const char *value)
{
	return strncmp(value, "replace-me", 10) == 0 || value[strspn(value, "0-")] == '\0'
	    || strstr(value, published_secret) != NULL;
}

static bool
is_guessable(const char *secret)
{
	bool seen[256] = { false };
	int distinct = 0;

	for (const unsigned char *s = (const unsigned char *)secret; *s != '\0'; s++) {
		distinct += !seen[*s];
		seen[*s] = true;
	}
	return distinct < DISTINCT_MIN;
}

static const char same_as_app[] = "set the secret with which the app's own server signs tokens; "
				  "openssl rand -hex 32 generates a new one";

/* False, with a finding. */
static bool
jwt_secret_ok(struct check *c)
{
	static const size_t min[] = { [JWT_HS256] = 32, [JWT_HS384] = 48, [JWT_HS512] = 64 };
	const struct jwt_config *cfg = &c->ctl->cfg.jwt;
	struct report *r = &c->report;

	if (check_is_placeholder(cfg->secret))
		report_wrong(r, "jwt", same_as_app, "[jwt] secret is the value in the example");
	else if (is_guessable(cfg->secret))
		report_wrong(r, "jwt", same_as_app,
		    "[jwt] secret can be guessed: it has fewer than %d different characters",
		    DISTINCT_MIN);
	else if (strcmp(cfg->secret, c->ctl->cfg.amocrm.client_secret) == 0)
		report_warning(r, "jwt", same_as_app,
		    "[jwt] secret is the same as client_secret: if one leaks, both have leaked");
	else if (strlen(cfg->secret) < min[cfg->algorithm])
		report_warning(r, "jwt", same_as_app,
		    "[jwt] secret has %zu bytes; RFC 7518 requires %zu for this algorithm",
		    strlen(cfg->secret), min[cfg->algorithm]);
	else
		return true;
	return false;
}

#define SET_ALGORITHM(name)                                                                        \
	"set [jwt] algorithm = " name                                                              \
	" if the app signs with this key; else set the key it signs "                              \
	"with: openssl pkey -in <its key> -pubout"

/* What to do about a key that cannot be used, by what it is. */
static const char *
public_key_advice(const struct ctx *ctx)
{
	if (strstr(ctx->reason, "is an RSA key of") != NULL
	    && strstr(ctx->reason, "RS256 requires") == NULL)
		return SET_ALGORITHM("RS256");
	if (strstr(ctx->reason, "is an EC key on prime256v1") != NULL)
		return SET_ALGORITHM("ES256");
	if (strstr(ctx->reason, "is an ED25519 key") != NULL)
		return SET_ALGORITHM("EdDSA");
	return "[jwt] public_key must name a PEM file with the app's public key: openssl pkey -in "
	       "<its key> -pubout; and algorithm must match the key";
}

void
check_jwt(struct check *c)
{
	const struct jwt_config *cfg = &c->ctl->cfg.jwt;
	bool by_secret = cfg->secret != NULL;
	struct ctx *ctx = c->ctl->ctx;
	const char *token;
	const char *user;

	if (by_secret ? !jwt_secret_ok(c) : !c->crypto_usable || !check_public_key(c))
		return;
	/* with a valid public key, the signature is the only fault of the token */
	if (test_token_make(ctx, cfg, &token) && !jwt_verify(ctx, cfg, token, &user) && !by_secret
	    && ctx->kind == FAULT_TOKEN)
		ctx_clear_fault(ctx);
	if (ctx->kind != FAULT_NONE)
		report_fault(&c->report, "jwt",
		    by_secret ? "correct [jwt]; amo-crm.conf.example explains its keys"
			      : check_advice(ctx, public_key_advice(ctx)));
	else if (by_secret)
		report_ok(&c->report, "jwt", "a token signed by [jwt] secret is accepted");
	else
		report_ok(
		    &c->report, "jwt", "%s: matches the configured algorithm", cfg->public_key);
}

static bool
is_jwt_secret(const struct check *c, const char *secret)
{
	const char *jwt_secret = c->ctl->cfg.jwt.secret;

	return jwt_secret != NULL && strcmp(secret, jwt_secret) == 0;
}

void
check_webhook(struct check *c)
{
	static const char new_one[] =
	    "set one (openssl rand -hex 16), then run amocrmctl subscribe for each account";
	const char *secret = c->ctl->cfg.webhook.secret;
	struct report *r = &c->report;

	if (secret == NULL)
		report_wrong(r, "webhook_key", new_one,
		    "[webhook] secret is not set: anyone who knows the address can send events");
	else if (check_is_placeholder(secret))
		report_wrong(
		    r, "webhook_key", new_one, "[webhook] secret is the value in the example");
	else if (is_guessable(secret))
		report_wrong(r, "webhook_key", new_one,
		    "[webhook] secret can be guessed: it has fewer than %d different characters",
		    DISTINCT_MIN);
	else if (strcmp(secret, c->ctl->cfg.amocrm.client_secret) == 0 || is_jwt_secret(c, secret))
		report_wrong(r, "webhook_key", new_one,
		    "[webhook] secret is also client_secret or [jwt] secret: as part of a URL "
		    "it is seen in the account's settings and in logs");
	else
		report_ok(r, "webhook_key", "[webhook] secret is set");
}

/* What to do about what delivery_check refuses. */
static const char *
deliver_advice(const struct ctx *ctx)
{
	static const struct {
		const char *reason, *to_do;
	} known[] = {
		{ "are not both set",
		    "set both, or neither; a new secret: echo whsec_$(openssl rand -base64 32)" },
		{ "is plain http",
		    "begin it with https://, or set allow_private = yes if the receiver is on this "
		    "machine or in its own network" },
		{ "contains a user name",
		    "remove the user name: the receiver checks the signature" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(ctx->reason, known[i].reason) != NULL)
			return known[i].to_do;
	return "a new secret: echo whsec_$(openssl rand -base64 32); two are separated by a space";
}

void
check_deliver(struct check *c)
{
	const struct config *cfg = &c->ctl->cfg;
	struct report *r = &c->report;

	if (cfg->deliver.url == NULL && cfg->deliver.secret == NULL)
		report_ok(r, "deliver", "not set: events are stored but not delivered");
	else if (!delivery_check(c->ctl->ctx, cfg))
		report_fault(r, "deliver", deliver_advice(c->ctl->ctx));
	else if (!cfg->deliver.allow_private && endpoint_is_private(cfg->deliver.url))
		report_wrong(r, "deliver",
		    "set allow_private = yes if the receiver is on this machine or in its own "
		    "network",
		    "[deliver] url names a private address, to which nothing is delivered");
	else if (check_is_placeholder(cfg->deliver.secret)
	    || strstr(cfg->deliver.url, ".example/") != NULL)
		report_wrong(r, "deliver", "set the values of your own receiver",
		    "[deliver] url or secret is the value in the example");
	else if (endpoint_is_own(cfg->amocrm.redirect_uri, cfg->deliver.url))
		report_wrong(r, "deliver", "set your receiver's address",
		    "[deliver] url is our own webhook: events would loop forever");
	else
		report_ok(r, "deliver", "%s", cfg->deliver.url);
}
