/* oauth_state.c - see oauth_state.h. */
#include "crypto/oauth_state.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "crypto/jws.h"
#include "text/json.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define PURPOSE "amo-crm state"
#define ID_SIZE 16 /* bytes; as a random UUID */

static bool
write_header(struct ctx *ctx, const struct key *key, const char **header)
{
	return ctx_printf(ctx, header, "{\"typ\":\"%s\",\"alg\":\"%s\",\"kid\":\"%s\"}", STATE_TYPE,
	    jws_hs256.name, key->kid);
}

/* The random id makes each state unique, also those of one user in one second.  It is read with
 * getentropy, since RAND_bytes would initialise OpenSSL's providers. */
static bool
write_claims(struct ctx *ctx, const char *app_user, const char **claims)
{
	uint8_t id[ID_SIZE];
	struct strbuf sb;

	if (getentropy(id, sizeof id) != 0)
		return fault(ctx, FAULT_SERVER, "the system provides no random bytes");
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":");
	json_add_string(&sb, app_user);
	strbuf_addf(&sb, ",\"exp\":%lld,\"jti\":\"", (long long)time(NULL) + STATE_LIFE_S);
	base64url_encode(&sb, id, sizeof id);
	strbuf_addstr(&sb, "\"}");
	return strbuf_finish(&sb, claims);
}

static bool
sign(struct ctx *ctx, const struct key *key, const char *header, const char *claims,
    const char **token)
{
	uint8_t derived[KEY_SIZE];
	const struct jws_key jws_key = { .secret = derived, .secret_len = sizeof derived };
	bool ok;

	key_derive(key, PURPOSE, derived);
	ok = jws_sign(ctx, &jws_hs256, &jws_key, header, claims, token);
	explicit_bzero(derived, sizeof derived);
	return ok;
}

bool
oauth_state_make(
    struct ctx *ctx, const struct keyring *ring, const char *app_user, const char **state)
{
	const struct key *key = &ring->keys[0];
	const char *header;
	const char *claims;

	if (!write_header(ctx, key, &header) || !write_claims(ctx, app_user, &claims)
	    || !sign(ctx, key, header, claims, state))
		return false;
	return strlen(*state) <= OAUTH_STATE_MAX
	    || fault(ctx, FAULT_SERVER, "a signed state would be over %d bytes", OAUTH_STATE_MAX);
}

static bool
read_user(struct ctx *ctx, const struct json_object *claims, bool *ours, const char **app_user)
{
	const char *audience = json_get_string(claims, "aud");
	const char *user = json_get_string(claims, "sub");
	int64_t expires;

	*ours = audience != NULL && strcmp(audience, STATE_AUDIENCE) == 0 && user != NULL
	    && user[0] != '\0' && json_get_integer(claims, "exp", &expires) && expires > time(NULL);
	return !*ours || ctx_strndup(ctx, user, strlen(user), app_user);
}

/* Returns the claims of a state that was signed with a key of the ring.  NULL without a fault: it
 * was not. */
static struct json_object *
verify_state(struct ctx *ctx, const struct keyring *ring, const char *state)
{
	const struct key *key;
	uint8_t derived[KEY_SIZE];
	struct jws jws;
	bool verified;

	if (!jws_parse(ctx, state, OAUTH_STATE_MAX, &jws_hs256, &jws) || jws.type == NULL
	    || strcmp(jws.type, STATE_TYPE) != 0 || jws.kid == NULL
	    || (key = keyring_find(ring, jws.kid, strlen(jws.kid))) == NULL)
		return NULL;
	key_derive(key, PURPOSE, derived);
	verified = jws_verify(
	    ctx, &jws, &(struct jws_key){ .secret = derived, .secret_len = sizeof derived });
	explicit_bzero(derived, sizeof derived);
	return verified ? jws_claims(ctx, &jws) : NULL;
}

bool
oauth_state_read(struct ctx *ctx, const struct keyring *ring, const char *state, bool *ours,
    const char **app_user)
{
	/* ctx may hold a fault already, whose error page needs the state too */
	enum fault_kind before = ctx->kind;
	struct json_object *claims = state == NULL ? NULL : verify_state(ctx, ring, state);
	bool ok;

	*ours = false;
	if (claims == NULL)
		return ctx->kind == before;
	ok = read_user(ctx, claims, ours, app_user);
	json_object_put(claims);
	return ok;
}
