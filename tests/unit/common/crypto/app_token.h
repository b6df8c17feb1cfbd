/* app_token.h - a valid token of the app, and checks of jwt_verify's result; for the tests of jwt.
 *
 * The tests sign every token correctly, also those that an attacker could not sign, so that it is
 * refused for its content and not for its signature.
 */
#ifndef APP_TOKEN_H
#define APP_TOKEN_H

#include "tokens.h"

#include "config/config.h"
#include "crypto/jwt.h"
#include "crypto/oauth_state.h"

#define SECRET "a secret of the app's, over 32 bytes long"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define CLAIMS "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}"

static const struct signer app = { "HS256", SECRET, sizeof SECRET - 1, NULL };

static inline struct jwt_config
app_config(void)
{
	return (struct jwt_config){
		.algorithm = JWT_HS256, .secret = SECRET, .user_claim = "sub", .leeway = 60
	};
}

/* If reason is NULL, the token must be valid, and name user.  Otherwise it must be refused, and
 * ctx->reason must contain reason. */
static inline void
check_token(const char *label, struct ctx *ctx, const struct jwt_config *cfg, const char *token,
    const char *reason, const char *user)
{
	const char *got = NULL;
	bool ok = jwt_verify(ctx, cfg, token, &got);

	same_fault(label, ctx, ok, reason == NULL ? FAULT_NONE : FAULT_TOKEN);
	if (reason == NULL) {
		same_text(label, got, user);
		return;
	}
	has_text(label, ctx->reason, reason);
	has_no_text(label, ctx->reason, SECRET);
	if (strlen(token) > 20)
		has_no_text(label, ctx->reason, token + strlen(token) - 20);
}

static inline void
check_parts(const char *label, const struct jwt_config *cfg, const char *header, const char *claims,
    const char *reason, const char *user)
{
	struct ctx ctx;

	open_ctx(&ctx);
	check_token(label, &ctx, cfg, token_of(&ctx, &app, header, claims), reason, user);
	ctx_close(&ctx);
}

#endif
