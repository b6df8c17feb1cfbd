/* app_token.h - the app's token as it should be, and how one is judged; for the tests of jwt.
 *
 * Whatever an attacker could not have signed is signed all the same: the tests ask whether it is
 * refused for what it is, not for its signature.
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

/* why NULL: the token is good, and user's.  Else it is refused, and why is part of the reason. */
static inline void
judge(const char *label, struct ctx *ctx, const struct jwt_config *cfg, const char *token,
    const char *why, const char *user)
{
	const char *got = NULL;
	bool ok = jwt_verify(ctx, cfg, token, &got);

	same_fault(label, ctx, ok, why == NULL ? FAULT_NONE : FAULT_TOKEN);
	if (why == NULL) {
		same_text(label, got, user);
		return;
	}
	has_text(label, ctx->reason, why);
	has_no_text(label, ctx->reason, SECRET);
	if (strlen(token) > 20)
		has_no_text(label, ctx->reason, token + strlen(token) - 20);
}

static inline void
judge_parts(const char *label, const struct jwt_config *cfg, const char *header, const char *claims,
    const char *why, const char *user)
{
	struct ctx ctx;

	open_ctx(&ctx);
	judge(label, &ctx, cfg, token_of(&ctx, &app, header, claims), why, user);
	ctx_close(&ctx);
}

#endif
