/* digest.c - see digest.h. */
#define OPENSSL_API_COMPAT 0x10100000L /* the SHA256_* functions; EVP would start the providers */
#include "digest.h"

#include "encode.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define SHA256_BLOCK 64 /* bytes */

void
sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, data, len);
	SHA256_Final(out, &ctx);
}

void
sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	sha256(data, len, digest);
	hex_encode(digest, sizeof digest, out);
}

void
hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA256_SIZE])
{
	uint8_t block[SHA256_BLOCK] = { 0 };
	uint8_t inner[SHA256_BLOCK];
	uint8_t outer[SHA256_BLOCK];
	SHA256_CTX ctx;

	if (key_len > sizeof block)
		sha256(key, key_len, block);
	else
		memcpy(block, key, key_len);
	for (size_t i = 0; i < sizeof block; i++) {
		inner[i] = block[i] ^ 0x36;
		outer[i] = block[i] ^ 0x5c;
	}
	SHA256_Init(&ctx);
	SHA256_Update(&ctx, inner, sizeof inner);
	SHA256_Update(&ctx, data, len);
	SHA256_Final(out, &ctx);
	SHA256_Init(&ctx);
	SHA256_Update(&ctx, outer, sizeof outer);
	SHA256_Update(&ctx, out, SHA256_SIZE);
	SHA256_Final(out, &ctx);
	explicit_bzero(block, sizeof block);
	explicit_bzero(inner, sizeof inner);
	explicit_bzero(outer, sizeof outer);
	explicit_bzero(&ctx, sizeof ctx);
}

bool
secret_equal(const char *a, const char *b)
{
	size_t len;

	if (a == NULL || b == NULL)
		return false;
	len = strlen(a);
	return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}
