/* test_oauth_state.c - the signed state parameter: only a state that we made is accepted, and never
 * as the app's token. */
#include "tokens.h"

#include "config/config.h"
#include "crypto/jwt.h"
#include "crypto/oauth_state.h"

#include <time.h>

#define PURPOSE "amo-crm state"
#define HEADER  "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k1\"}"
#define CLAIMS                                                                                     \
	"{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE ",\"jti\":\"x\"}"

static const struct keyring ring = {
	.keys = { { .kid = "k1", .secret = { 1, 1, 1, 1 } }, { .kid = "k2", .secret = { 2 } } },
	.count = 2,
};

static const char *
make_state(struct ctx *ctx, const struct keyring *by, const char *app_user)
{
	const char *state = NULL;

	if (!oauth_state_make(ctx, by, app_user, &state))
		fail_msg("no state for \"%s\": %s", app_user, ctx->reason);
	return state;
}

/* If user is NULL, the state must not be ours. */
static void
check_state(const char *label, struct ctx *ctx, const struct keyring *by, const char *state,
    const char *user)
{
	const char *got = NULL;
	bool ours;
	bool ok = oauth_state_read(ctx, by, state, &ours, &got);

	same_fault(label, ctx, ok, FAULT_NONE);
	DEMAND(label, ours == (user != NULL));
	same_text(label, got, user);
}

#define FIFTY_QUOTES                                                                               \
	"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"" \
	"\"\"\"\"\"\""

static void
reads_the_states_that_it_makes(void **state)
{
	static const struct {
		const char *label, *user;
	} table[] = {
		{ "a short name", "u1" },
		{ "digits", "42" },
		{ "Cyrillic", "\xd0\xae\xd0\xbb\xd1\x8f" },
		{ "a character outside the basic plane", "\xf0\x9f\x98\x80" },
		{ "spaces and slashes", " a/b\\c " },
		{ "JSON", "\",\"sub\":\"u2" },
		{ "a name of the maximum length, each byte escaped",
		    FIFTY_QUOTES FIFTY_QUOTES FIFTY_QUOTES },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *token;

		DEMAND(table[i].label, strlen(table[i].user) <= JWT_USER_MAX);
		open_ctx(&ctx);
		token = make_state(&ctx, &ring, table[i].user);
		DEMAND(table[i].label, strlen(token) < OAUTH_STATE_MAX);
		DEMAND(table[i].label,
		    token[strspn(token,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789-_.")]
			== '\0');
		check_state(table[i].label, &ctx, &ring, token, table[i].user);
		ctx_close(&ctx);
	}
}

/* JSON writes each byte of this user as six, and the key id has the maximum length. */
static void
limits_the_length_of_a_state(void **state)
{
	struct keyring long_kid = { .keys = { { .secret = { 1 } } }, .count = 1 };
	char user[OAUTH_STATE_MAX];
	size_t longest = 0;
	struct ctx ctx;

	(void)state;
	memset(long_kid.keys[0].kid, 'k', KEY_ID_MAX);
	open_ctx(&ctx);
	for (size_t len = 1; len < sizeof user && ctx.kind == FAULT_NONE; len++) {
		const char *token;

		memset(user, '\x01', len);
		user[len] = '\0';
		if (!oauth_state_make(&ctx, &long_kid, user, &token))
			continue;
		longest = len;
		DEMAND("within the limit", strlen(token) <= OAUTH_STATE_MAX);
		check_state("within the limit", &ctx, &long_kid, token, user);
	}
	same_number("one byte over the limit", ctx.kind, FAULT_SERVER);
	DEMAND("every user of jwt_verify is within the limit", longest >= JWT_USER_MAX);
	ctx_close(&ctx);
}

/* A state is valid for half an hour, has us as its audience, and is never the same twice. */
static void
writes_the_documented_claims(void **state)
{
	struct ctx ctx;
	struct jws jws;
	const char *token;
	struct json_object *claims;
	uint8_t derived[KEY_SIZE];
	int64_t exp = 0;
	int64_t before = time(NULL);

	(void)state;
	open_ctx(&ctx);
	token = make_state(&ctx, &ring, "u1");
	DEMAND("two states differ", strcmp(token, make_state(&ctx, &ring, "u1")) != 0);
	key_derive(&ring.keys[0], PURPOSE, derived);
	assert_true(jws_parse(&ctx, token, OAUTH_STATE_MAX, &jws_hs256, &jws));
	same_text("typ", jws.type, "amo-crm-state+jwt");
	same_text("kid", jws.kid, "k1");
	DEMAND("signed with the derived key",
	    jws_verify(
		&ctx, &jws, &(struct jws_key){ .secret = derived, .secret_len = sizeof derived }));
	claims = jws_claims(&ctx, &jws);
	same_text("aud", json_get_string(claims, "aud"), "amo-crm:state");
	same_text("sub", json_get_string(claims, "sub"), "u1");
	same_number("the length of jti", (long long)strlen(json_get_string(claims, "jti")), 22);
	assert_true(json_get_integer(claims, "exp", &exp));
	DEMAND("exp", exp >= before + 1800 && exp <= time(NULL) + 1800);
	json_object_put(claims);
	ctx_close(&ctx);
}

static void
verifies_with_every_key(void **state)
{
	const struct keyring before = { .keys = { ring.keys[1] }, .count = 1 };
	const struct keyring swapped = { .keys = { ring.keys[1], ring.keys[0] }, .count = 2 };
	struct keyring renamed = before;
	struct ctx ctx;
	const char *token;

	(void)state;
	renamed.keys[0].kid[1] = '1';
	open_ctx(&ctx);
	token = make_state(&ctx, &before, "u1");
	check_state("with the ring that made it", &ctx, &before, token, "u1");
	check_state("with a ring that has a new first key", &ctx, &ring, token, "u1");
	token = make_state(&ctx, &ring, "u1");
	check_state("with the second key of the ring", &ctx, &swapped, token, "u1");
	check_state("with a ring that no longer has its key", &ctx, &before, token, NULL);
	check_state("with another key of the same id", &ctx, &renamed, token, NULL);
	ctx_close(&ctx);
}

static void
refuses_every_change(void **state)
{
	struct ctx ctx;
	const char *token;
	size_t len;

	(void)state;
	open_ctx(&ctx);
	token = make_state(&ctx, &ring, "u1");
	len = strlen(token);
	for (size_t i = 0; i < len; i++)
		for (const char *c = "AZaz09-_.=~+/ \n"; *c != '\0'; c++) {
			size_t mark = arena_mark(&ctx);
			const char *copy;
			char *changed;

			if (token[i] == *c)
				continue;
			assert_true(ctx_alloc(&ctx, len + 1, &changed));
			memcpy(changed, token, len);
			changed[i] = *c;
			copy = changed;
			check_state("one character changed", &ctx, &ring, copy, NULL);
			changed[i] = '\0';
			check_state("truncated", &ctx, &ring, copy, NULL);
			arena_rewind(&ctx, mark);
		}
	ctx_close(&ctx);
}

/* Every state is signed with the derived key, so that only its header or its claims are wrong. */
static void
refuses_any_other_header_or_claims(void **state)
{
	static const struct {
		const char *label, *header, *claims, *user;
	} table[] = {
		{ "a state of ours", HEADER, CLAIMS, "u1" },
		{ "no typ", "{\"alg\":\"HS256\",\"kid\":\"k1\"}", CLAIMS, NULL },
		{ "typ of the app's token", "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}",
		    CLAIMS, NULL },
		{ "no kid", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\"}", CLAIMS, NULL },
		{ "an unknown kid", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k3\"}",
		    CLAIMS, NULL },
		{ "the kid of another key of the ring",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k2\"}", CLAIMS, NULL },
		{ "an empty kid", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"\"}",
		    CLAIMS, NULL },
		{ "a truncated kid", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k\"}",
		    CLAIMS, NULL },
		{ "a kid over the limit",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k1kkkkkkkkkkkkkkkkkkkk"
		    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\"}",
		    CLAIMS, NULL },
		{ "alg none", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"none\",\"kid\":\"k1\"}",
		    CLAIMS, NULL },
		{ "crit",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k1\",\"crit\":[]}",
		    CLAIMS, NULL },
		{ "no aud", HEADER, "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "aud of the app", HEADER,
		    "{\"aud\":\"app\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "aud is a list", HEADER,
		    "{\"aud\":[\"" STATE_AUDIENCE "\"],\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "no sub", HEADER, "{\"aud\":\"" STATE_AUDIENCE "\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "an empty sub", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "sub is a number", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":1,\"exp\":" FAR_FUTURE "}", NULL },
		{ "exp in the past", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":1000000000}", NULL },
		{ "no exp", HEADER, "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\"}", NULL },
		{ "exp is a string", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":\"" FAR_FUTURE "\"}",
		    NULL },
		{ "sub twice", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE
		    "\",\"sub\":\"u2\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "claims that are a list", HEADER, "[]", NULL },
	};
	uint8_t derived[KEY_SIZE];
	const struct signer by = { "HS256", derived, sizeof derived, NULL };

	(void)state;
	key_derive(&ring.keys[0], PURPOSE, derived);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		check_state(table[i].label, &ctx, &ring,
		    token_of(&ctx, &by, table[i].header, table[i].claims), table[i].user);
		ctx_close(&ctx);
	}
}

/* A state expires at its exp, without leeway, because only our own clock is involved. */
static void
expires_without_leeway(void **state)
{
	uint8_t derived[KEY_SIZE];
	const struct signer by = { "HS256", derived, sizeof derived, NULL };

	(void)state;
	key_derive(&ring.keys[0], PURPOSE, derived);
	for (int offset = -1; offset <= 20; offset += 21) {
		struct ctx ctx;
		const char *claims;

		open_ctx(&ctx);
		assert_true(ctx_printf(&ctx, &claims,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":%lld}",
		    (long long)time(NULL) + offset));
		check_state(offset < 0 ? "a second ago" : "in 20 seconds", &ctx, &ring,
		    token_of(&ctx, &by, HEADER, claims), offset < 0 ? NULL : "u1");
		ctx_close(&ctx);
	}
}

static void
refuses_texts_that_are_not_states(void **state)
{
	static const struct {
		const char *label, *state;
	} table[] = {
		{ "no state", NULL },
		{ "an empty text", "" },
		{ "a random text", "8f0c6a1e" },
		{ "only a dot", "." },
		{ "only two dots", ".." },
		{ "three parts", "a.b.c" },
		{ "JSON", "{\"sub\":\"u1\"}" },
		{ "UTF-8", "\xd1\x81\xd1\x82\xd0\xb0\xd0\xbd" },
	};
	struct ctx ctx;
	char *long_text;

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(table); i++)
		check_state(table[i].label, &ctx, &ring, table[i].state, NULL);
	assert_true(ctx_alloc(&ctx, 3 * OAUTH_STATE_MAX, &long_text));
	memset(long_text, 'A', 3 * OAUTH_STATE_MAX - 1);
	check_state("a text over the limit", &ctx, &ring, long_text, NULL);
	ctx_close(&ctx);
}

/* Signed with the key of the ring itself instead of the key derived for states. */
static void
refuses_a_signature_by_the_encryption_key(void **state)
{
	const struct signer by = { "HS256", ring.keys[0].secret, KEY_SIZE, NULL };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	check_state("the encryption key", &ctx, &ring, token_of(&ctx, &by, HEADER, CLAIMS), NULL);
	ctx_close(&ctx);
}

/* Makes a ring whose derived key is a string, so that it could be configured as the app's
 * secret. */
static struct keyring
text_ring(char secret[KEY_SIZE + 1])
{
	struct keyring text = { .keys = { { .kid = "k1" } }, .count = 1 };

	memset(secret, 0, KEY_SIZE + 1);
	while (strlen(secret) < KEY_SIZE) {
		text.keys[0].secret[0]++;
		key_derive(&text.keys[0], PURPOSE, (uint8_t *)secret);
	}
	return text;
}

static void
is_never_accepted_as_the_apps_token(void **state)
{
	static const struct {
		const char *label, *header, *claims, *reason; /* NULL: it is the app's token */
	} table[] = {
		{ "the app's token", "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}",
		    "{\"aud\":\"app\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "a state", HEADER, CLAIMS, "typ is" },
		{ "a state of the app's type", "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}",
		    CLAIMS, "aud is the audience of our own states" },
		{ "a state of no type", "{\"alg\":\"HS256\",\"kid\":\"k1\"}", CLAIMS,
		    "aud is the audience of our own states" },
		{ "a state for the app's audience", HEADER,
		    "{\"aud\":\"app\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", "typ is" },
	};
	char secret[KEY_SIZE + 1];
	const struct keyring same = text_ring(secret);
	const struct jwt_config cfg = {
		.algorithm = JWT_HS256, .secret = secret, .user_claim = "sub", .leeway = 60
	};
	const struct signer by = { "HS256", secret, KEY_SIZE, NULL };

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		bool is_app = table[i].reason == NULL;
		bool is_state = i == 1;
		const char *user = NULL;
		const char *token;
		struct ctx ctx;

		open_ctx(&ctx);
		token = token_of(&ctx, &by, table[i].header, table[i].claims);
		check_state(table[i].label, &ctx, &same, token, is_state ? "u1" : NULL);
		same_fault(table[i].label, &ctx, jwt_verify(&ctx, &cfg, token, &user),
		    is_app ? FAULT_NONE : FAULT_TOKEN);
		has_text(table[i].label, ctx.reason, is_app ? "" : table[i].reason);
		ctx_wipe(&ctx);
		same_fault("a state of oauth_state_make", &ctx,
		    jwt_verify(&ctx, &cfg, make_state(&ctx, &same, "u1"), &user), FAULT_TOKEN);
		ctx_close(&ctx);
	}
}

/* A fault is reported together with the state, when ctx already holds the fault. */
static void
reads_a_state_after_a_fault(void **state)
{
	struct ctx ctx;
	const char *token;
	const char *user = NULL;
	bool ours = false;

	(void)state;
	open_ctx(&ctx);
	token = make_state(&ctx, &ring, "u1");
	ctx_fault(&ctx, FAULT_REFUSED, "refused");
	DEMAND("our own state", oauth_state_read(&ctx, &ring, token, &ours, &user) && ours);
	same_text("our own state", user, "u1");
	DEMAND("a state that is not ours",
	    oauth_state_read(&ctx, &ring, "a.b.c", &ours, &user) && !ours);
	ctx_close(&ctx);
}

static bool
make_in_arena(struct ctx *ctx, void *arg)
{
	const char *token;

	(void)arg;
	return oauth_state_make(ctx, &ring, "u1", &token);
}

static bool
read_in_arena(struct ctx *ctx, void *token)
{
	const char *user;
	bool ours;

	if (!oauth_state_read(ctx, &ring, token, &ours, &user))
		return false;
	DEMAND("in a small arena", ours);
	same_text("in a small arena", user, "u1");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	struct ctx ctx;
	char token[400];

	(void)state;
	open_ctx(&ctx);
	snprintf(token, sizeof token, "%s", make_state(&ctx, &ring, "u1"));
	ctx_close(&ctx);
	try_small_arenas("oauth_state_make", make_in_arena, NULL);
	try_small_arenas("oauth_state_read", read_in_arena, token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_states_that_it_makes),
		cmocka_unit_test(limits_the_length_of_a_state),
		cmocka_unit_test(writes_the_documented_claims),
		cmocka_unit_test(verifies_with_every_key),
		cmocka_unit_test(refuses_every_change),
		cmocka_unit_test(refuses_any_other_header_or_claims),
		cmocka_unit_test(expires_without_leeway),
		cmocka_unit_test(refuses_texts_that_are_not_states),
		cmocka_unit_test(refuses_a_signature_by_the_encryption_key),
		cmocka_unit_test(is_never_accepted_as_the_apps_token),
		cmocka_unit_test(reads_a_state_after_a_fault),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("oauth state", tests, NULL, NULL);
}
