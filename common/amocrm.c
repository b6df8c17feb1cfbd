/* amocrm.c - see amocrm.h. */
#include "amocrm.h"

#include "encode.h"
#include "host.h"
#include "http.h"
#include "json.h"

#include <string.h>

#define EXPIRES_IN_MAX (10 * 365 * 86400) /* seconds; a day today */

/* What a refusal means to whoever reads the log.  amoCRM's 400 and 401 do not tell cases apart, the
 * hint does. */
static const char *
advice(const char *hint)
{
	static const struct {
		const char *part;
		const char *advice;
	} hints[] = {
		{ "code has expired", "over 20 minutes old; connect again" },
		{ "code has been revoked", "used already; connect again" },
		{ "decrypt the authorization code",
		    "cut, or of the other platform: see authorize_url" },
		{ "Token has been revoked", "used, or the integration was removed; connect again" },
		{ "Redirect URI",
		    "redirect_uri must be byte for byte the one in amoCRM's settings" },
		{ "client_id", "see client_id in the integration's Keys tab" },
		{ "client_secret", "see client_secret in the integration's Keys tab" },
		{ "account", "see account: amoCRM wants another host to be asked" },
	};

	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
		if (strstr(hint, hints[i].part) != NULL)
			return hints[i].advice;
	return "wrong client_secret, or an unpaid account";
}

static bool
refusal(struct work *w, const char *host, const struct http_answer *answer,
    const struct json_object *doc)
{
	const char *hint = json_string(doc, "hint");
	const char *title = json_string(doc, "title");

	return fault(w, FAULT_REFUSED, "%s refused with %ld: %.60s%s%.60s (%s)", host,
	    answer->status, title == NULL ? "" : title, hint == NULL ? "" : ": ",
	    hint == NULL ? "" : hint, advice(hint == NULL ? "" : hint));
}

static bool
not_now(struct work *w, const char *host, const struct http_answer *answer)
{
	long status = answer->status;

	return fault(w, FAULT_UNAVAILABLE, "%s answered %ld %s%s", host, status,
	    answer->is_json ? "in JSON" : "and no JSON",
	    status == 403       ? "; the account or this server's address is blocked"
		: status == 429 ? "; too many requests"
				: "");
}

/* The document of a good answer, to be given back with json_object_put; NULL with a fault. */
static struct json_object *
read_answer(struct work *w, const char *host, const struct http_answer *answer)
{
	struct json_object *doc = json_read(answer->body, strlen(answer->body));
	bool good = answer->status == 200 && json_object_is_type(doc, json_type_object);

	if (good)
		return doc;
	if ((answer->status == 400 || answer->status == 401)
	    && json_object_is_type(doc, json_type_object))
		refusal(w, host, answer, doc);
	else
		not_now(w, host, answer);
	json_object_put(doc);
	return NULL;
}

/* Tokens go into a header, so they are b64token and what else is visible ASCII (RFC 6750 2.1). */
static bool
copy_token(struct work *w, const struct json_object *doc, const char *name, const char **token)
{
	const char *s = json_string(doc, name);
	size_t len = s == NULL ? 0 : strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] <= ' ' || s[i] > '~')
			len = 0;
	if (len == 0 || len > AMOCRM_TOKEN_MAX)
		return fault(w, FAULT_UNAVAILABLE, "the answer holds no usable %s", name);
	return work_copy(w, s, len, token);
}

static bool
take_tokens(struct work *w, const struct json_object *doc, struct tokens *tokens)
{
	int64_t expires_in;

	if (!json_integer(doc, "expires_in", &expires_in) || expires_in <= 0
	    || expires_in > EXPIRES_IN_MAX)
		return fault(w, FAULT_UNAVAILABLE, "the answer holds no usable expires_in");
	tokens->expires_at = time(NULL) + (time_t)expires_in;
	return copy_token(w, doc, "access_token", &tokens->access_token)
	    && copy_token(w, doc, "refresh_token", &tokens->refresh_token);
}

static void
add_member(struct text *t, const char *name, const char *value)
{
	text_add(t, t->len == 0 ? "{" : ",");
	json_add_string(t, name);
	text_add_char(t, ':');
	json_add_string(t, value);
}

static bool
token_request(struct work *w, const struct amocrm_config *cfg, const char *grant_type,
    const char *grant_name, const char *grant, const char **body)
{
	struct text t;

	text_begin(w, &t);
	add_member(&t, "client_id", cfg->client_id);
	add_member(&t, "client_secret", cfg->client_secret);
	add_member(&t, "grant_type", grant_type);
	add_member(&t, grant_name, grant);
	add_member(&t, "redirect_uri", cfg->redirect_uri);
	text_add_char(&t, '}');
	return text_end(&t, body);
}

static bool
ask_for_tokens(struct work *w, const struct amocrm_config *cfg, const char *host, const char *body,
    int64_t deadline_ms, struct tokens *tokens)
{
	const struct http_call call = { .method = "POST",
		.host = host,
		.path = "/oauth2/access_token",
		.body = body,
		.deadline_ms = deadline_ms };
	struct http_answer answer;
	struct json_object *doc;
	bool done;

	if (!http_send(w, cfg, &call, &answer) || (doc = read_answer(w, host, &answer)) == NULL)
		return false;
	done = take_tokens(w, doc, tokens);
	json_object_put(doc);
	return done;
}

bool
amocrm_exchange(struct work *w, const struct amocrm_config *cfg, const char *host, const char *code,
    int64_t deadline_ms, struct tokens *tokens)
{
	const char *body;

	return token_request(w, cfg, "authorization_code", "code", code, &body)
	    && ask_for_tokens(w, cfg, host, body, deadline_ms, tokens);
}

/* A number that may be written as a string of digits. */
static bool
positive(const struct json_object *doc, const char *name, int64_t *out)
{
	const char *digits = json_string(doc, name);

	if (digits != NULL)
		return decimal_read(digits, out);
	return json_integer(doc, name, out) && *out > 0;
}

/* The claims of a JWT's payload, to be given back with json_object_put; NULL: it is no JWT. */
static struct json_object *
claims_of(struct work *w, const char *jwt)
{
	const char *payload = strchr(jwt, '.');
	const uint8_t *json;
	size_t len;

	if (payload == NULL)
		return NULL;
	payload++;
	if (!base64url_decode(w, payload, strcspn(payload, "."), &json, &len))
		return NULL;
	return json_read((const char *)json, len);
}

bool
amocrm_identity_claimed(
    struct work *w, const char *host, const struct tokens *tokens, struct identity *identity)
{
	struct json_object *claims = claims_of(w, tokens->access_token);
	bool known = positive(claims, "account_id", &identity->account_id)
	    && positive(claims, "sub", &identity->user_id);

	json_object_put(claims);
	identity->host = host;
	return known;
}

/* The account's own host: it may have been renamed since the address we asked was written down. */
static bool
take_account(struct work *w, const struct amocrm_config *cfg, const char *host,
    const struct json_object *doc, struct identity *identity)
{
	const char *subdomain = json_string(doc, "subdomain");
	char lowered[HOST_SIZE];
	const char *own_host;

	if (!positive(doc, "id", &identity->account_id)
	    || !positive(doc, "current_user_id", &identity->user_id) || subdomain == NULL)
		return fault(w, FAULT_UNAVAILABLE, "%s does not tell whose tokens these are", host);
	if (!work_print(w, &own_host, "%s%s", subdomain, strchr(host, '.')))
		return false;
	if (!host_allowed(cfg->account_domains, own_host, lowered))
		return fault(w, FAULT_UNAVAILABLE, "%s names a subdomain that is none", host);
	return work_copy(w, lowered, strlen(lowered), &identity->host);
}

bool
amocrm_identity_asked(struct work *w, const struct amocrm_config *cfg, const char *host,
    const struct tokens *tokens, int64_t deadline_ms, struct identity *identity)
{
	const struct http_call call = { .method = "GET",
		.host = host,
		.path = "/api/v4/account",
		.bearer = tokens->access_token,
		.deadline_ms = deadline_ms };
	struct http_answer answer;
	struct json_object *doc;
	bool done;

	if (!http_send(w, cfg, &call, &answer) || (doc = read_answer(w, host, &answer)) == NULL)
		return false;
	done = take_account(w, cfg, host, doc, identity);
	json_object_put(doc);
	return done;
}
