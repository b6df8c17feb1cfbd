/* amocrm_oauth.c - the authorize URL and the token endpoint; see amocrm.h. */
#include "amocrm/amocrm.h"

#include "base/strbuf.h"
#include "text/form.h"
#include "text/json.h"

#include <string.h>

#define EXPIRES_IN_MAX (10 * 365 * 86400) /* seconds; a day today */

bool
amocrm_authorize_url(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *state, const char **url)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, cfg->authorize_url);
	strbuf_addstr(&sb, strchr(cfg->authorize_url, '?') == NULL ? "?client_id=" : "&client_id=");
	form_add_encoded(&sb, cfg->client_id);
	strbuf_addstr(&sb, "&state=");
	form_add_encoded(&sb, state);
	strbuf_addstr(&sb, "&mode=popup");
	return strbuf_finish(&sb, url);
}

static bool
copy_token(struct ctx *ctx, const struct json_object *doc, const char *name, const char **token)
{
	const char *s = json_get_string(doc, name);

	if (s == NULL || !amocrm_token_valid(s))
		return fault(ctx, FAULT_UNAVAILABLE, "the reply contains no usable %s", name);
	return ctx_strndup(ctx, s, strlen(s), token);
}

static bool
read_tokens(struct ctx *ctx, const struct json_object *doc, struct tokens *tokens)
{
	int64_t expires_in;

	if (!json_get_integer(doc, "expires_in", &expires_in) || expires_in <= 0
	    || expires_in > EXPIRES_IN_MAX)
		return fault(ctx, FAULT_UNAVAILABLE, "the reply contains no usable expires_in");
	tokens->expires_at = time(NULL) + (time_t)expires_in;
	return copy_token(ctx, doc, "access_token", &tokens->access_token)
	    && copy_token(ctx, doc, "refresh_token", &tokens->refresh_token);
}

static bool
write_token_request(struct ctx *ctx, const struct config *cfg, const char *grant_type,
    const char *grant_name, const char *grant, const char **body)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addch(&sb, '{');
	json_add_member(&sb, "client_id", cfg->amocrm.client_id);
	json_add_member(&sb, "client_secret", cfg->amocrm.client_secret);
	json_add_member(&sb, "grant_type", grant_type);
	json_add_member(&sb, grant_name, grant);
	json_add_member(&sb, "redirect_uri", cfg->amocrm.redirect_uri);
	strbuf_addch(&sb, '}');
	return strbuf_finish(&sb, body);
}

static bool
request_tokens(struct ctx *ctx, const struct config *cfg, const char *host, const char *body,
    enum budget_share share, int64_t deadline_ms, struct tokens *tokens, struct budget_turn *turn)
{
	const struct amocrm_call call = { "POST", host, "/oauth2/access_token", NULL, body,
		deadline_ms, share };
	struct json_object *doc;
	bool ok;

	if (!amocrm_call_in_turn(ctx, cfg, &call, &doc, turn))
		return false;
	ok = read_tokens(ctx, doc, tokens);
	json_object_put(doc);
	if (!ok)
		budget_end(ctx, cfg, turn);
	return ok;
}

bool
amocrm_exchange(struct ctx *ctx, const struct config *cfg, const char *host, const char *code,
    enum budget_share share, int64_t deadline_ms, struct tokens *tokens, struct budget_turn *turn)
{
	const char *body;

	return write_token_request(ctx, cfg, "authorization_code", "code", code, &body)
	    && request_tokens(ctx, cfg, host, body, share, deadline_ms, tokens, turn);
}

bool
amocrm_refresh(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *refresh_token, int64_t deadline_ms, struct tokens *tokens, struct budget_turn *turn)
{
	const char *body;

	return write_token_request(ctx, cfg, "refresh_token", "refresh_token", refresh_token, &body)
	    && request_tokens(ctx, cfg, host, body, BUDGET_OWN_STATE, deadline_ms, tokens, turn);
}
