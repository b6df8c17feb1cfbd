/* refusal.c - see refusal.h. */
#include "amocrm/refusal.h"

#include "base/strbuf.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UNDECRYPTABLE "truncated, or from the other platform: see authorize_url"
#define NO_CODE       "no usable code; connect again"
#define REVOKED       "already used, or the integration was removed; connect again"
#define EXPIRED       "not refreshed for three months; connect again"
#define OTHER_CLIENT  "issued to another integration: is client_id the right one? connect again"
#define PKCE          "requested by another program, with PKCE; connect again"
#define REDIRECT_URI  "redirect_uri must equal the one in amoCRM's settings byte for byte"
#define SCOPE         "see which rights the integration has in amoCRM's settings"
#define HOST          "see account: amoCRM expects the request at another host"
#define PROGRAM       "amoCRM does not accept how this program asks"

static const struct hint {
	const char *text;
	enum fault_kind kind;
	const char *advice; /* for the log */
} hints[] = {
	{ "Authorization code has expired", FAULT_REFUSED, "over 20 minutes old; connect again" },
	{ "Authorization code has been revoked", FAULT_REFUSED, "already used; connect again" },
	{ "Authorization code was not issued to this client", FAULT_REFUSED, OTHER_CLIENT },
	{ "Authorization code malformed", FAULT_REFUSED, "truncated; connect again" },
	{ "Cannot decrypt the authorization code", FAULT_REFUSED, UNDECRYPTABLE },
	{ "Issue decrypting the authorization code", FAULT_REFUSED, UNDECRYPTABLE },
	{ "Cannot validate the provided authorization code", FAULT_REFUSED, NO_CODE },
	{ "Check the `code` parameter", FAULT_REFUSED, NO_CODE },
	{ "Check the `code_verifier` parameter", FAULT_REFUSED, PKCE },
	{ "Failed to verify `code_verifier`.", FAULT_REFUSED, PKCE },
	{ "Code Verifier must follow the specifications of RFC-7636.", FAULT_REFUSED, PKCE },
	{ "Token has been revoked", FAULT_REFUSED, REVOKED },
	{ "Refresh token has been revoked", FAULT_REFUSED, REVOKED },
	{ "Token has expired", FAULT_REFUSED, EXPIRED },
	{ "Refresh token has expired", FAULT_REFUSED, EXPIRED },
	{ "Token is not linked to client", FAULT_REFUSED, OTHER_CLIENT },
	{ "Invalid refresh token", FAULT_REFUSED, "amoCRM does not know the token; connect again" },
	{ "Check the `refresh_token` parameter", FAULT_REFUSED, "no usable token; connect again" },
	{ "Cannot decrypt the refresh token", FAULT_REFUSED,
	    "from another integration or platform; connect again" },
	{ "Redirect URI is not associated with client", FAULT_CLIENT, REDIRECT_URI },
	{ "Invalid redirect URI", FAULT_CLIENT, REDIRECT_URI },
	{ "Check the `redirect_uri` parameter", FAULT_CLIENT, REDIRECT_URI },
	{ "Check the `client_id` parameter", FAULT_CLIENT,
	    "see client_id in the integration's Keys tab" },
	{ "Check the `client_secret` parameter", FAULT_CLIENT,
	    "see client_secret in the integration's Keys tab" },
	{ "Check the `grant_type` parameter", FAULT_CLIENT, PROGRAM },
	{ "Check that all required parameters have been provided", FAULT_CLIENT, PROGRAM },
	{ "Specify a scope in the request or set a default scope", FAULT_CLIENT, SCOPE },
	{ "Invalid account", FAULT_CLIENT, HOST },
	{ "Send request to account", FAULT_CLIENT, HOST },
};

static bool
begins_with(const char *s, const char *prefix)
{
	return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

/* A full stop at the end, and capitals, make no difference. */
static bool
same_hint(const char *a, const char *b)
{
	size_t len_a = strlen(a);
	size_t len_b = strlen(b);

	len_a -= len_a > 0 && a[len_a - 1] == '.';
	len_b -= len_b > 0 && b[len_b - 1] == '.';
	return len_a == len_b && strncasecmp(a, b, len_a) == 0;
}

/* Whether the reply has the library's own form, and names another error than a wrong secret
 * (RFC 6749 section 5.2). */
static bool
names_other_error(const struct json_object *doc)
{
	const char *error = json_get_string(doc, "error");

	return error != NULL && strcmp(error, "invalid_client") != 0;
}

/* The token endpoint's: hint is NULL or empty if the reply has none. */
static struct hint
find_hint(const struct json_object *doc, const char *hint)
{
	static const struct hint unknown = { "", FAULT_CLIENT,
		"amoCRM's reason is not known to us" };
	size_t len = hint == NULL ? 0 : strlen(hint);

	if (len == 0)
		return names_other_error(doc)
		    ? unknown
		    : (struct hint){ "", FAULT_CLIENT,
			      "wrong client_secret, or an unpaid account" };
	for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
		if (same_hint(hints[i].text, hint))
			return hints[i];
	if (begins_with(hint, "Check the `") && len > strlen("Check the `` scope")
	    && strcmp(hint + len - strlen("` scope"), "` scope") == 0)
		return (struct hint){ "", FAULT_CLIENT, SCOPE };
	return unknown;
}

/* Elsewhere a 401 concerns the access token alone. */
static struct hint
find_meaning(
    const struct amocrm_call *call, long status, const struct json_object *doc, const char *hint)
{
	if (status == 403)
		return (struct hint){
			"", FAULT_CLIENT,
			"the amoCRM user of this connection is not an administrator of the account"
		};
	if (strncmp(call->path, "/oauth2/", strlen("/oauth2/")) == 0)
		return find_hint(doc, hint);
	return (struct hint){ "", FAULT_CLIENT,
		status == 401 ? "the access token was not accepted; if this persists, connect again"
			      : "amoCRM does not accept this request" };
}

/* The element of the request's list that "settings.1" or "settings[1]" names; NULL: none. */
static const char *
element_at(const struct json_object *request, const char *path)
{
	static const char name[] = "settings";
	size_t name_len = strcspn(path, ".[");
	struct json_object *list = NULL;
	struct json_object *element;

	if (path[name_len] == '\0' || name_len != strlen(name) || strncmp(path, name, name_len) != 0
	    || !json_object_object_get_ex(request, name, &list)
	    || !json_object_is_type(list, json_type_array)
	    || strspn(path + name_len + 1, "0123456789") == 0)
		return NULL;
	element = json_object_array_get_idx(list, strtoul(path + name_len + 1, NULL, 10));
	return json_object_is_type(element, json_type_string) ? json_object_get_string(element)
							      : NULL;
}

static void
add_error(struct strbuf *sb, const struct json_object *request, const struct json_object *error)
{
	const char *path = json_get_string(error, "path");
	const char *detail = json_get_string(error, "detail");
	const char *element = path == NULL ? NULL : element_at(request, path);

	strbuf_addf(sb, "; %.60s%s%.60s: %.100s", path == NULL ? "" : path,
	    element == NULL ? "" : " ", element == NULL ? "" : element,
	    detail == NULL ? "" : detail);
}

/* {"validation-errors":[{"errors":[{"path":"settings.1","detail":…},…]},…]} */
static void
add_errors(struct strbuf *sb, const struct json_object *request, const struct json_object *doc)
{
	struct json_object *groups = NULL;
	struct json_object *errors;

	if (!json_object_object_get_ex(doc, "validation-errors", &groups)
	    || !json_object_is_type(groups, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(groups); i++) {
		struct json_object *group = json_object_array_get_idx(groups, i);

		if (!json_object_is_type(group, json_type_object)
		    || !json_object_object_get_ex(group, "errors", &errors)
		    || !json_object_is_type(errors, json_type_array))
			continue;
		for (size_t j = 0; j < json_object_array_length(errors); j++)
			add_error(sb, request, json_object_array_get_idx(errors, j));
	}
}

/* Of a list of names that ends with NULL: the first that is a text; NULL: none. */
static const char *
first_text(const struct json_object *doc, const char *const *names)
{
	const char *text = NULL;

	for (; *names != NULL && (text == NULL || *text == '\0'); names++)
		text = json_get_string(doc, *names);
	return text == NULL || *text == '\0' ? NULL : text;
}

bool
refusal_quote(struct ctx *ctx, const struct json_object *doc, const char **quote)
{
	static const char *const titles[] = { "title", "error", NULL };
	static const char *const details[] = { "hint", "detail", "error_description", "message",
		NULL };
	const char *title = first_text(doc, titles);
	const char *detail = first_text(doc, details);

	return ctx_printf(ctx, quote, "%.60s%s%.80s", title == NULL ? "" : title,
	    title == NULL || detail == NULL ? "" : ": ", detail == NULL ? "" : detail);
}

void
refusal_fault(struct ctx *ctx, const struct amocrm_call *call, const struct https_reply *reply,
    const struct json_object *doc)
{
	struct hint hint = find_meaning(call, reply->status, doc, json_get_string(doc, "hint"));
	struct json_object *request =
	    call->body == NULL ? NULL : json_parse(call->body, strlen(call->body));
	const char *errors;
	const char *quote;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	if (json_object_is_type(request, json_type_object))
		add_errors(&sb, request, doc);
	json_object_put(request);
	if (strbuf_finish(&sb, &errors) && refusal_quote(ctx, doc, &quote))
		ctx_fault(ctx, hint.kind, "%s refused with %ld: %s%s(%s)%s", call->host,
		    reply->status, quote, *quote == '\0' ? "" : " ", hint.advice, errors);
}
