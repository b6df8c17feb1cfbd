/* test_amocrm.c - the authorize URL, and the account and user that the claims of an access token
 * name.  The calls to amoCRM are tested over HTTP. */
#include "../../table.h"

#include "amocrm/amocrm.h"
#include "base/encode.h"
#include "base/strbuf.h"

static void
writes_the_authorize_url(void **state)
{
	static const struct {
		const char *label, *authorize_url, *client_id, *state, *expected;
	} table[] = {
		{ "amoCRM's page", "https://www.amocrm.ru/oauth", "01d01160-d7a0", "a.b-c_d",
		    "https://www.amocrm.ru/"
		    "oauth?client_id=01d01160-d7a0&state=a.b-c_d&mode=popup" },
		{ "a page with a query", "https://a.example/?x=1", "id", "s",
		    "https://a.example/?x=1&client_id=id&state=s&mode=popup" },
		{ "values that must be percent-encoded", "https://a.example/", "a&b", "c d=e#f",
		    "https://a.example/?client_id=a%26b&state=c%20d%3De%23f&mode=popup" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct amocrm_config cfg = { .authorize_url = table[i].authorize_url,
			.client_id = table[i].client_id };
		struct ctx ctx;
		const char *url;

		open_ctx(&ctx);
		assert_true(amocrm_authorize_url(&ctx, &cfg, table[i].state, &url));
		same_text(table[i].label, url, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
reads_the_ids_of_the_claims(void **state)
{
	static const struct {
		const char *label, *claims;
		int64_t account_id, user_id; /* 0: no ids */
	} table[] = {
		{ "as amoCRM writes them", "{\"aud\":\"x\",\"sub\":\"7\",\"account_id\":31920194}",
		    31920194, 7 },
		{ "the user as a number", "{\"sub\":7,\"account_id\":31920194}", 31920194, 7 },
		{ "the account as a string", "{\"sub\":\"7\",\"account_id\":\"31920194\"}",
		    31920194, 7 },
		{ "the largest ids",
		    "{\"sub\":\"9223372036854775807\",\"account_id\":9223372036854775807}",
		    INT64_MAX, INT64_MAX },
		{ "an account that is too large",
		    "{\"sub\":\"7\",\"account_id\":9223372036854775808}", 0, 0 },
		{ "a user that is too large", "{\"sub\":\"9223372036854775808\",\"account_id\":1}",
		    0, 0 },
		{ "no account", "{\"sub\":\"7\"}", 0, 0 },
		{ "no user", "{\"account_id\":31920194}", 0, 0 },
		{ "account zero", "{\"sub\":\"7\",\"account_id\":0}", 0, 0 },
		{ "a negative account", "{\"sub\":\"7\",\"account_id\":-1}", 0, 0 },
		{ "a user that is not a number", "{\"sub\":\"u7\",\"account_id\":1}", 0, 0 },
		{ "an empty user", "{\"sub\":\"\",\"account_id\":1}", 0, 0 },
		{ "an account with a fraction", "{\"sub\":\"7\",\"account_id\":1.5}", 0, 0 },
		{ "null ids", "{\"sub\":null,\"account_id\":null}", 0, 0 },
		{ "an array", "[31920194,7]", 0, 0 },
		{ "not JSON", "{", 0, 0 },
		{ "empty claims", "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct tokens tokens = { .refresh_token = "def" };
		struct identity identity = { 0, 0, NULL };
		struct ctx ctx;
		struct strbuf sb;
		bool ok;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		strbuf_addstr(&sb, "eyJhbGciOiJSUzI1NiJ9.");
		base64url_encode(&sb, table[i].claims, strlen(table[i].claims));
		strbuf_addstr(&sb, ".c2lnbmF0dXJl");
		assert_true(strbuf_finish(&sb, &tokens.access_token));
		ok = amocrm_identity_from_token(&ctx, "a.amocrm.ru", &tokens, &identity);
		DEMAND(table[i].label, ok == (table[i].account_id != 0));
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		if (ok) {
			same_number(table[i].label, identity.account_id, table[i].account_id);
			same_number(table[i].label, identity.user_id, table[i].user_id);
			same_text(table[i].label, identity.host, "a.amocrm.ru");
		}
		ctx_close(&ctx);
	}
}

static void
finds_no_ids_in_a_malformed_token(void **state)
{
	static const struct {
		const char *label, *token;
	} table[] = {
		{ "an opaque token", "0123456789abcdef" },
		{ "an empty token", "" },
		{ "only dots", ".." },
		{ "only a header", "eyJhbGciOiJSUzI1NiJ9." },
		{ "not base64url", "eyJ9.!!!!.x" },
		{ "padded base64url", "eyJ9.e30=.x" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct tokens tokens = { table[i].token, "def", 0 };
		struct identity identity;
		struct ctx ctx;

		open_ctx(&ctx);
		DEMAND(table[i].label,
		    !amocrm_identity_from_token(&ctx, "a.amocrm.ru", &tokens, &identity));
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_the_authorize_url),
		cmocka_unit_test(reads_the_ids_of_the_claims),
		cmocka_unit_test(finds_no_ids_in_a_malformed_token),
	};

	return cmocka_run_group_tests_name("amocrm", tests, NULL, NULL);
}
