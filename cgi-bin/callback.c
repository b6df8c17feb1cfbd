/* callback.c - amoCRM sends the browser back here; it goes on into the app.
 *
 *   browser -- GET code, state, referer --------->  callback
 *                                                   callback  -- POST code, secret -->  amoCRM
 *                                                   callback  <-- tokens -------------  amoCRM
 *                                                   (tokens on disk)
 *   browser <-- page that opens the deep link ----  callback
 *
 * Installing the integration inside amoCRM makes amoCRM itself call, without a browser or a state;
 * it gets a plain text.
 */
#include "base/clock.h"
#include "base/log.h"
#include "connection/authorize.h"
#include "crypto/keyring.h"
#include "crypto/oauth_state.h"
#include "redirect/app_redirect.h"
#include "redirect/deeplink.h"
#include "text/form.h"
#include "web/serve.h"

#include <string.h>

#define CODE_MAX    4096 /* bytes; amoCRM's codes are about 1 KB */
#define STATE_MAX   2048 /* a signed state is under 300 */
#define REFERER_MAX 1024 /* longer than any host, so that what is wrong with it is logged */
#define ERROR_MAX   4096
#define ID_MAX      128
#define FLAG_MAX    128

/* amoCRM's server waits 3 seconds for the answer to an install call and never repeats it. */
#define INSTALL_LIMIT_MS 2500

/* What the query says (RFC 6749 section 4.1.2, and amoCRM); NULL for what it does not. */
struct authorization_response {
	const char *code;
	const char *state;
	const char *referer;
	const char *client_id;
	const char *error;
	bool installing;
};

/* RFC 6749 section 3.1: a parameter without a value is treated as if it were omitted. */
static const char *
unless_empty(const char *value)
{
	return value == NULL || *value == '\0' ? NULL : value;
}

/* False: the query is malformed; what is sound by itself is there even then. */
static bool
read_params(struct ctx *ctx, const struct request *req, struct authorization_response *params)
{
	enum {
		CODE,
		STATE,
		REFERER,
		CLIENT_ID,
		ERROR,
		PLATFORM,
		FROM_WIDGET,
		FROM_EXCHANGE,
		FIELDS
	};
	struct form_field field[FIELDS] = {
		[CODE] = { .name = "code", .max = CODE_MAX },
		[STATE] = { .name = "state", .max = STATE_MAX },
		[REFERER] = { .name = "referer", .max = REFERER_MAX },
		[CLIENT_ID] = { .name = "client_id", .max = ID_MAX },
		[ERROR] = { .name = "error", .max = ERROR_MAX },
		[PLATFORM] = { .name = "platform", .max = FLAG_MAX },
		[FROM_WIDGET] = { .name = "from_widget", .max = FLAG_MAX },
		[FROM_EXCHANGE] = { .name = "from_exchange", .max = FLAG_MAX },
	};
	bool ok = form_parse(ctx, req->query, field, FIELDS);

	params->code = unless_empty(field[CODE].value);
	params->state = unless_empty(field[STATE].value);
	params->referer = field[REFERER].value; /* an empty one is a host that is not allowed */
	params->client_id = unless_empty(field[CLIENT_ID].value);
	params->error = unless_empty(field[ERROR].value);
	params->installing = (unless_empty(field[FROM_WIDGET].value) != NULL
				 || unless_empty(field[FROM_EXCHANGE].value) != NULL)
	    && !field[STATE].seen;
	return ok;
}

static bool
check_client(struct ctx *ctx, const struct config *cfg, const struct authorization_response *params)
{
	if (params->client_id != NULL && strcmp(params->client_id, cfg->amocrm.client_id) != 0)
		return fault(ctx, FAULT_REQUEST, "client_id is not ours");
	return true;
}

static bool
check_code(struct ctx *ctx, const struct authorization_response *params)
{
	return params->code != NULL
	    || fault(ctx, FAULT_MISSING_CODE, "neither code nor error was sent");
}

/* Whether the state is one that status made, and for which app user. */
static bool
read_own_state(struct ctx *ctx, const struct config *cfg,
    const struct authorization_response *params, bool *ours, const char **app_user)
{
	const struct keyring *ring;

	*ours = false;
	return params->state == NULL || strchr(params->state, '.') == NULL
	    || (keyring_read(ctx, cfg->store.keys, &ring)
		&& oauth_state_read(ctx, ring, params->state, ours, app_user));
}

/* A code that comes with a state of ours is reserved for the app user it names.  Where states are
 * signed no other is let in, or somebody could be lured into consenting on another's behalf. */
static bool
check_state(struct ctx *ctx, const struct config *cfg, const struct authorization_response *params,
    struct grant *grant)
{
	bool is_signed = cfg->app.state == STATE_SIGNED;
	bool ours;

	if (!read_own_state(ctx, cfg, params, &ours, &grant->reserved_for))
		return false;
	if (is_signed && !ours && !params->installing)
		return fault(
		    ctx, FAULT_REQUEST, "the state is missing, expired, or not one that we made");
	grant->unclaimable = is_signed && params->installing;
	return true;
}

/* The state an error may be error with. */
static const char *
error_state(struct ctx *ctx, const struct config *cfg, const struct authorization_response *params)
{
	const char *app_user;
	bool ours;

	if (cfg->app.state != STATE_SIGNED)
		return params->state;
	return read_own_state(ctx, cfg, params, &ours, &app_user) && ours ? params->state : NULL;
}

/* The error amoCRM sent, or auth_failed for one that is no error code. */
static const char *
error_code(const char *error)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz_";
	size_t len = strspn(error, alphabet);

	return len >= 1 && len <= 64 && error[len] == '\0' ? error
							   : fault_response(FAULT_REFUSED)->code;
}

static bool
pass_on_error(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, struct response *res)
{
	const char *code = error_code(params->error);
	bool cancelled = strcmp(code, "access_denied") == 0;
	const char *link;

	log_note(ctx, "amocrm_error", code);
	return deeplink_error(ctx, cfg->app.deep_link, code,
		   cancelled ? "The user did not allow access."
			     : fault_response(FAULT_REFUSED)->message,
		   error_state(ctx, cfg, params), &link)
	    && app_redirect(ctx, cfg, req, cancelled ? PAGE_CANCELLED : PAGE_FAILED, link, res);
}

static bool
connected(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, struct response *res)
{
	const char *link;

	if (params->installing) {
		respond(res, 200, "text/plain; charset=utf-8", "connected\n");
		return true;
	}
	return deeplink_success(ctx, cfg->app.deep_link, params->code, params->state, &link)
	    && app_redirect(ctx, cfg, req, PAGE_CONNECTED, link, res);
}

/* A code that was seen already, as when the page is reloaded, needs nothing but its answer. */
static bool
exchange(struct ctx *ctx, const struct config *cfg, const struct grant *grant)
{
	int64_t limit_ms = cfg->amocrm.timeout * INT64_C(1000);
	bool known;

	return authorize_known(ctx, cfg, grant->code, &known)
	    && (known || authorize(ctx, cfg, grant, limit_ms));
}

/* HEAD exchanges nothing.  Of a code that nobody has seen it says what it would if amoCRM takes it,
 * but not where that leads: RFC 9110 section 9.3.2 leaves out what only GET would find. */
static bool
head(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, struct response *res)
{
	bool known;

	if (!authorize_known(ctx, cfg, params->code, &known))
		return false;
	if (known || params->installing || cfg->app.redirect != REDIRECT_302)
		return connected(ctx, cfg, req, params, res);
	return app_redirect(ctx, cfg, req, PAGE_CONNECTED, NULL, res);
}

static bool
callback(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct authorization_response params;
	struct grant grant = { 0 };
	int64_t began_ms = clock_ms();

	if (!read_params(ctx, req, &params))
		return false;
	if (params.error != NULL)
		return pass_on_error(ctx, cfg, req, &params, res);
	if (!check_code(ctx, &params) || !check_client(ctx, cfg, &params)
	    || !authorize_host(ctx, &cfg->amocrm, params.referer, &grant.host)
	    || !check_state(ctx, cfg, &params, &grant))
		return false;
	grant.code = params.code;
	if (req->method == METHOD_HEAD)
		return head(ctx, cfg, req, &params, res);
	if (params.installing)
		grant.deadline_ms = began_ms + INSTALL_LIMIT_MS;
	return exchange(ctx, cfg, &grant) && connected(ctx, cfg, req, &params, res);
}

static enum page_kind
page_of(enum fault_kind kind)
{
	switch (kind) {
	case FAULT_MISSING_CODE:
		return PAGE_NOTHING;
	case FAULT_REQUEST:
	case FAULT_REFUSED:
	case FAULT_CLIENT:
		return PAGE_FAILED;
	default:
		return PAGE_TRY_LATER;
	}
}

/* An error reaches the app with the state it belongs to. */
static bool
on_error(struct ctx *ctx, const struct config *cfg, const struct request *req, enum fault_kind kind,
    struct response *res)
{
	const struct fault_response *error = fault_response(kind);
	struct authorization_response params;
	const char *link;
	const char *text;

	(void)read_params(ctx, req, &params);
	if (params.installing && ctx_printf(ctx, &text, "%s: %s\n", error->code, error->message)) {
		respond(res, 200, "text/plain; charset=utf-8", text);
		return true;
	}
	return deeplink_error(ctx, cfg->app.deep_link, error->code, error->message,
		   error_state(ctx, cfg, &params), &link)
	    && app_redirect(ctx, cfg, req, page_of(kind), link, res);
}

int
main(void)
{
	static const struct program program = { "callback", METHOD_GET | METHOD_HEAD, callback,
		on_error };

	return serve(&program);
}
