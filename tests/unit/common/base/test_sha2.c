/* test_sha2.c - SHA-256 (FIPS 180-4), HMAC (RFC 4231), comparison of secrets. */
#include "../../table.h"

#include "base/encode.h"
#include "base/sha2.h"

#include <stdlib.h>

/* A text that is repeated up to len bytes. */
struct repeated {
	const char *text;
	size_t len;
};

static uint8_t *
repeat(struct repeated r)
{
	uint8_t *bytes = malloc(r.len + 1);
	size_t period = strlen(r.text);

	assert_non_null(bytes);
	for (size_t i = 0; i < r.len; i++)
		bytes[i] = (uint8_t)r.text[i % period];
	return bytes;
}

static void
matches_known_digests(void **state)
{
	static const struct {
		const char *label;
		struct repeated data;
		const char *hex;
	} table[] = {
		{ "no bytes", { "", 0 },
		    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ "FIPS 180-4, one block", { "abc", 3 },
		    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ "FIPS 180-4, two blocks",
		    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56 },
		    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ "FIPS 180-4, 896 bits",
		    { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
		      "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
			112 },
		    "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
		{ "FIPS 180-4, a million times a", { "a", 1000000 },
		    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0" },
		{ "the longest of one block", { "a", 55 },
		    "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318" },
		{ "the shortest of two blocks", { "a", 56 },
		    "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a" },
		{ "exactly one block", { "a", 64 },
		    "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		uint8_t *data = repeat(table[i].data);
		uint8_t raw[SHA256_SIZE];
		uint8_t expected[SHA256_SIZE];
		char hex[SHA256_HEX_SIZE];

		sha256(data, table[i].data.len, raw);
		sha256_hex(data, table[i].data.len, hex);
		same_text(table[i].label, hex, table[i].hex);
		for (size_t at = 0; at <= table[i].data.len; at += 1 + table[i].data.len / 2) {
			sha256_concat_hex(data, at, data + at, table[i].data.len - at, hex);
			same_text(table[i].label, hex, table[i].hex);
		}
		assert_true(hex_decode(table[i].hex, expected, sizeof expected));
		same_bytes(table[i].label, raw, expected, sizeof raw);
		free(data);
	}
}

typedef void hmac(const void *key, size_t key_len, const void *data, size_t len, uint8_t *out);

struct vector {
	const char *label;
	struct repeated key, data;
	const char *hex; /* as many digits as the RFC gives */
};

static void
same_macs(hmac *mac, const struct vector *vectors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *key = repeat(vectors[i].key);
		uint8_t *data = repeat(vectors[i].data);
		uint8_t out[SHA512_SIZE];
		char hex[2 * SHA512_SIZE + 1];

		mac(key, vectors[i].key.len, data, vectors[i].data.len, out);
		hex_encode(out, strlen(vectors[i].hex) / 2, hex);
		same_text(vectors[i].label, hex, vectors[i].hex);
		free(key);
		free(data);
	}
}

static void
matches_known_macs_of_sha256(void **state)
{
	static const struct vector vectors[] = {
		{ "RFC 4231 test case 1", { "\x0b", 20 }, { "Hi There", 8 },
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
		{ "RFC 4231 test case 2", { "Jefe", 4 }, { "what do ya want for nothing?", 28 },
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
		{ "RFC 4231 test case 3", { "\xaa", 20 }, { "\xdd", 50 },
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
		{ "RFC 4231 test case 4",
		    { "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12"
		      "\x13\x14\x15\x16\x17\x18\x19",
			25 },
		    { "\xcd", 50 },
		    "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
		{ "RFC 4231 test case 5", { "\x0c", 20 }, { "Test With Truncation", 20 },
		    "a3b6167473100ee06e0c796c2955552b" },
		{ "RFC 4231 test case 6", { "\xaa", 131 },
		    { "Test Using Larger Than Block-Size Key - Hash Key First", 54 },
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
		{ "RFC 4231 test case 7", { "\xaa", 131 },
		    { "This is a test using a larger than block-size key and a larger than "
		      "block-size data. The key needs to be hashed before being used by the "
		      "HMAC algorithm.",
			152 },
		    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
		{ "amoCRM's disconnect hook", { "secret", 6 },
		    { "01d01160-d7a0-4087-b4af-6a1bb83fcd1d|32720107", 45 },
		    "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74" },
		{ "no key, no data", { "", 0 }, { "", 0 },
		    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
		{ "a key of one block", { "k", 64 }, { "message", 7 },
		    "890f3a16e0ca0aaa3bf180f70fa8e3970b3fd6505e98fde157988dcc19d1685c" },
		{ "a key one byte longer than a block", { "k", 65 }, { "message", 7 },
		    "0c256505306af48015530c139bb7add5ad7a6a9291cd511278a067e765816fbd" },
	};

	(void)state;
	same_macs(hmac_sha256, vectors, ROWS(vectors));
}

static void
matches_known_macs_of_sha384(void **state)
{
	static const struct vector vectors[] = {
		{ "RFC 4231 test case 1", { "\x0b", 20 }, { "Hi There", 8 },
		    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"
		    "faea9ea9076ede7f4af152e8b2fa9cb6" },
		{ "RFC 4231 test case 2", { "Jefe", 4 }, { "what do ya want for nothing?", 28 },
		    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
		    "8e2240ca5e69e2c78b3239ecfab21649" },
		{ "RFC 4231 test case 3", { "\xaa", 20 }, { "\xdd", 50 },
		    "88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b"
		    "2a5ab39dc13814b94e3ab6e101a34f27" },
		{ "RFC 4231 test case 6", { "\xaa", 131 },
		    { "Test Using Larger Than Block-Size Key - Hash Key First", 54 },
		    "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c6"
		    "0c2ef6ab4030fe8296248df163f44952" },
		{ "a key of one block", { "k", 128 }, { "message", 7 },
		    "c0070c9d542588f7ed36da514a4c6f44f3abc151f206f71af3e5636f07376486"
		    "543044e8b8047bbec2897ea96ba48fe2" },
		{ "a key one byte longer than a block", { "k", 129 }, { "message", 7 },
		    "8ee3383d12b7783da835741fe2c87d74c3df46b85c841d19215dc5623d1b30e7"
		    "fd59a2366574aae3519aeeda2921f023" },
	};

	(void)state;
	same_macs(hmac_sha384, vectors, ROWS(vectors));
}

static void
matches_known_macs_of_sha512(void **state)
{
	static const struct vector vectors[] = {
		{ "RFC 4231 test case 1", { "\x0b", 20 }, { "Hi There", 8 },
		    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
		    "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854" },
		{ "RFC 4231 test case 2", { "Jefe", 4 }, { "what do ya want for nothing?", 28 },
		    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
		    "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
		{ "RFC 4231 test case 3", { "\xaa", 20 }, { "\xdd", 50 },
		    "fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39"
		    "bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb" },
		{ "RFC 4231 test case 6", { "\xaa", 131 },
		    { "Test Using Larger Than Block-Size Key - Hash Key First", 54 },
		    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"
		    "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598" },
		{ "a key of one block", { "k", 128 }, { "message", 7 },
		    "805f06d4d6d9c923f1a7efd79ca62a1478d7c4e894197141c86ff559583f500e"
		    "6c2c704f9dd8c308a9e28e35537b5a8991d8ae7decbd1d3da1807a1c7c45ea55" },
		{ "a key one byte longer than a block", { "k", 129 }, { "message", 7 },
		    "45fbc89230c41637233ee17b490378762bbbf97f33ca184570a79d3bd33ec952"
		    "313f97605c20aa4b2ca01760fe03f3f454cd03db86acb45ec652fb97c66a4878" },
	};

	(void)state;
	same_macs(hmac_sha512, vectors, ROWS(vectors));
}

static void
compares_secrets(void **state)
{
	static const struct {
		const char *label, *a, *b;
		bool equal;
	} table[] = {
		{ "equal", "0123abcd", "0123abcd", true },
		{ "both empty", "", "", true },
		{ "both absent", NULL, NULL, false },
		{ "the second absent", "0123abcd", NULL, false },
		{ "the first absent", NULL, "0123abcd", false },
		{ "the first absent, the second empty", NULL, "", false },
		{ "the first character differs", "x123abcd", "0123abcd", false },
		{ "the last character differs", "0123abcx", "0123abcd", false },
		{ "case differs", "0123ABCD", "0123abcd", false },
		{ "the first is a prefix of the second", "0123", "0123abcd", false },
		{ "the second is a prefix of the first", "0123abcd", "0123", false },
		{ "only the first empty", "", "0", false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		DEMAND(table[i].label, timingsafe_equal(table[i].a, table[i].b) == table[i].equal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_known_digests),
		cmocka_unit_test(matches_known_macs_of_sha256),
		cmocka_unit_test(matches_known_macs_of_sha384),
		cmocka_unit_test(matches_known_macs_of_sha512),
		cmocka_unit_test(compares_secrets),
	};

	return cmocka_run_group_tests_name("sha2", tests, NULL, NULL);
}
