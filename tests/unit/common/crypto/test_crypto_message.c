/* test_crypto_message.c - the messages between a program and amo-crm-crypto, encoded and
 * decoded. */
#include "../../table.h"

#include "crypto/crypto_message.h"
#include "text/json.h"

#include <stdio.h>

#define HEX_KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct key key = { "k2026-11-22-a1",
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
	    25, 26, 27, 28, 29, 30, 31 } };

static struct json_object *
parse(const char *label, const char *text)
{
	struct json_object *doc = json_parse(text, strlen(text));

	DEMAND(label, doc != NULL);
	return doc;
}

static void
decodes_the_cipher_request_that_was_encoded(void **state)
{
	static const struct {
		const char *label;
		enum crypto_operation operation;
		const char *context, *text;
	} table[] = {
		{ "a request to encrypt", CRYPTO_SEAL, "connection:1:2\n{\"host\":\"a\"}",
		    "{\"token\":\"t\"}" },
		{ "a request to decrypt", CRYPTO_OPEN, "connection:1:2", "AAECAwQF-_" },
		{ "an empty context and an empty text", CRYPTO_SEAL, "", "" },
		{ "bytes that are not UTF-8", CRYPTO_OPEN, "\xff\x01\"", "\\\x7f\xd0\xaf\xff" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		const struct cipher_request request = { &key, table[i].context, table[i].text };
		struct ctx ctx;
		struct cipher_request got;
		enum crypto_operation operation;
		struct json_object *doc;
		const char *line;
		bool ok;

		open_ctx(&ctx);
		assert_true(cipher_request_encode(&ctx, table[i].operation, &request, &line));
		DEMAND(label, strchr(line, '\n') == line + strlen(line) - 1);
		doc = parse(label, line);
		ok = crypto_operation_decode(&ctx, doc, &operation)
		    && cipher_request_decode(&ctx, doc, &got);
		json_object_put(doc);
		same_fault(label, &ctx, ok, FAULT_NONE);
		same_number(label, operation, table[i].operation);
		same_text(label, got.key->kid, key.kid);
		same_bytes(label, got.key->secret, key.secret, KEY_SIZE);
		same_text(label, got.context, table[i].context);
		same_text(label, got.text, table[i].text);
		ctx_close(&ctx);
	}
}

static void
decodes_the_verify_request_that_was_encoded(void **state)
{
	static const struct {
		const char *label;
		struct verify_request request;
		const char *signed_part; /* as decoded */
	} table[] = {
		{ "the signature of a token",
		    { "RS256", "/etc/app.pem", "e30.e30.c2ln", 7, (const uint8_t *)"sig", 3 },
		    "e30.e30" },
		{ "an empty signature",
		    { "EdDSA", "a b\"\xd0\xaf.pem", "e30.e30", 7, (const uint8_t *)"", 0 },
		    "e30.e30" },
		{ "a signature with a NUL",
		    { "ES256", "k", "a.b", 3, (const uint8_t *)"\0\xff\n", 3 }, "a.b" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		const struct verify_request *sent = &table[i].request;
		struct ctx ctx;
		struct verify_request got;
		enum crypto_operation operation;
		struct json_object *doc;
		const char *line;
		bool ok;

		open_ctx(&ctx);
		assert_true(verify_request_encode(&ctx, sent, &line));
		DEMAND(label, strchr(line, '\n') == line + strlen(line) - 1);
		doc = parse(label, line);
		ok = crypto_operation_decode(&ctx, doc, &operation)
		    && verify_request_decode(&ctx, doc, &got);
		same_fault(label, &ctx, ok, FAULT_NONE);
		same_number(label, operation, CRYPTO_VERIFY);
		same_text(label, got.algorithm, sent->algorithm);
		same_text(label, got.public_key, sent->public_key);
		same_text(label, got.signed_part, table[i].signed_part);
		same_number(label, (long long)got.signed_len, (long long)sent->signed_len);
		same_number(label, (long long)got.signature_len, (long long)sent->signature_len);
		same_bytes(label, got.signature, sent->signature, sent->signature_len);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static void
decodes_the_replies_that_were_encoded(void **state)
{
	static const char *const texts[] = { "", "AAECAwQF-_", "{\"token\":\"\xd0\xaf\"}",
		"\xff\n" };
	struct ctx ctx;
	struct strbuf sb;
	struct json_object *doc;
	const char *line;

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(texts); i++) {
		const char *text = NULL;

		strbuf_init(&ctx, &sb);
		cipher_reply_encode(&sb, texts[i]);
		assert_true(strbuf_finish(&sb, &line));
		DEMAND(texts[i], strchr(line, '\n') == NULL);
		doc = parse(texts[i], line);
		assert_true(cipher_reply_decode(&ctx, doc, &text));
		json_object_put(doc); /* the text does not point into it */
		same_text("the text", text, texts[i]);
	}
	for (int sent = 0; sent < 2; sent++) {
		bool valid = !sent;

		strbuf_init(&ctx, &sb);
		verify_reply_encode(&sb, sent == 1);
		assert_true(strbuf_finish(&sb, &line));
		doc = parse(line, line);
		assert_true(verify_reply_decode(&ctx, doc, &valid));
		same_number(line, valid, sent);
		json_object_put(doc);
	}
	ctx_close(&ctx);
}

/* Parses the text with its first `from` changed to `to`. */
static struct json_object *
changed(const char *label, const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char line[1024];

	DEMAND(label, at != NULL);
	snprintf(line, sizeof line, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return parse(label, line);
}

struct change {
	const char *label, *from, *to;
	enum fault_kind expected;
};

typedef bool decode_step(struct ctx *ctx, const struct json_object *doc);

static void
try_changes(const char *text, const struct change *table, size_t rows, decode_step *decode)
{
	for (size_t i = 0; i < rows; i++) {
		const char *label = table[i].label;
		struct json_object *doc = changed(label, text, table[i].from, table[i].to);
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = decode(&ctx, doc);
		same_fault(label, &ctx, ok, table[i].expected);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

static bool
decode_operation(struct ctx *ctx, const struct json_object *doc)
{
	enum crypto_operation operation;

	return crypto_operation_decode(ctx, doc, &operation);
}

static bool
decode_cipher(struct ctx *ctx, const struct json_object *doc)
{
	struct cipher_request request;

	return cipher_request_decode(ctx, doc, &request);
}

static bool
decode_verify(struct ctx *ctx, const struct json_object *doc)
{
	struct verify_request request;

	return verify_request_decode(ctx, doc, &request);
}

static bool
decode_text(struct ctx *ctx, const struct json_object *doc)
{
	const char *text;

	return cipher_reply_decode(ctx, doc, &text);
}

static bool
decode_valid(struct ctx *ctx, const struct json_object *doc)
{
	bool valid;

	return verify_reply_decode(ctx, doc, &valid);
}

static void
refuses_malformed_requests(void **state)
{
	static const char operation[] = "{\"do\":\"seal\"}";
	static const struct change operations[] = {
		{ "seal", "seal", "seal", FAULT_NONE },
		{ "open", "seal", "open", FAULT_NONE },
		{ "verify", "seal", "verify", FAULT_NONE },
		{ "an unknown operation", "seal", "sign", FAULT_SERVER },
		{ "an operation with a letter added", "seal", "seals", FAULT_SERVER },
		{ "an operation with a NUL", "seal", "seal\\u0000", FAULT_SERVER },
		{ "no member do", "\"do\"", "\"d\"", FAULT_SERVER },
		{ "a number", "\"seal\"", "0", FAULT_SERVER },
		{ "an array", operation, "[\"seal\"]", FAULT_SERVER },
	};
	static const char cipher[] =
	    "{\"kid\":\"k1\",\"key\":\"" HEX_KEY "\",\"context\":\"Y3R4\",\"text\":\"dGV4dA\"}";
	static const struct change ciphers[] = {
		{ "a valid request", "k1", "k1", FAULT_NONE },
		{ "an array", cipher, "[]", FAULT_SERVER },
		{ "no key id", "\"kid\"", "\"k\"", FAULT_SERVER },
		{ "a key id of 32 characters", "k1", "12345678901234567890123456789012",
		    FAULT_NONE },
		{ "a key id of 33 characters", "k1", "123456789012345678901234567890123",
		    FAULT_SERVER },
		{ "no key", "\"key\"", "\"k\"", FAULT_SERVER },
		{ "a short key", "00010203", "000102", FAULT_SERVER },
		{ "a long key", "00010203", "0001020304", FAULT_SERVER },
		{ "a key that is not hex", "00010203", "0001020g", FAULT_SERVER },
		{ "no context", "\"context\"", "\"c\"", FAULT_SERVER },
		{ "a context that is not base64url", "Y3R4", "Y3+4", FAULT_SERVER },
		{ "a context with a NUL", "Y3R4", "YwB4", FAULT_SERVER },
		{ "no text", "\"text\"", "\"t\"", FAULT_SERVER },
		{ "a text with padding", "dGV4dA", "dGV4dA==", FAULT_SERVER },
		{ "a text that is null", "\"dGV4dA\"", "null", FAULT_SERVER },
		{ "a text that ends with a NUL", "dGV4dA", "dGV4dAA", FAULT_SERVER },
	};
	static const char verify[] = "{\"algorithm\":\"RS256\",\"public_key\":\"/k\","
				     "\"signed\":\"e30.e30\",\"signature\":\"c2ln\"}";
	static const struct change verifies[] = {
		{ "a valid request", "/k", "/k", FAULT_NONE },
		{ "an array", verify, "[]", FAULT_SERVER },
		{ "no algorithm", "\"algorithm\"", "\"a\"", FAULT_SERVER },
		{ "no public key", "\"public_key\"", "\"p\"", FAULT_SERVER },
		{ "a public key's path with a NUL", "/k", "/k\\u0000", FAULT_SERVER },
		{ "no signed part", "\"signed\"", "\"s\"", FAULT_SERVER },
		{ "a signed part that is a number", "\"e30.e30\"", "1", FAULT_SERVER },
		{ "no signature", "\"signature\"", "\"s\"", FAULT_SERVER },
		{ "a signature that is not base64url", "c2ln", "c2l/", FAULT_SERVER },
	};

	(void)state;
	try_changes(operation, operations, ROWS(operations), decode_operation);
	try_changes(cipher, ciphers, ROWS(ciphers), decode_cipher);
	try_changes(verify, verifies, ROWS(verifies), decode_verify);
}

static void
refuses_malformed_replies(void **state)
{
	static const char text[] = "{\"text\":\"dGV4dA\"}";
	static const struct change texts[] = {
		{ "a valid reply", "dGV4dA", "dGV4dA", FAULT_NONE },
		{ "no text", "\"text\"", "\"t\"", FAULT_SERVER },
		{ "a text that is a number", "\"dGV4dA\"", "1", FAULT_SERVER },
		{ "a text that is not base64url", "dGV4dA", "dGV4dA=", FAULT_SERVER },
		{ "a text with a NUL", "dGV4dA", "dAB0", FAULT_SERVER },
		{ "an array", text, "[\"text\"]", FAULT_SERVER },
	};
	static const char valid[] = "{\"valid\":1}";
	static const struct change valids[] = {
		{ "valid", "1", "1", FAULT_NONE },
		{ "invalid", "1", "0", FAULT_NONE },
		{ "no member valid", "valid", "v", FAULT_SERVER },
		{ "a boolean", "1", "true", FAULT_SERVER },
		{ "a string", "1", "\"1\"", FAULT_SERVER },
		{ "another number", "1", "2", FAULT_SERVER },
		{ "a negative number", "1", "-1", FAULT_SERVER },
		{ "an array", valid, "[1]", FAULT_SERVER },
	};

	(void)state;
	try_changes(text, texts, ROWS(texts), decode_text);
	try_changes(valid, valids, ROWS(valids), decode_valid);
}

static bool
encode_and_decode(struct ctx *ctx, void *arg)
{
	static const char cipher[] =
	    "{\"kid\":\"k1\",\"key\":\"" HEX_KEY "\",\"context\":\"Y3R4\",\"text\":\"dGV4dA\"}";
	struct cipher_request request = { &key, "context", "text" };
	const struct verify_request verify = { "RS256", "k", "a.b", 3, (const uint8_t *)"s", 1 };
	struct json_object *doc = json_parse(cipher, sizeof cipher - 1);
	const char *line;
	bool ok = cipher_request_encode(ctx, CRYPTO_SEAL, &request, &line)
	    && verify_request_encode(ctx, &verify, &line)
	    && cipher_request_decode(ctx, doc, &request);

	(void)arg;
	json_object_put(doc);
	if (ok)
		same_text("the text", request.text, "text");
	return ok;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("requests", encode_and_decode, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_the_cipher_request_that_was_encoded),
		cmocka_unit_test(decodes_the_verify_request_that_was_encoded),
		cmocka_unit_test(decodes_the_replies_that_were_encoded),
		cmocka_unit_test(refuses_malformed_requests),
		cmocka_unit_test(refuses_malformed_replies),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("crypto_message", tests, NULL, NULL);
}
