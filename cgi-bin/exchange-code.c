/* exchange-code.c - the app presents the code from its deep link, and its user gets the connection.
 *
 *   app -- POST code, state; Bearer JWT -->  exchange-code
 *                                            exchange-code  -- POST code, secret -->  amoCRM
 *                                            exchange-code  <-- tokens -------------  amoCRM
 *   app <-- connected ---------------------  exchange-code
 *
 * Usually the callback has exchanged the code a second before, and amoCRM is not called: the
 * connection is only claimed.
 */
#include "connection/authorize.h"
#include "connection/connection.h"
#include "crypto/jwt.h"
#include "crypto/keyring.h"
#include "crypto/oauth_state.h"
#include "text/form.h"
#include "text/json.h"
#include "web/serve.h"

#include <string.h>

#define BODY_MAX    32768 /* bytes; three values, each byte percent-encoded */
#define CODE_MAX    4096  /* as in callback.c */
#define STATE_MAX   2048
#define REFERER_MAX 1024

struct presented_code {
	const char *app_user; /* presents it */
	const char *code;
	const char *state;   /* or NULL */
	const char *referer; /* or NULL */
};

enum { CODE, STATE, REFERER, FIELDS };

/* The fields as members of a JSON object; null counts as absent. */
static bool
read_json(struct ctx *ctx, const char *body, size_t len, struct form_field field[FIELDS])
{
	struct json_object *doc = json_parse_strict(body, len);
	bool ok = json_object_is_type(doc, json_type_object);

	for (size_t i = 0; ok && i < FIELDS; i++) {
		const char *value = json_get_string(doc, field[i].name);
		struct json_object *member;

		if (value == NULL)
			ok = !json_object_object_get_ex(doc, field[i].name, &member)
			    || member == NULL;
		else
			ok = strlen(value) <= field[i].max
			    && ctx_strndup(ctx, value, strlen(value), &field[i].value);
	}
	json_object_put(doc);
	return ok
	    || fault(ctx, FAULT_REQUEST, "the body is not a JSON object with code, state, referer");
}

static bool
read_fields(struct ctx *ctx, const struct request *req, struct form_field field[FIELDS])
{
	enum media media = request_media(req);
	const char *body;
	size_t len;

	if (media == MEDIA_OTHER)
		return fault(ctx, FAULT_MEDIA, "the body is neither a form nor JSON");
	if (!request_body(ctx, req, BODY_MAX, &body, &len))
		return false;
	if (len == 0)
		return true;
	if (media == MEDIA_JSON)
		return read_json(ctx, body, len, field);
	return strlen(body) == len ? form_parse(ctx, body, field, FIELDS)
				   : fault(ctx, FAULT_REQUEST, "a NUL in the body");
}

static bool
read_code(struct ctx *ctx, const struct request *req, struct presented_code *presented)
{
	struct form_field field[FIELDS] = {
		[CODE] = { .name = "code", .max = CODE_MAX },
		[STATE] = { .name = "state", .max = STATE_MAX },
		[REFERER] = { .name = "referer", .max = REFERER_MAX },
	};

	if (!read_fields(ctx, req, field))
		return false;
	presented->code = field[CODE].value;
	presented->state = field[STATE].value;
	presented->referer = field[REFERER].value;
	if (presented->code == NULL || presented->code[0] == '\0')
		return fault(ctx, FAULT_MISSING_CODE, "the body has no code");
	return authorize_check_code(ctx, presented->code);
}

/* A state of ours must be the caller's own.  Where states are signed, a new code must come with it:
 * otherwise the app would accept a code that an attacker injects (RFC 6749 section 10.12). */
static bool
check_state(struct ctx *ctx, const struct config *cfg, const struct presented_code *presented,
    bool known, bool *ours)
{
	const struct keyring *ring;
	const char *state_user = NULL;

	*ours = false;
	if (presented->state != NULL
	    && (!keyring_read(ctx, cfg->store.keys, &ring)
		|| !oauth_state_read(ctx, ring, presented->state, ours, &state_user)))
		return false;
	if (*ours && strcmp(state_user, presented->app_user) != 0)
		return fault(ctx, known ? FAULT_CLAIMED : FAULT_REQUEST,
		    "the state belongs to another app user");
	if (!*ours && !known && cfg->app.state == STATE_SIGNED)
		return fault(ctx, FAULT_REQUEST,
		    "the code is new, and was sent without the caller's own state");
	return true;
}

static bool
claim_code(struct ctx *ctx, const struct config *cfg, const struct presented_code *presented)
{
	struct grant grant = { .code = presented->code,
		.reserved_for = presented->app_user,
		.claimant = presented->app_user };
	enum code_knowledge known;
	bool own_state;

	if (!authorize_known(ctx, cfg, presented->code, &known)
	    || !check_state(ctx, cfg, presented, known != CODE_NEW, &own_state))
		return false;
	grant.share = own_state ? BUDGET_OWN_STATE : BUDGET_APP;
	if (known == CODE_NEW
	    && !authorize_host(ctx, &cfg->amocrm, presented->referer, &grant.host))
		return false;
	return authorize(ctx, cfg, &grant, cfg->amocrm.timeout * INT64_C(1000));
}

static bool
answer(struct ctx *ctx, const struct config *cfg, const char *app_user, struct response *res)
{
	struct connection connection;
	const char *json;
	bool found;

	if (!connection_find_by_user(ctx, cfg, app_user, &found, &connection))
		return false;
	if (!found || !connection_usable(&connection))
		return fault(
		    ctx, FAULT_REFUSED, "the code's connection was revoked; connect again");
	return connection_status_json(ctx, cfg, &connection, NULL, &json)
	    && respond_success(ctx, "AMO CRM successfully connected", json, res);
}

static bool
exchange_code(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct presented_code presented = { 0 };
	const char *token;

	return request_bearer(ctx, req, &token)
	    && jwt_verify(ctx, &cfg->jwt, token, &presented.app_user)
	    && read_code(ctx, req, &presented) && claim_code(ctx, cfg, &presented)
	    && answer(ctx, cfg, presented.app_user, res);
}

int
main(void)
{
	static const struct program program = { "exchange-code", METHOD_POST, exchange_code, NULL };

	return serve(&program);
}
