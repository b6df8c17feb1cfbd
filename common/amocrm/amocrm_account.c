/* amocrm_account.c - the account and user of a token pair, and the account's host; see amocrm.h. */
#include "amocrm/amocrm.h"

#include "base/encode.h"
#include "config/host_allowlist.h"
#include "text/json.h"

#include <string.h>

/* A positive number, which may be written as a string of digits. */
static bool
read_id(const struct json_object *doc, const char *name, int64_t *out)
{
	const char *digits = json_get_string(doc, name);

	if (digits != NULL)
		return decimal_parse(digits, out);
	return json_get_integer(doc, name, out) && *out > 0;
}

/* The claims of a JWT, unverified, to be released with json_object_put; NULL: it is no JWT. */
static struct json_object *
read_claims(struct ctx *ctx, const char *jwt)
{
	const char *payload = strchr(jwt, '.');
	const uint8_t *json;
	size_t len;

	if (payload == NULL)
		return NULL;
	payload++;
	if (!base64url_decode(ctx, payload, strcspn(payload, "."), &json, &len))
		return NULL;
	return json_parse((const char *)json, len);
}

bool
amocrm_identity_from_token(
    struct ctx *ctx, const char *host, const struct tokens *tokens, struct identity *identity)
{
	struct json_object *claims = read_claims(ctx, tokens->access_token);
	bool known = read_id(claims, "account_id", &identity->account_id)
	    && read_id(claims, "sub", &identity->user_id);

	json_object_put(claims);
	identity->host = host;
	return known;
}

/* The identity's host is the account's present one: the account may have been renamed. */
static bool
take_account(struct ctx *ctx, const struct config *cfg, const char *host,
    const struct json_object *doc, struct identity *identity)
{
	const char *subdomain = json_get_string(doc, "subdomain");
	char lowered[HOST_SIZE];
	const char *own_host;

	if (!read_id(doc, "id", &identity->account_id)
	    || !read_id(doc, "current_user_id", &identity->user_id) || subdomain == NULL)
		return fault(
		    ctx, FAULT_UNAVAILABLE, "%s does not report whose tokens these are", host);
	if (!ctx_printf(ctx, &own_host, "%s%s", subdomain, strchr(host, '.')))
		return false;
	if (!host_allowed(cfg->amocrm.account_domains, own_host, lowered))
		return fault(ctx, FAULT_UNAVAILABLE, "%s reports an invalid subdomain", host);
	return ctx_strndup(ctx, lowered, strlen(lowered), &identity->host);
}

bool
amocrm_identity_from_api(struct ctx *ctx, const struct config *cfg, const char *host,
    const struct tokens *tokens, enum budget_share share, int64_t deadline_ms,
    struct identity *identity)
{
	const char *authorization;
	struct json_object *doc;
	bool ok;

	if (!ctx_printf(ctx, &authorization, "Authorization: Bearer %s", tokens->access_token))
		return false;
	ok = amocrm_call(ctx, cfg,
		 &(struct amocrm_call){
		     "GET", host, "/api/v4/account", authorization, NULL, deadline_ms, share },
		 &doc)
	    && take_account(ctx, cfg, host, doc, identity);
	json_object_put(doc);
	return ok;
}

/* A host named in a reply or a token is not trusted before the allowlist is checked. */
static bool
copy_host(struct ctx *ctx, const struct config *cfg, const char *named, const char **host)
{
	char lowered[HOST_SIZE];

	if (named == NULL || !host_allowed(cfg->amocrm.account_domains, named, lowered))
		return fault(
		    ctx, FAULT_MOVED, "amoCRM reports no host that account_domains allows");
	return ctx_strndup(ctx, lowered, strlen(lowered), host);
}

bool
amocrm_current_host(struct ctx *ctx, const struct config *cfg, const struct tokens *tokens,
    int64_t deadline_ms, const char **host)
{
	struct json_object *doc = read_claims(ctx, tokens->access_token);
	const char *api_host;
	const char *header;
	bool known = copy_host(ctx, cfg, json_get_string(doc, "api_domain"), &api_host);
	bool ok;

	json_object_put(doc);
	if (!known || !ctx_printf(ctx, &header, "X-Refresh-Token: %s", tokens->refresh_token))
		return false;
	ok = amocrm_call(ctx, cfg,
		 &(struct amocrm_call){ "GET", api_host, "/oauth2/account/current/subdomain",
		     header, NULL, deadline_ms, BUDGET_OWN_STATE },
		 &doc)
	    && copy_host(ctx, cfg, json_get_string(doc, "domain"), host);
	json_object_put(doc);
	return ok;
}
