/* test_jwt_claims.c - the claims of the app's token: times, issuer, audience, user. */
#include "app_token.h"

#include <time.h>

static void
checks_the_claims(void **state)
{
#define U1 "\"sub\":\"u1\""
#define OK U1 ",\"exp\":" FAR_FUTURE
	static const struct {
		const char *label, *claims, *reason;
	} table[] = {
		{ "only exp", "{" OK "}", NULL },
		{ "exp with a fraction", "{" U1 ",\"exp\":4102444800.5}", NULL },
		{ "exp with an exponent", "{" U1 ",\"exp\":4.1e9}", NULL },
		{ "exp at the end of 9999", "{" U1 ",\"exp\":253402300799}", NULL },
		{ "nbf and iat in the past", "{" OK ",\"nbf\":1,\"iat\":1.5}", NULL },
		{ "nbf and iat zero", "{" OK ",\"nbf\":0,\"iat\":0}", NULL },
		{ "iss and aud when none are configured", "{" OK ",\"iss\":1,\"aud\":[]}", NULL },

		{ "exp missing", "{" U1 "}", "exp is missing" },
		{ "exp in another case", "{" U1 ",\"Exp\":" FAR_FUTURE "}", "exp is missing" },
		{ "exp in an inner object", "{" U1 ",\"x\":{\"exp\":" FAR_FUTURE "}}",
		    "exp is missing" },
		{ "exp in the past", "{" U1 ",\"exp\":1000000000}", "expired" },
		{ "exp zero", "{" U1 ",\"exp\":0}", "expired" },
		{ "exp is a string", "{" U1 ",\"exp\":\"" FAR_FUTURE "\"}", "exp is not a number" },
		{ "exp is null", "{" U1 ",\"exp\":null}", "exp is not a number" },
		{ "exp is true", "{" U1 ",\"exp\":true}", "exp is not a number" },
		{ "exp is a list", "{" U1 ",\"exp\":[" FAR_FUTURE "]}", "exp is not a number" },
		{ "exp negative", "{" U1 ",\"exp\":-4102444800}", "exp is not a time" },
		{ "exp is -0.5", "{" U1 ",\"exp\":-0.5}", "exp is not a time" },
		{ "exp in milliseconds", "{" U1 ",\"exp\":4102444800000}", "exp is not a time" },
		{ "exp after 9999", "{" U1 ",\"exp\":253402300800}", "exp is not a time" },
		{ "exp is the largest number of 64 bits", "{" U1 ",\"exp\":9223372036854775807}",
		    "exp is not a time" },
		{ "exp beyond 64 bits", "{" U1 ",\"exp\":18446744073709551616}",
		    "exp is not a time" },
		{ "exp below 64 bits", "{" U1 ",\"exp\":-9223372036854775809}",
		    "exp is not a time" },
		{ "exp of 40 digits", "{" U1 ",\"exp\":1000000000000000000000000000000000000000}",
		    "exp is not a time" },
		{ "exp 1e300", "{" U1 ",\"exp\":1e300}", "exp is not a time" },
		{ "exp -1e300", "{" U1 ",\"exp\":-1e300}", "exp is not a time" },
		{ "exp beyond a double", "{" U1 ",\"exp\":1e999}", "exp is not a time" },
		{ "exp is NaN", "{" U1 ",\"exp\":NaN}", "claims are not" },
		{ "exp is Infinity", "{" U1 ",\"exp\":Infinity}", "claims are not" },
		{ "exp twice", "{" U1 ",\"exp\":1,\"exp\":" FAR_FUTURE "}", "claims are not" },
		{ "exp twice, once with an escape",
		    "{" U1 ",\"e\\u0078p\":1,\"exp\":" FAR_FUTURE "}", "claims are not" },
		{ "nbf in the future", "{" OK ",\"nbf\":" FAR_FUTURE "}", "nbf is" },
		{ "nbf is a string", "{" OK ",\"nbf\":\"1\"}", "nbf is not a number" },
		{ "nbf is null", "{" OK ",\"nbf\":null}", "nbf is not a number" },
		{ "nbf negative", "{" OK ",\"nbf\":-1}", "nbf is not a time" },
		{ "nbf 1e300", "{" OK ",\"nbf\":1e300}", "nbf is not a time" },
		{ "iat in the future", "{" OK ",\"iat\":" FAR_FUTURE "}", "iat is" },
		{ "iat is a string", "{" OK ",\"iat\":\"1\"}", "iat is not a number" },
		{ "iat negative", "{" OK ",\"iat\":-1}", "iat is not a time" },

		{ "the audience of our own states", "{" OK ",\"aud\":\"" STATE_AUDIENCE "\"}",
		    "our own states" },
		{ "the same among other audiences",
		    "{" OK ",\"aud\":[\"app\",\"" STATE_AUDIENCE "\"]}", "our own states" },

		{ "claims that are a list", "[{" OK "}]", "claims are not" },
		{ "claims that are a string", "\"u1\"", "claims are not" },
		{ "claims that are null", "null", "claims are not" },
		{ "not JSON", "sub=u1", "claims are not" },
		{ "a token inside", "eyJhbGciOiJIUzI1NiJ9.e30.", "claims are not" },
		{ "a letter after the object", "{" OK "} x", "claims are not" },
		{ "a second object", "{" OK "}{" OK "}", "claims are not" },
		{ "a second closing bracket", "{" OK "}}", "claims are not" },
		{ "not UTF-8", "{" OK ",\"x\":\"\xff\"}", "claims are not" },
		{ "an overlong form of UTF-8", "{" OK ",\"x\":\"\xc0\xaf\"}", "claims are not" },
		{ "a surrogate in UTF-8", "{" OK ",\"x\":\"\xed\xa0\x80\"}", "claims are not" },
		{ "arrays nested too deeply",
		    "{" OK
		    ",\"x\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
		    "]]]]]]}",
		    "claims are not" },
	};
	const struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		check_parts(table[i].label, &cfg, HEADER, table[i].claims, table[i].reason, "u1");
}

/* A separate test, because a string in a table ends at its NUL. */
static void
refuses_a_nul_after_the_claims(void **state)
{
	static const char claims[] = CLAIMS "\0{}";
	const struct jwt_config cfg = app_config();
	struct ctx ctx;
	const char *text;

	(void)state;
	open_ctx(&ctx);
	assert_true(ctx_printf(&ctx, &text, "%s.%s", encoded_text(&ctx, HEADER),
	    encoded(&ctx, claims, sizeof claims - 1)));
	check_token("a NUL after the claims", &ctx, &cfg, signed_text(&ctx, &app, text),
	    "claims are not", NULL);
	ctx_close(&ctx);
}

static void
lets_clocks_differ_by_the_leeway(void **state)
{
	static const struct {
		const char *label, *claim;
		int leeway, offset; /* seconds from now */
		const char *reason;
	} table[] = {
		{ "expired within the leeway", "exp", 60, -50, NULL },
		{ "expired beyond the leeway", "exp", 60, -61, "expired 6" },
		{ "expired, no leeway", "exp", 0, -1, "expired" },
		{ "expires now, no leeway", "exp", 0, 0, "expired" },
		{ "expires in 20 seconds, no leeway", "exp", 0, 20, NULL },
		{ "nbf within the leeway", "nbf", 60, 60, NULL },
		{ "nbf beyond the leeway", "nbf", 60, 80, "ahead of this server's clock" },
		{ "nbf in 20 seconds, no leeway", "nbf", 0, 20, "ahead of this server's clock" },
		{ "nbf now, no leeway", "nbf", 0, 0, NULL },
		{ "iat within the leeway", "iat", 60, 60, NULL },
		{ "iat beyond the leeway", "iat", 60, 80, "ahead of this server's clock" },
		{ "iat in 20 seconds, no leeway", "iat", 0, 20, "ahead of this server's clock" },
		{ "iat now, no leeway", "iat", 0, 0, NULL },
	};
	struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		long long at = (long long)time(NULL) + table[i].offset;
		bool is_exp = strcmp(table[i].claim, "exp") == 0;
		char claims[120];

		cfg.leeway = table[i].leeway;
		snprintf(claims, sizeof claims, "{" U1 ",\"%s\":%lld%s}", table[i].claim, at,
		    is_exp ? "" : ",\"exp\":" FAR_FUTURE);
		check_parts(table[i].label, &cfg, HEADER, claims, table[i].reason, "u1");
	}
}

static void
checks_issuer_and_audience(void **state)
{
	static const struct {
		const char *label, *issuer, *audience, *claims, *reason;
	} table[] = {
		{ "the issuer", "me", NULL, "{" OK ",\"iss\":\"me\"}", NULL },
		{ "no issuer", "me", NULL, "{" OK "}", "iss" },
		{ "another issuer", "me", NULL, "{" OK ",\"iss\":\"you\"}", "iss" },
		{ "an issuer with a character more", "me", NULL, "{" OK ",\"iss\":\"me2\"}",
		    "iss" },
		{ "an issuer in another case", "me", NULL, "{" OK ",\"iss\":\"Me\"}", "iss" },
		{ "a list of issuers", "me", NULL, "{" OK ",\"iss\":[\"me\"]}", "iss" },
		{ "iss is null", "me", NULL, "{" OK ",\"iss\":null}", "iss" },
		{ "issuer twice", "me", NULL, "{" OK ",\"iss\":\"you\",\"iss\":\"me\"}", "claims" },

		{ "the audience", NULL, "app", "{" OK ",\"aud\":\"app\"}", NULL },
		{ "a list with only the audience", NULL, "app", "{" OK ",\"aud\":[\"app\"]}",
		    NULL },
		{ "a list with the audience and another", NULL, "app",
		    "{" OK ",\"aud\":[\"x\",\"app\"]}", NULL },
		{ "no audience", NULL, "app", "{" OK "}", "aud" },
		{ "another audience", NULL, "app", "{" OK ",\"aud\":\"x\"}", "aud" },
		{ "an audience with a character more", NULL, "app", "{" OK ",\"aud\":\"app2\"}",
		    "aud" },
		{ "a list without the audience", NULL, "app", "{" OK ",\"aud\":[\"x\",\"app2\"]}",
		    "aud" },
		{ "an empty list", NULL, "app", "{" OK ",\"aud\":[]}", "aud" },
		{ "a list of lists", NULL, "app", "{" OK ",\"aud\":[[\"app\"]]}", "aud" },
		{ "a list of numbers", NULL, "1", "{" OK ",\"aud\":[1,null]}", "aud" },
		{ "aud is a number", NULL, "1", "{" OK ",\"aud\":1}", "aud" },
		{ "aud is an object", NULL, "app", "{" OK ",\"aud\":{\"app\":1}}", "aud" },
		{ "aud is null", NULL, "app", "{" OK ",\"aud\":null}", "aud" },

		{ "issuer and audience", "me", "app", "{" OK ",\"iss\":\"me\",\"aud\":\"app\"}",
		    NULL },
		{ "issuer and audience swapped", "me", "app",
		    "{" OK ",\"iss\":\"app\",\"aud\":\"me\"}", "iss" },
		{ "the audience of our own states, even if configured", NULL, STATE_AUDIENCE,
		    "{" OK ",\"aud\":\"" STATE_AUDIENCE "\"}", "our own states" },
	};
	struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		cfg.issuer = table[i].issuer;
		cfg.audience = table[i].audience;
		check_parts(table[i].label, &cfg, HEADER, table[i].claims, table[i].reason, "u1");
	}
}

static void
reads_the_user(void **state)
{
#define WITH(user) "{\"exp\":" FAR_FUTURE ",\"sub\":" user "}"
#define FIFTY      "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
	static const struct {
		const char *label, *claim, *claims, *user, *reason;
	} table[] = {
		{ "a user that is a string", "sub", WITH("\"u1\""), "u1", NULL },
		{ "Cyrillic", "sub", WITH("\"\xd0\xae\""), "\xd0\xae", NULL },
		{ "Cyrillic in an escape", "sub", WITH("\"\\u042e\""), "\xd0\xae", NULL },
		{ "a no-break space, next to C1", "sub", WITH("\"\xc2\xa0\""), "\xc2\xa0", NULL },
		{ "spaces, quotes, colons", "sub", WITH("\" a:\\\"b\\\\ \""), " a:\"b\\ ", NULL },
		{ "a user of the maximum length", "sub", WITH("\"" FIFTY FIFTY FIFTY "\""),
		    FIFTY FIFTY FIFTY, NULL },
		{ "a user that is a number", "sub", WITH("42"), "42", NULL },
		{ "a user that is zero", "sub", WITH("0"), "0", NULL },
		{ "the largest number", "sub", WITH("9223372036854775807"), "9223372036854775807",
		    NULL },
		{ "another claim", "uid", "{\"uid\":7,\"sub\":\"u1\",\"exp\":" FAR_FUTURE "}", "7",
		    NULL },
		{ "a claim that is a URL", "https://a/uid",
		    "{\"https://a/uid\":\"x\",\"exp\":" FAR_FUTURE "}", "x", NULL },

		{ "no claim", "sub", "{\"exp\":" FAR_FUTURE "}", NULL, "sub is neither" },
		{ "another claim is missing", "uid", WITH("\"u1\""), NULL, "uid is neither" },
		{ "a claim in another case", "Sub", WITH("\"u1\""), NULL, "Sub is neither" },
		{ "an empty user", "sub", WITH("\"\""), NULL, "sub is neither" },
		{ "a user that is null", "sub", WITH("null"), NULL, "sub is neither" },
		{ "a user that is true", "sub", WITH("true"), NULL, "sub is neither" },
		{ "a user that is an object", "sub", WITH("{\"id\":1}"), NULL, "sub is neither" },
		{ "a user that is a list", "sub", WITH("[\"u1\"]"), NULL, "sub is neither" },
		{ "a fraction", "sub", WITH("1.5"), NULL, "sub is neither" },
		{ "a whole number written as a fraction", "sub", WITH("1.0"), NULL,
		    "sub is neither" },
		{ "a number with an exponent", "sub", WITH("1e3"), NULL, "sub is neither" },
		{ "a negative number", "sub", WITH("-1"), NULL, "sub is neither" },
		{ "a number beyond 63 bits", "sub", WITH("9223372036854775808"), NULL,
		    "sub is neither" },
		{ "a number beyond 64 bits", "sub", WITH("99999999999999999999"), NULL,
		    "sub is neither" },
		{ "a negative number beyond 64 bits", "sub", WITH("-99999999999999999999"), NULL,
		    "sub is neither" },
		{ "the claim twice", "sub", "{\"exp\":" FAR_FUTURE ",\"sub\":\"a\",\"sub\":\"b\"}",
		    NULL, "claims are not" },
		{ "a user one byte over the limit", "sub", WITH("\"" FIFTY FIFTY FIFTY "x\""), NULL,
		    "over 150 bytes" },
		{ "a user over the limit in bytes, not in letters", "sub",
		    WITH("\"" FIFTY FIFTY "\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae"
			 "\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae"
			 "\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae\xd0\xae"
			 "\xd0\xae\""),
		    NULL, "over 150 bytes" },
		{ "a newline", "sub", WITH("\"u\\n1\""), NULL, "control characters" },
		{ "the last character of C0", "sub", WITH("\"u\\u001f\""), NULL,
		    "control characters" },
		{ "DEL", "sub", WITH("\"\x7f\""), NULL, "control characters" },
		{ "the first character of C1", "sub", WITH("\"\xc2\x80\""), NULL,
		    "control characters" },
		{ "the last character of C1", "sub", WITH("\"\\u009f\""), NULL,
		    "control characters" },
		{ "a NUL", "sub", WITH("\"u1\\u0000\""), NULL, "claims are not" },
		{ "only a NUL", "sub", WITH("\"\\u0000\""), NULL, "claims are not" },
		{ "a lone surrogate", "sub", WITH("\"\\ud800\""), "\xef\xbf\xbd", NULL },
	};
	struct jwt_config cfg = app_config();

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		cfg.user_claim = table[i].claim;
		check_parts(
		    table[i].label, &cfg, HEADER, table[i].claims, table[i].reason, table[i].user);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_the_claims),
		cmocka_unit_test(refuses_a_nul_after_the_claims),
		cmocka_unit_test(lets_clocks_differ_by_the_leeway),
		cmocka_unit_test(checks_issuer_and_audience),
		cmocka_unit_test(reads_the_user),
	};

	return cmocka_run_group_tests_name("jwt, claims", tests, NULL, NULL);
}
