/* aes_gcm.c - see aes_gcm.h. */
#include "aes_gcm.h"

#include "base/encode.h"
#include "base/strbuf.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#define NONCE_SIZE 12 /* bytes; SP 800-38D section 5.2.1.1 */
#define TAG_SIZE   16

enum direction { DECRYPT = 0, ENCRYPT = 1 }; /* as EVP_CipherInit_ex numbers them */

/* The associated data is the key's id with its NUL, which ends it, and the context. */
static bool
run_cipher(EVP_CIPHER_CTX *cipher, enum direction direction, const struct key *key,
    const uint8_t *nonce, const char *context, const uint8_t *in, size_t len, uint8_t *out)
{
	size_t context_len = strlen(context);
	int n;

	return context_len <= INT_MAX && len <= INT_MAX
	    && EVP_CipherInit_ex(
		   cipher, EVP_aes_256_gcm(), NULL, key->secret, nonce, (int)direction)
	    == 1
	    && EVP_CipherUpdate(
		   cipher, NULL, &n, (const uint8_t *)key->kid, (int)strlen(key->kid) + 1)
	    == 1
	    && EVP_CipherUpdate(cipher, NULL, &n, (const uint8_t *)context, (int)context_len) == 1
	    && EVP_CipherUpdate(cipher, out, &n, in, (int)len) == 1;
}

static bool
encrypt(const struct key *key, const uint8_t *nonce, const char *context, const char *secret,
    size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int n;
	bool ok = cipher != NULL
	    && run_cipher(cipher, ENCRYPT, key, nonce, context, (const uint8_t *)secret, len, out)
	    && EVP_CipherFinal_ex(cipher, out + len, &n) == 1
	    && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, out + len) == 1;

	EVP_CIPHER_CTX_free(cipher);
	return ok;
}

static bool
decrypt(const struct key *key, const uint8_t *nonce, const char *context, const uint8_t *in,
    size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	uint8_t tag[TAG_SIZE];
	int n;
	bool ok;

	memcpy(tag, in + len, sizeof tag);
	ok = cipher != NULL && run_cipher(cipher, DECRYPT, key, nonce, context, in, len, out)
	    && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, sizeof tag, tag) == 1
	    && EVP_CipherFinal_ex(cipher, out + len, &n) == 1;
	EVP_CIPHER_CTX_free(cipher);
	return ok;
}

void
aes_gcm_prepare(void)
{
	uint8_t byte;

	EVP_CIPHER_free(EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL));
	(void)RAND_bytes(&byte, 1);
}

bool
aes_gcm_seal(struct ctx *ctx, const struct key *key, const char *context, const char *secret,
    const char **sealed)
{
	size_t len = strlen(secret);
	uint8_t *bytes;
	struct strbuf sb;

	if (!ctx_alloc(ctx, NONCE_SIZE + len + TAG_SIZE, &bytes))
		return false;
	if (RAND_bytes(bytes, NONCE_SIZE) != 1
	    || !encrypt(key, bytes, context, secret, len, bytes + NONCE_SIZE))
		return fault(ctx, FAULT_SERVER, "the cipher failed");
	strbuf_init(ctx, &sb);
	base64url_encode(&sb, bytes, NONCE_SIZE + len + TAG_SIZE);
	return strbuf_finish(&sb, sealed);
}

bool
aes_gcm_open(struct ctx *ctx, const struct key *key, const char *context, const char *sealed,
    const char **secret)
{
	const uint8_t *bytes;
	size_t len;
	uint8_t *out;

	if (!base64url_decode(ctx, sealed, strlen(sealed), &bytes, &len)
	    || len < NONCE_SIZE + TAG_SIZE)
		return fault(ctx, FAULT_STORAGE, "encrypted data is corrupt");
	len -= NONCE_SIZE + TAG_SIZE;
	if (!ctx_alloc(ctx, len + 1, &out))
		return false;
	if (!decrypt(key, bytes, context, bytes + NONCE_SIZE, len, out)) {
		explicit_bzero(out, len);
		return fault(ctx, FAULT_STORAGE,
		    "encrypted data cannot be decrypted: it, or key \"%s\", was changed", key->kid);
	}
	*secret = (const char *)out;
	return true;
}
