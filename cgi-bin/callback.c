/* callback.c - the redirect_uri: amoCRM redirects the browser here, and it goes on to the app.
 *
 *   browser -- GET code, state, referer --------->  callback
 *                                                   callback  -- POST code, secret -->  amoCRM
 *                                                   callback  <-- tokens -------------  amoCRM
 *                                                   (tokens are on disk)
 *   browser <-- page that opens the deep link ----  callback
 *
 *   browser -- GET error, state ----------------->  callback
 *   browser <-- page that opens the deep link ----  callback
 *
 * When the integration is installed inside amoCRM, amoCRM's server requests this URL itself,
 * without a browser ("install call"); the reply is plain text.  It sends from_widget or
 * from_exchange, and no state; in 2021 it sent a state of its own and neither of them, so that only
 * its user agent told the call from a browser's.
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
#define STATE_MAX   2048 /* a signed state has under 300 */
#define REFERER_MAX 1024 /* longer than any host, so that a wrong one is logged */
#define ERROR_MAX   4096
#define ID_MAX      128
#define FLAG_MAX    128

/* amoCRM's server waits 3 seconds for the reply to an install call, and does not retry. */
#define INSTALL_LIMIT_MS 2500

/* The query (RFC 6749 section 4.1.2, and amoCRM's additions); absent parameters are NULL. */
struct authorization_response {
	const char *code;
	const char *state;
	const char *referer;
	const char *client_id;
	const char *error;
	bool installing; /* an install call */
};

/* RFC 6749 section 3.1: a parameter without a value is treated as if it were omitted. */
static const char *
unless_empty(const char *value)
{
	return value == NULL || *value == '\0' ? NULL : value;
}

/* Whether the request claims to come from amoCRM's server.  Anybody can claim that, and gets no
 * more for it than for from_widget. */
static bool
is_sender(const char *user_agent)
{
	static const char sender[] = "amoService-oAuth-Code-Sender/";

	return user_agent != NULL && strncmp(user_agent, sender, strlen(sender)) == 0;
}

/* False: the query is malformed; its well-formed parameters are filled in even then. */
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
	/* An absent referer means the pinned account.  An empty one must not, so it is left for
	 * authorize_host to refuse. */
	params->referer = field[REFERER].value;
	params->client_id = unless_empty(field[CLIENT_ID].value);
	params->error = unless_empty(field[ERROR].value);
	params->installing = ((unless_empty(field[FROM_WIDGET].value) != NULL
				  || unless_empty(field[FROM_EXCHANGE].value) != NULL)
				 && !field[STATE].seen)
	    || is_sender(req->user_agent);
	return ok;
}

static bool
check_client(struct ctx *ctx, const struct config *cfg, const struct authorization_response *params)
{
	if (params->client_id != NULL && strcmp(params->client_id, cfg->amocrm.client_id) != 0)
		return fault(ctx, FAULT_REQUEST, "client_id is not that of our integration");
	return true;
}

static bool
check_code(struct ctx *ctx, const struct authorization_response *params)
{
	if (params->code == NULL)
		return fault(ctx, FAULT_MISSING_CODE, "neither code nor error was sent");
	return authorize_check_code(ctx, params->code);
}

/* Whether `status` (status.c) issued the state, and for which app user. */
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

/* A code with a state of ours is reserved for the app user the state names.  Where states are
 * signed, any other state is refused: a user could be lured into consenting for somebody else
 * (RFC 6749 section 10.12).  There too, nobody can claim the connection of an install call, which
 * has no state of ours. */
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
		    ctx, FAULT_REQUEST, "the state is missing, expired, or was not issued by us");
	grant->unclaimable = is_signed && params->installing && !ours;
	grant->share = ours      ? BUDGET_OWN_STATE
	    : params->installing ? BUDGET_INSTALL
				 : BUDGET_STRANGER;
	return true;
}

/* The state that an error may be reported with: where states are signed, only one of ours. */
static const char *
error_state(struct ctx *ctx, const struct config *cfg, const struct authorization_response *params)
{
	const char *app_user;
	bool ours;

	if (cfg->app.state != STATE_SIGNED)
		return params->state;
	return read_own_state(ctx, cfg, params, &ours, &app_user) && ours ? params->state : NULL;
}

/* amoCRM's error code, or auth_failed if it does not look like one. */
static const char *
error_code(const char *error)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz_";
	size_t len = strspn(error, alphabet);

	return len >= 1 && len <= 64 && error[len] == '\0' ? error
							   : fault_response(FAULT_REFUSED)->code;
}

static bool
answer_amocrm_error(struct ctx *ctx, const struct config *cfg, const struct request *req,
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
answer_success(struct ctx *ctx, const struct config *cfg, const struct request *req,
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

/* A known code, as when the page is reloaded, is not exchanged again: codes are single-use. */
static bool
exchange(struct ctx *ctx, const struct config *cfg, const struct grant *grant)
{
	int64_t limit_ms = cfg->amocrm.timeout * INT64_C(1000);
	enum code_knowledge known;

	return authorize_known(ctx, cfg, grant->code, &known)
	    && (known == CODE_CONNECTED || authorize(ctx, cfg, grant, limit_ms));
}

/* HEAD is safe, so it exchanges nothing.  For a new code it answers as if amoCRM accepted the code,
 * without the Location: RFC 9110 section 9.3.2 lets HEAD leave out what only GET finds out. */
static bool
answer_head(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, struct response *res)
{
	enum code_knowledge known;

	if (!authorize_known(ctx, cfg, params->code, &known))
		return false;
	if (known == CODE_CONNECTED || params->installing || cfg->app.redirect != REDIRECT_302)
		return answer_success(ctx, cfg, req, params, res);
	return app_redirect(ctx, cfg, req, PAGE_CONNECTED, NULL, res);
}

/* began_ms is when the request came, by clock_ms. */
static bool
connect_account(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, int64_t began_ms, struct response *res)
{
	struct grant grant = { .code = params->code };

	if (!check_code(ctx, params) || !check_client(ctx, cfg, params)
	    || !authorize_host(ctx, &cfg->amocrm, params->referer, &grant.host)
	    || !check_state(ctx, cfg, params, &grant))
		return false;
	if (req->method == METHOD_HEAD)
		return answer_head(ctx, cfg, req, params, res);
	if (params->installing)
		grant.deadline_ms = began_ms + INSTALL_LIMIT_MS;
	/* composed first, so that a response that cannot be composed does not cost the code */
	return answer_success(ctx, cfg, req, params, res) && exchange(ctx, cfg, &grant);
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
	case FAULT_OTHER_ACCOUNT:
		return PAGE_WRONG_ACCOUNT;
	default:
		return PAGE_TRY_LATER;
	}
}

/* The deep link reports the failure to the app, with the state it belongs to.  An install call has
 * neither browser nor app: it gets the error as plain text, with status 200, since amoCRM ignores
 * the response and does not retry. */
static bool
answer_fault(struct ctx *ctx, const struct config *cfg, const struct request *req,
    const struct authorization_response *params, enum fault_kind kind, struct response *res)
{
	const struct fault_response *error = fault_response(kind);
	const char *link;
	const char *text;

	if (params->installing && ctx_printf(ctx, &text, "%s: %s\n", error->code, error->message)) {
		respond(res, 200, "text/plain; charset=utf-8", text);
		return true;
	}
	return deeplink_error(ctx, cfg->app.deep_link, error->code, error->message,
		   error_state(ctx, cfg, params), &link)
	    && app_redirect(ctx, cfg, req, page_of(kind), link, res);
}

static bool
callback(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct authorization_response params;
	int64_t began_ms = clock_ms();

	return (read_params(ctx, req, &params)
		   && (params.error != NULL
			   ? answer_amocrm_error(ctx, cfg, req, &params, res)
			   : connect_account(ctx, cfg, req, &params, began_ms, res)))
	    || answer_fault(ctx, cfg, req, &params, ctx->kind, res);
}

/* The configuration or the request could not be read, and callback was not called.  Also called
 * when callback could not compose its own error response. */
static bool
on_error(struct ctx *ctx, const struct config *cfg, const struct request *req, enum fault_kind kind,
    struct response *res)
{
	struct authorization_response params;

	(void)read_params(ctx, req, &params);
	return answer_fault(ctx, cfg, req, &params, kind, res);
}

int
main(void)
{
	static const struct program program = { "callback", METHOD_GET | METHOD_HEAD, callback,
		on_error };

	return serve(&program);
}
