/* jwt.c - see jwt.h. */
#include "crypto/jwt.h"

#include "config/config.h"
#include "crypto/jws.h"
#include "crypto/oauth_state.h"
#include "text/json.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* The end of the year 9999, the last one of RFC 3339.  A later time is one in milliseconds, by
 * mistake, or a number that time_t may not hold. */
#define DATE_MAX 253402300799

static const struct jws_algorithm *const algorithms[] = {
	[JWT_HS256] = &jws_hs256,
	[JWT_HS384] = &jws_hs384,
	[JWT_HS512] = &jws_hs512,
	[JWT_RS256] = &jws_rs256,
	[JWT_ES256] = &jws_es256,
	[JWT_EDDSA] = &jws_eddsa,
};

const struct jws_algorithm *
jwt_algorithm(const struct jwt_config *cfg)
{
	return algorithms[cfg->algorithm];
}

/* "at+jwt" is an access token of RFC 9068, made for a server such as this one; any other type was
 * made for another purpose (RFC 8725 section 3.11).  "application/" may be omitted, and case is
 * ignored (RFC 7515 section 4.1.9). */
static bool
type_accepted(struct ctx *ctx, const char *type)
{
	static const char prefix[] = "application/";

	if (type == NULL)
		return true;
	if (strncasecmp(type, prefix, sizeof prefix - 1) == 0)
		type += sizeof prefix - 1;
	return strcasecmp(type, "JWT") == 0 || strcasecmp(type, "at+jwt") == 0
	    || fault(ctx, FAULT_TOKEN, "typ is \"%.30s\", not JWT", type);
}

/* Reads a NumericDate (RFC 7519 section 2): seconds, which may have a fraction.  The range is
 * compared as a double, before any conversion; the comparison is false for NaN. */
static bool
read_date(
    struct ctx *ctx, const struct json_object *claims, const char *name, bool *present, double *at)
{
	struct json_object *member;

	*present = json_object_object_get_ex(claims, name, &member);
	if (!*present)
		return true;
	if (!json_object_is_type(member, json_type_int)
	    && !json_object_is_type(member, json_type_double))
		return fault(ctx, FAULT_TOKEN, "%s is not a number", name);
	*at = json_object_get_double(member);
	return (*at >= 0 && *at <= DATE_MAX)
	    || fault(ctx, FAULT_TOKEN, "%s is not a time in seconds", name);
}

static bool
check_expiry(struct ctx *ctx, const struct json_object *claims, double now, int leeway)
{
	bool present;
	double exp;

	if (!read_date(ctx, claims, "exp", &present, &exp))
		return false;
	if (!present)
		return fault(ctx, FAULT_TOKEN, "exp is missing");
	return now < exp + leeway || fault(ctx, FAULT_TOKEN, "expired %.0f s ago", now - exp);
}

static bool
check_not_before(
    struct ctx *ctx, const struct json_object *claims, const char *name, double now, int leeway)
{
	bool present;
	double at;

	if (!read_date(ctx, claims, name, &present, &at))
		return false;
	return !present || at <= now + leeway
	    || fault(ctx, FAULT_TOKEN, "%s is %.0f s ahead of this server's clock", name, at - now);
}

static bool
check_times(struct ctx *ctx, const struct jwt_config *cfg, const struct json_object *claims)
{
	double now = (double)time(NULL);

	return check_expiry(ctx, claims, now, cfg->leeway)
	    && check_not_before(ctx, claims, "nbf", now, cfg->leeway)
	    && check_not_before(ctx, claims, "iat", now, cfg->leeway);
}

static bool
check_issuer(struct ctx *ctx, const struct jwt_config *cfg, const struct json_object *claims)
{
	const char *issuer = json_get_string(claims, "iss");

	return cfg->issuer == NULL || (issuer != NULL && strcmp(issuer, cfg->issuer) == 0)
	    || fault(ctx, FAULT_TOKEN, "iss is not the configured issuer");
}

/* Whether aud, a string or an array of strings (RFC 7519 section 4.1.3), names this audience. */
static bool
names_audience(const struct json_object *claims, const char *audience)
{
	const char *single = json_get_string(claims, "aud");
	struct json_object *list;

	if (single != NULL)
		return strcmp(single, audience) == 0;
	if (!json_object_object_get_ex(claims, "aud", &list)
	    || !json_object_is_type(list, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);

		if (json_object_is_type(item, json_type_string)
		    && strcmp(json_object_get_string(item), audience) == 0)
			return true;
	}
	return false;
}

/* Our own states are refused even if the configuration would accept their audience. */
static bool
check_audience(struct ctx *ctx, const struct jwt_config *cfg, const struct json_object *claims)
{
	if (names_audience(claims, STATE_AUDIENCE))
		return fault(ctx, FAULT_TOKEN, "aud is the audience of our own states");
	return cfg->audience == NULL || names_audience(claims, cfg->audience)
	    || fault(ctx, FAULT_TOKEN, "aud does not name the configured audience");
}

/* C0, DEL, and C1, which in UTF-8 is C2 80 to C2 9F. */
static bool
has_control(const char *s)
{
	for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			return true;
	return false;
}

static bool
read_user(struct ctx *ctx, const struct jwt_config *cfg, const struct json_object *claims,
    const char **user)
{
	const char *name = json_get_string(claims, cfg->user_claim);
	int64_t number;

	if (json_get_integer(claims, cfg->user_claim, &number) && number >= 0)
		return ctx_printf(ctx, user, "%" PRId64, number);
	if (name == NULL || name[0] == '\0')
		return fault(
		    ctx, FAULT_TOKEN, "%.30s is neither a string nor an integer", cfg->user_claim);
	if (strlen(name) > JWT_USER_MAX)
		return fault(
		    ctx, FAULT_TOKEN, "%.30s is over %d bytes", cfg->user_claim, JWT_USER_MAX);
	if (has_control(name))
		return fault(ctx, FAULT_TOKEN, "%.30s has control characters", cfg->user_claim);
	return ctx_strndup(ctx, name, strlen(name), user);
}

static bool
check_claims(struct ctx *ctx, const struct jwt_config *cfg, struct jws *jws, const char **user)
{
	struct json_object *claims = jws_claims(ctx, jws);
	bool ok = claims != NULL ? check_times(ctx, cfg, claims) && check_issuer(ctx, cfg, claims)
		&& check_audience(ctx, cfg, claims) && read_user(ctx, cfg, claims, user)
				 : fault(ctx, FAULT_TOKEN, "%s", jws->reason);

	json_object_put(claims);
	return ok;
}

static bool
verify_signature(struct ctx *ctx, const struct jwt_config *cfg, struct jws *jws)
{
	const struct jws_key key = { .secret = cfg->secret,
		.secret_len = cfg->secret == NULL ? 0 : strlen(cfg->secret),
		.public_key = cfg->public_key };

	return jws_verify(ctx, jws, &key) || fault(ctx, FAULT_TOKEN, "%s", jws->reason);
}

/* The signature comes last: a public key's costs the start of a helper, which anybody could cause
 * with a token that is refused anyway. */
bool
jwt_verify(struct ctx *ctx, const struct jwt_config *cfg, const char *token, const char **user)
{
	const char *claimed;
	struct jws jws;

	if (token == NULL)
		return fault(ctx, FAULT_TOKEN_MISSING, "no bearer token was sent");
	if (!jws_parse(ctx, token, JWT_TOKEN_MAX, jwt_algorithm(cfg), &jws))
		return fault(ctx, FAULT_TOKEN, "%s%s", jws.reason,
		    strpbrk(token, " \"'") == NULL
			? ""
			: "; it has a space or a quote in it: send \"Bearer <token>\", once and "
			  "without quotes");
	if (!type_accepted(ctx, jws.type) || !check_claims(ctx, cfg, &jws, &claimed)
	    || !verify_signature(ctx, cfg, &jws))
		return false;
	*user = claimed;
	return true;
}
