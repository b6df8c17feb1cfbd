/* test_siphash.c - SipHash-1-3 is that of OpenSSL, for names of all lengths. */
#include "../../table.h"

#include "base/siphash.h"

#include <endian.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define LEN_MAX 64

/* SipHash-1-3 of OpenSSL (EVP_MAC-Siphash(7)). */
static uint64_t
expected(const uint8_t key[16], const uint8_t *bytes, size_t len)
{
	unsigned compression = 1;
	unsigned finalization = 3;
	size_t size = 8;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_uint("c-rounds", &compression),
		OSSL_PARAM_construct_uint("d-rounds", &finalization),
		OSSL_PARAM_construct_size_t("size", &size),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	uint64_t hash = 0;
	size_t written;

	assert_non_null(ctx);
	assert_true(EVP_MAC_CTX_set_params(ctx, params));
	assert_true(EVP_MAC_init(ctx, key, 16, NULL));
	assert_true(EVP_MAC_update(ctx, bytes, len));
	assert_true(EVP_MAC_final(ctx, (unsigned char *)&hash, &written, sizeof hash));
	assert_int_equal(written, sizeof hash);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return le64toh(hash);
}

static void
is_the_one_of_openssl(void **state)
{
	static const uint8_t key[16] = "0123456789abcde";
	uint8_t bytes[8 + LEN_MAX];
	uint64_t words[2];
	uint64_t head;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(255 - i);
	memcpy(words, key, sizeof words);
	memcpy(&head, bytes, sizeof head);
	for (int i = 0; i < 2; i++)
		words[i] = le64toh(words[i]);
	for (size_t len = 0; len <= LEN_MAX; len++)
		if (siphash(words, le64toh(head), bytes + 8, len) != expected(key, bytes, 8 + len))
			fail_msg("%zu bytes", len);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_one_of_openssl),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
