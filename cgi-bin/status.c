/* status.c - the app asks whether its user is connected and, if not, where to authorize.
 *
 *   app -- GET, Bearer JWT -------------------->  status
 *   app <-- connected, domain, authorizeUrl ----  status
 */
#include "amocrm/amocrm.h"
#include "connection/connection.h"
#include "crypto/jwt.h"
#include "crypto/keyring.h"
#include "crypto/oauth_state.h"
#include "web/serve.h"

/* The URL where the app user consents, with a state that names them. */
static bool
authorize_url(struct ctx *ctx, const struct config *cfg, const char *app_user, const char **url)
{
	const struct keyring *ring;
	const char *state;

	return keyring_read(ctx, cfg->store.keys, &ring)
	    && oauth_state_make(ctx, ring, app_user, &state)
	    && amocrm_authorize_url(ctx, &cfg->amocrm, state, url);
}

static bool
answer(struct ctx *ctx, const struct config *cfg, const char *app_user,
    const struct connection *connection, struct response *res)
{
	bool usable = connection != NULL && connection_usable(connection);
	const char *url = NULL;
	const char *json;

	return (usable || authorize_url(ctx, cfg, app_user, &url))
	    && connection_status_json(ctx, cfg, connection, url, &json)
	    && respond_success(ctx, NULL, json, res);
}

static bool
status(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct connection connection;
	const char *app_user;
	const char *token;
	bool found;

	return request_bearer(ctx, req, &token) && jwt_verify(ctx, &cfg->jwt, token, &app_user)
	    && connection_find_by_user(ctx, cfg, app_user, &found, &connection)
	    && answer(ctx, cfg, app_user, found ? &connection : NULL, res);
}

int
main(void)
{
	static const struct program program = { "status", METHOD_GET | METHOD_HEAD, status, NULL };

	return serve(&program);
}
