/* test_webhook_signature.c - signatures as Standard Webhooks defines them. */
#include "../../table.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "events/webhook_signature.h"

#define ID           "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define AT           1614265330
#define BODY         "{\"test\": 2432232314}"
#define SECRET       "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define SIGNED       "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER        "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"
#define OTHER_SIGNED "v1,FBLAo+HK5p2knCUgA8qP2rAcQBKsRjSyHR9ZWinL1ZE="

static void
signs_as_the_specification_defines(void **state)
{
	static const struct {
		const char *label, *secrets, *body, *expected;
	} table[] = {
		{ "the specification's vector", SECRET, BODY, SIGNED },
		{ "two secrets, during a rotation", SECRET " " OTHER, BODY,
		    SIGNED " " OTHER_SIGNED },
		{ "the other way round", OTHER " " SECRET, BODY, OTHER_SIGNED " " SIGNED },
		{ "the same secret twice", SECRET " " SECRET, BODY, SIGNED " " SIGNED },
		{ "several spaces, and one at the end", SECRET "   " SECRET " ", BODY,
		    SIGNED " " SIGNED },
		{ "the longest secret",
		    "whsec_"
		    "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYW"
		    "FhYWFhYQ==",
		    BODY, "v1,wH8oceOk7MeZthYy25GQfyRVzmznkfAO2Zb02b0FrVg=" },
		{ "an empty body", SECRET, "", "v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=" },
		{ "a body with a Cyrillic letter", SECRET, "{\"a\":\"\xd0\xaf\"}",
		    "v1,PW7IYhVlQB4pjryj5mYgoJ9l2850yju5BT3NXC7mwSM=" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *signature;

		open_ctx(&ctx);
		assert_true(
		    webhook_sign(&ctx, table[i].secrets, ID, AT, table[i].body, &signature));
		same_text(table[i].label, signature, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
signs_id_time_and_body(void **state)
{
	static const struct {
		const char *label, *id;
		time_t at;
		const char *body;
	} table[] = {
		{ "another id", "msg_p5jXN8AQM9LWM0D4loKWxJeK", AT, BODY },
		{ "a second later", ID, AT + 1, BODY },
		{ "another body", ID, AT, BODY " " },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *signature;

		open_ctx(&ctx);
		assert_true(webhook_sign(
		    &ctx, SECRET, table[i].id, table[i].at, table[i].body, &signature));
		DEMAND(table[i].label, strcmp(signature, SIGNED) != 0);
		ctx_close(&ctx);
	}
}

static void
refuses_invalid_secrets(void **state)
{
	static const struct {
		const char *label, *secrets;
	} table[] = {
		{ "no prefix", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
		{ "another prefix", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
		{ "the prefix alone", "whsec_" },
		{ "not base64", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!" },
		{ "base64url", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS_" },
		{ "no padding", "whsec_a2tra2tra2tra2tra2tra2tra2tra2tra2s" },
		{ "a newline at the end", SECRET "\n" },
		{ "a tab between two secrets", SECRET "\t" SECRET },
		{ "the second secret is invalid", SECRET " whsec_x" },
		{ "the first secret is invalid", "whsec_x " SECRET },
		{ "separated by a comma", SECRET "," OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *signature;
		bool ok;

		open_ctx(&ctx);
		ok = webhook_sign(&ctx, table[i].secrets, ID, AT, BODY, &signature);
		same_fault(table[i].label, &ctx, ok, FAULT_CONFIG);
		has_no_text(table[i].label, ctx.reason, "MfKQ");
		ctx_close(&ctx);
	}
}

static void
limits_the_length_of_a_secret(void **state)
{
	static const struct {
		size_t len;
		bool good;
	} table[] = {
		{ WHSEC_MIN - 1, false },
		{ WHSEC_MIN, true },
		{ WHSEC_MAX, true },
		{ WHSEC_MAX + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		uint8_t key[WHSEC_MAX + 1] = { 0 };
		struct ctx ctx;
		struct strbuf sb;
		const char *secret;
		const char *signature;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		strbuf_addstr(&sb, "whsec_");
		base64_encode(&sb, key, table[i].len);
		assert_true(strbuf_finish(&sb, &secret));
		if (webhook_sign(&ctx, secret, ID, AT, BODY, &signature) != table[i].good)
			fail_msg("a secret of %zu bytes", table[i].len);
		ctx_close(&ctx);
	}
}

static bool
sign_in_arena(struct ctx *ctx, void *arg)
{
	const char *signature;

	(void)arg;
	if (!webhook_sign(ctx, SECRET, ID, AT, BODY, &signature))
		return false;
	assert_string_equal(signature, SIGNED);
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("a signature", sign_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signs_as_the_specification_defines),
		cmocka_unit_test(signs_id_time_and_body),
		cmocka_unit_test(refuses_invalid_secrets),
		cmocka_unit_test(limits_the_length_of_a_secret),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("webhook signature", tests, NULL, NULL);
}
