/* disconnect.c - the app, or amoCRM, ends a connection.
 *
 *   app    -- POST or DELETE, Bearer JWT ------------>  disconnect   erases the app user's
 *   amoCRM -- GET client_uuid, account_id, signature ->  disconnect   revokes the account's
 */
#include "amocrm/disconnect_hook.h"
#include "connection/connection.h"
#include "crypto/jwt.h"
#include "web/serve.h"

static bool
forget_mine(
    struct work *w, const struct config *cfg, const struct request *req, struct response *res)
{
	const char *app_user;

	return jwt_verify(w, &cfg->jwt, req->bearer, &app_user)
	    && connection_erase_of(w, cfg, app_user)
	    && respond_success(w, "AMO CRM disconnected", NULL, res);
}

/* The connections of the account are kept, but not used until it is authorized anew. */
static bool
disconnect_account(
    struct work *w, const struct config *cfg, const struct request *req, struct response *res)
{
	int64_t account_id;

	return disconnect_hook_verify(w, &cfg->amocrm, req->query, &account_id)
	    && connection_revoke_account(w, cfg, account_id)
	    && respond_success(w, "AMO CRM disconnected", NULL, res);
}

static bool
disconnect(
    struct work *w, const struct config *cfg, const struct request *req, struct response *res)
{
	return req->method == METHOD_GET ? disconnect_account(w, cfg, req, res)
					 : forget_mine(w, cfg, req, res);
}

int
main(void)
{
	static const struct program program = { "disconnect",
		METHOD_GET | METHOD_POST | METHOD_DELETE, disconnect, NULL };

	return serve(&program);
}
