/* fuzz_jwt.c - the app's token, and our own signed states.
 *
 * Input: a token; or a header and claims, each on its line, which are signed here so that the
 * checks behind the signature are reached.
 */
#include "fuzz.h"

#include "base/utf8.h"
#include "config/config.h"
#include "crypto/jws.h"
#include "crypto/jwt.h"
#include "crypto/oauth_state.h"

#define SECRET  "a secret of the app's, over 32 bytes long"
#define PURPOSE "amo-crm state" /* oauth_state.c */

static bool
has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static bool
is_utf8(const char *s)
{
	size_t n;

	for (size_t left = strlen(s); left > 0; s += n, left -= n)
		if ((n = utf8_sequence_len(s, left)) == 0)
			return false;
	return true;
}

static void
check_token(struct ctx *ctx, const char *token, bool is_signed, bool with_claims_of_all)
{
	struct jwt_config cfg = { .algorithm = JWT_HS256,
		.secret = SECRET,
		.user_claim = "sub",
		.leeway = 60,
		.issuer = with_claims_of_all ? "i" : NULL,
		.audience = with_claims_of_all ? "a" : NULL };
	const char *user = NULL;
	bool ok = jwt_verify(ctx, &cfg, token, &user);

	MUST(ok == (ctx->kind == FAULT_NONE));
	MUST(ok || ctx->kind == FAULT_TOKEN || ctx->kind == FAULT_SERVER);
	MUST(ok == (user != NULL));
	MUST(!ok || is_signed);
	MUST(!ok || (user[0] != '\0' && strlen(user) <= JWT_USER_MAX && !has_control(user)));
	ctx_clear_fault(ctx);
}

static void
check_state(struct ctx *ctx, const struct keyring *ring, const char *state, bool is_signed)
{
	const char *user = NULL;
	bool ours = false;

	MUST(oauth_state_read(ctx, ring, state, &ours, &user) || ctx->kind == FAULT_SERVER);
	MUST(!ours || is_signed);
	MUST(!ours || (user != NULL && user[0] != '\0'));
	ctx_clear_fault(ctx);
}

/* A token with this header and these claims, as they are. */
static const char *
sign(struct ctx *ctx, const void *secret, size_t len, const char *header, const char *claims)
{
	const struct jws_key key = { .secret = secret, .secret_len = len };
	const char *token;

	return jws_sign(ctx, &jws_hs256, &key, header, claims, &token) ? token : "";
}

/* A state that we make is ours, and not a token of the app, whatever its user is called. */
static void
check_own_state(struct ctx *ctx, const struct keyring *ring, const char *user)
{
	const char *state;
	const char *read;
	bool ours;

	if (user[0] == '\0' || has_control(user) || !is_utf8(user)
	    || !oauth_state_make(ctx, ring, user, &state)) {
		ctx_clear_fault(ctx);
		return;
	}
	MUST(oauth_state_read(ctx, ring, state, &ours, &read));
	MUST(ours && strcmp(read, user) == 0);
	check_token(ctx, state, false, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct keyring ring = { .keys = { { "k1", { 1, 2, 3 } } }, .count = 1 };
	struct fuzz_parts parts = { data, size };
	char *first = fuzz_line(&parts);
	char *second = fuzz_line(&parts);
	uint8_t derived[KEY_SIZE];
	struct ctx ctx;

	MUST(ctx_open(&ctx, 1 << 20));
	check_token(&ctx, first, false, false);
	check_state(&ctx, &ring, first, false);
	check_own_state(&ctx, &ring, second);
	for (int all = 0; all < 2; all++)
		check_token(
		    &ctx, sign(&ctx, SECRET, strlen(SECRET), first, second), true, all == 1);
	key_derive(&ring.keys[0], PURPOSE, derived);
	check_state(&ctx, &ring, sign(&ctx, derived, sizeof derived, first, second), true);
	ctx_close(&ctx);
	free(second);
	free(first);
	return 0;
}
