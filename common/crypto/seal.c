/* seal.c - see seal.h.  The encryption itself is done by amo-crm-crypto (libexec/crypto/aes_gcm.c).
 */
#include "crypto/seal.h"

#include "crypto/crypto_message.h"

#include <json-c/json_object.h>
#include <string.h>

static bool
run_cipher(struct ctx *ctx, enum crypto_operation operation, const struct cipher_request *request,
    const char **text)
{
	struct json_object *doc;
	const char *line;
	bool ok;

	if (!cipher_request_encode(ctx, operation, request, &line)
	    || (doc = crypto_send(ctx, line)) == NULL)
		return false;
	ok = cipher_reply_decode(ctx, doc, text);
	json_object_put(doc);
	return ok;
}

bool
seal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *secret,
    const char **sealed)
{
	const struct key *key = &ring->keys[0];
	const char *text;

	return run_cipher(ctx, CRYPTO_SEAL, &(struct cipher_request){ key, context, secret }, &text)
	    && ctx_printf(ctx, sealed, "%s.%s", key->kid, text);
}

bool
unseal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *sealed,
    const char **secret)
{
	size_t kid_len = strcspn(sealed, ".");
	const struct key *key = keyring_find(ring, sealed, kid_len);
	const char *text = sealed + kid_len + (sealed[kid_len] == '.');

	if (key == NULL)
		return fault(ctx, FAULT_STORAGE,
		    "encrypted with key \"%.*s\", which is not in the key ring",
		    kid_len > KEY_ID_MAX ? KEY_ID_MAX : (int)kid_len, sealed);
	return run_cipher(ctx, CRYPTO_OPEN, &(struct cipher_request){ key, context, text }, secret);
}
