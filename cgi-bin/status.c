/* status.c - the app asks whether its user is connected, and how to become so.
 *
 *   app -- GET, Bearer JWT ----------------------->  status
 *   app <-- connected, domain, or authorizeUrl ----  status
 */
#include "connection/status.h"
#include "base/strbuf.h"
#include "connection/connection.h"
#include "crypto/jwt.h"
#include "crypto/keyring.h"
#include "crypto/oauth_state.h"
#include "text/form.h"
#include "web/serve.h"

#include <string.h>

/* Where the browser goes to consent; the state it takes along names the app user. */
static bool
authorize_url(struct ctx *ctx, const struct config *cfg, const char *app_user, const char **url)
{
	const struct keyring *ring;
	const char *state;
	struct strbuf sb;

	if (!keyring_read(ctx, cfg->store.keys, &ring)
	    || !oauth_state_make(ctx, ring, app_user, &state))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, cfg->amocrm.authorize_url);
	strbuf_addstr(
	    &sb, strchr(cfg->amocrm.authorize_url, '?') == NULL ? "?client_id=" : "&client_id=");
	form_add_encoded(&sb, cfg->amocrm.client_id);
	strbuf_addstr(&sb, "&state=");
	form_add_encoded(&sb, state);
	strbuf_addstr(&sb, "&mode=popup");
	return strbuf_finish(&sb, url);
}

static bool
tell(struct ctx *ctx, const struct config *cfg, const char *app_user,
    const struct connection *connection, struct response *res)
{
	bool usable = connection != NULL && connection_usable(connection);
	const char *url = NULL;
	const char *data;

	return (usable || authorize_url(ctx, cfg, app_user, &url))
	    && status_data(ctx, cfg, connection, url, &data)
	    && respond_success(ctx, NULL, data, res);
}

static bool
status(struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	struct connection connection;
	const char *app_user;
	bool found;

	return jwt_verify(ctx, &cfg->jwt, req->bearer, &app_user)
	    && connection_find_by_user(ctx, cfg, app_user, &found, &connection)
	    && tell(ctx, cfg, app_user, found ? &connection : NULL, res);
}

int
main(void)
{
	static const struct program program = { "status", METHOD_GET | METHOD_HEAD, status, NULL };

	return serve(&program);
}
