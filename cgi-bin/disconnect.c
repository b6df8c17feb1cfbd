/* disconnect.c - the app or amoCRM ends a connection.
 *
 *   app    -- POST or DELETE, Bearer JWT ------------->  disconnect   erases the app user's
 *   amoCRM -- GET client_uuid, account_id, signature -->  disconnect   revokes the account's
 */
#include "amocrm/disconnect_hook.h"
#include "connection/connection.h"
#include "crypto/jwt.h"
#include "web/serve.h"

static bool
erase_own(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	const char *app_user;
	const char *token;

	return request_bearer(ctx, req, &token) && jwt_verify(ctx, &cfg->jwt, token, &app_user)
	    && connection_erase_by_user(ctx, cfg, app_user)
	    && respond_success(ctx, "AMO CRM disconnected", NULL, res);
}

/* The account's connections are kept, but not used before a new authorization. */
static bool
revoke_account(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	int64_t account_id;

	return disconnect_hook_verify(ctx, &cfg->amocrm, req->query, &account_id)
	    && connection_revoke_account(ctx, cfg, account_id)
	    && respond_success(ctx, "AMO CRM disconnected", NULL, res);
}

static bool
disconnect(
    struct ctx *ctx, const struct config *cfg, const struct request *req, struct response *res)
{
	return req->method == METHOD_GET ? revoke_account(ctx, cfg, req, res)
					 : erase_own(ctx, cfg, req, res);
}

int
main(void)
{
	static const struct program program = { "disconnect",
		METHOD_GET | METHOD_POST | METHOD_DELETE, disconnect, NULL };

	return serve(&program);
}
