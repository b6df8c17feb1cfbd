/* test_oauth_state.c - the states we make: ours again, and nobody else's; never the app's token. */
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
made(struct ctx *ctx, const struct keyring *by, const char *app_user)
{
	const char *state = NULL;

	if (!oauth_state_make(ctx, by, app_user, &state))
		fail_msg("no state for \"%s\": %s", app_user, ctx->reason);
	return state;
}

/* user NULL: the state is not ours. */
static void
judge(const char *label, struct ctx *ctx, const struct keyring *by, const char *state,
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
reads_what_it_made(void **state)
{
	static const struct {
		const char *label, *user;
	} table[] = {
		{ "a short name", "u1" },
		{ "digits", "42" },
		{ "Cyrillic", "\xd0\xae\xd0\xbb\xd1\x8f" },
		{ "beyond the basic plane", "\xf0\x9f\x98\x80" },
		{ "spaces and slashes", " a/b\\c " },
		{ "JSON", "\",\"sub\":\"u2" },
		{ "as long as can be, each byte escaped", FIFTY_QUOTES FIFTY_QUOTES FIFTY_QUOTES },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *token;

		DEMAND(table[i].label, strlen(table[i].user) <= JWT_USER_MAX);
		open_ctx(&ctx);
		token = made(&ctx, &ring, table[i].user);
		DEMAND(table[i].label, strlen(token) < OAUTH_STATE_MAX);
		DEMAND(table[i].label,
		    token[strspn(token,
			"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			"0123456789-_.")]
			== '\0');
		judge(table[i].label, &ctx, &ring, token, table[i].user);
		ctx_close(&ctx);
	}
}

/* Bytes that JSON writes as six, and a key's id as long as can be. */
static void
makes_states_up_to_a_length(void **state)
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
		judge("within the limit", &ctx, &long_kid, token, user);
	}
	same_number("one byte over the limit", ctx.kind, FAULT_SERVER);
	DEMAND("whatever jwt_verify calls a user is within it", longest >= JWT_USER_MAX);
	ctx_close(&ctx);
}

/* Half an hour, names for nobody but us, never the same twice. */
static void
says_what_it_should(void **state)
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
	token = made(&ctx, &ring, "u1");
	DEMAND("two states differ", strcmp(token, made(&ctx, &ring, "u1")) != 0);
	key_derive(&ring.keys[0], PURPOSE, derived);
	assert_true(jws_parse(&ctx, token, OAUTH_STATE_MAX, &jws_hs256, &jws));
	same_text("typ", jws.type, "amo-crm-state+jwt");
	same_text("kid", jws.kid, "k1");
	claims = jws_claims(
	    &ctx, &jws, &(struct jws_key){ .secret = derived, .secret_len = sizeof derived });
	DEMAND("by the derived key", claims != NULL);
	same_text("aud", json_get_string(claims, "aud"), "amo-crm:state");
	same_text("sub", json_get_string(claims, "sub"), "u1");
	same_number("jti's length", (long long)strlen(json_get_string(claims, "jti")), 22);
	assert_true(json_get_integer(claims, "exp", &exp));
	DEMAND("exp", exp >= before + 1800 && exp <= time(NULL) + 1800);
	json_object_put(claims);
	ctx_close(&ctx);
}

static void
reads_by_every_key(void **state)
{
	const struct keyring before = { .keys = { ring.keys[1] }, .count = 1 };
	const struct keyring swapped = { .keys = { ring.keys[1], ring.keys[0] }, .count = 2 };
	struct keyring renamed = before;
	struct ctx ctx;
	const char *token;

	(void)state;
	renamed.keys[0].kid[1] = '1';
	open_ctx(&ctx);
	token = made(&ctx, &before, "u1");
	judge("by the ring that made it", &ctx, &before, token, "u1");
	judge("by a ring with a new first key", &ctx, &ring, token, "u1");
	token = made(&ctx, &ring, "u1");
	judge("by the second key", &ctx, &swapped, token, "u1");
	judge("by a ring that has its key no more", &ctx, &before, token, NULL);
	judge("by another key of that id", &ctx, &renamed, token, NULL);
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
	token = made(&ctx, &ring, "u1");
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
			judge("one character else", &ctx, &ring, copy, NULL);
			changed[i] = '\0';
			judge("cut short", &ctx, &ring, copy, NULL);
			arena_rewind(&ctx, mark);
		}
	ctx_close(&ctx);
}

/* Signed by whoever has the derived key, so that nothing but what it says is wrong with it. */
static void
refuses_what_says_something_else(void **state)
{
	static const struct {
		const char *label, *header, *claims, *user;
	} table[] = {
		{ "as we make it", HEADER, CLAIMS, "u1" },
		{ "of no type", "{\"alg\":\"HS256\",\"kid\":\"k1\"}", CLAIMS, NULL },
		{ "of the app's type", "{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"k1\"}", CLAIMS,
		    NULL },
		{ "of no key", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\"}", CLAIMS, NULL },
		{ "of a key we have not",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k3\"}", CLAIMS, NULL },
		{ "of another of our keys",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k2\"}", CLAIMS, NULL },
		{ "of a key without a name",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"\"}", CLAIMS, NULL },
		{ "of a key's name cut short",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k\"}", CLAIMS, NULL },
		{ "of a key with a long name",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k1kkkkkkkkkkkkkkkkkkkk"
		    "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\"}",
		    CLAIMS, NULL },
		{ "alg none", "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"none\",\"kid\":\"k1\"}",
		    CLAIMS, NULL },
		{ "with crit",
		    "{\"typ\":\"" STATE_TYPE "\",\"alg\":\"HS256\",\"kid\":\"k1\",\"crit\":[]}",
		    CLAIMS, NULL },
		{ "for no audience", HEADER, "{\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "for the app", HEADER, "{\"aud\":\"app\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "for a list", HEADER,
		    "{\"aud\":[\"" STATE_AUDIENCE "\"],\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "of nobody", HEADER, "{\"aud\":\"" STATE_AUDIENCE "\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "of everybody", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"\",\"exp\":" FAR_FUTURE "}", NULL },
		{ "of a number", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":1,\"exp\":" FAR_FUTURE "}", NULL },
		{ "expired", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":1000000000}", NULL },
		{ "without an end", HEADER, "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\"}",
		    NULL },
		{ "with an end that is a text", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE "\",\"sub\":\"u1\",\"exp\":\"" FAR_FUTURE "\"}",
		    NULL },
		{ "with a name twice", HEADER,
		    "{\"aud\":\"" STATE_AUDIENCE
		    "\",\"sub\":\"u2\",\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}",
		    NULL },
		{ "no object", HEADER, "[]", NULL },
	};
	uint8_t derived[KEY_SIZE];
	const struct signer by = { "HS256", derived, sizeof derived, NULL };

	(void)state;
	key_derive(&ring.keys[0], PURPOSE, derived);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		judge(table[i].label, &ctx, &ring,
		    token_of(&ctx, &by, table[i].header, table[i].claims), table[i].user);
		ctx_close(&ctx);
	}
}

/* Its end is the second it says, without leeway: no other clock is asked. */
static void
ends_in_time(void **state)
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
		judge(offset < 0 ? "a second ago" : "in 20 seconds", &ctx, &ring,
		    token_of(&ctx, &by, HEADER, claims), offset < 0 ? NULL : "u1");
		ctx_close(&ctx);
	}
}

static void
refuses_what_is_foreign(void **state)
{
	static const struct {
		const char *label, *state;
	} table[] = {
		{ "none", NULL },
		{ "empty", "" },
		{ "a random text", "8f0c6a1e" },
		{ "a dot", "." },
		{ "two dots", ".." },
		{ "three parts of nothing in particular", "a.b.c" },
		{ "JSON", "{\"sub\":\"u1\"}" },
		{ "UTF-8", "\xd1\x81\xd1\x82\xd0\xb0\xd0\xbd" },
	};
	struct ctx ctx;
	char *long_one;

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(table); i++)
		judge(table[i].label, &ctx, &ring, table[i].state, NULL);
	assert_true(ctx_alloc(&ctx, 3 * OAUTH_STATE_MAX, &long_one));
	memset(long_one, 'A', 3 * OAUTH_STATE_MAX - 1);
	judge("too long", &ctx, &ring, long_one, NULL);
	ctx_close(&ctx);
}

/* By the ring's key itself, not the one derived for states. */
static void
refuses_the_key_that_seals(void **state)
{
	const struct signer by = { "HS256", ring.keys[0].secret, KEY_SIZE, NULL };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	judge("the sealing key", &ctx, &ring, token_of(&ctx, &by, HEADER, CLAIMS), NULL);
	ctx_close(&ctx);
}

/* A ring whose derived key is a text, so that somebody could configure it as the app's secret. */
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
is_never_the_apps_token(void **state)
{
	static const struct {
		const char *label, *header, *claims, *why; /* why NULL: it is the app's */
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
		bool is_app = table[i].why == NULL;
		bool is_state = i == 1;
		const char *user = NULL;
		const char *token;
		struct ctx ctx;

		open_ctx(&ctx);
		token = token_of(&ctx, &by, table[i].header, table[i].claims);
		judge(table[i].label, &ctx, &same, token, is_state ? "u1" : NULL);
		same_fault(table[i].label, &ctx, jwt_verify(&ctx, &cfg, token, &user),
		    is_app ? FAULT_NONE : FAULT_TOKEN);
		has_text(table[i].label, ctx.reason, is_app ? "" : table[i].why);
		ctx_wipe(&ctx);
		same_fault("as we make it", &ctx,
		    jwt_verify(&ctx, &cfg, made(&ctx, &same, "u1"), &user), FAULT_TOKEN);
		ctx_close(&ctx);
	}
}

/* An error is told with its state in a work that holds the fault already. */
static void
reads_behind_a_fault(void **state)
{
	struct ctx ctx;
	const char *token;
	const char *user = NULL;
	bool ours = false;

	(void)state;
	open_ctx(&ctx);
	token = made(&ctx, &ring, "u1");
	ctx_fault(&ctx, FAULT_REFUSED, "refused");
	DEMAND("ours", oauth_state_read(&ctx, &ring, token, &ours, &user) && ours);
	same_text("ours", user, "u1");
	DEMAND("foreign", oauth_state_read(&ctx, &ring, "a.b.c", &ours, &user) && !ours);
	ctx_close(&ctx);
}

static bool
make_in(struct ctx *ctx, void *arg)
{
	const char *token;

	(void)arg;
	return oauth_state_make(ctx, &ring, "u1", &token);
}

static bool
read_in(struct ctx *ctx, void *token)
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
fails_in_small_arenas(void **state)
{
	struct ctx ctx;
	char token[400];

	(void)state;
	open_ctx(&ctx);
	snprintf(token, sizeof token, "%s", made(&ctx, &ring, "u1"));
	ctx_close(&ctx);
	try_small_arenas("state_make", make_in, NULL);
	try_small_arenas("state_read", read_in, token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_made),
		cmocka_unit_test(makes_states_up_to_a_length),
		cmocka_unit_test(says_what_it_should),
		cmocka_unit_test(reads_by_every_key),
		cmocka_unit_test(refuses_every_change),
		cmocka_unit_test(refuses_what_says_something_else),
		cmocka_unit_test(ends_in_time),
		cmocka_unit_test(refuses_what_is_foreign),
		cmocka_unit_test(refuses_the_key_that_seals),
		cmocka_unit_test(is_never_the_apps_token),
		cmocka_unit_test(reads_behind_a_fault),
		cmocka_unit_test(fails_in_small_arenas),
	};

	return cmocka_run_group_tests_name("oauth state", tests, NULL, NULL);
}
