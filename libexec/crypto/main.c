/* main.c - amo-crm-crypto: encryption and public keys for the other programs (see helper.h), so
 * that OpenSSL's EVP is started only by this program, and only when there is something to do for
 * it.
 *
 *   program -- {"do":"seal" | "open" | "verify",…} -->  amo-crm-crypto
 *   program <-- {"text":…} or {"valid":…} ------------  amo-crm-crypto
 *
 * The messages are encoded and decoded in common/crypto/crypto_message.c.
 */
#include "aes_gcm.h"
#include "base/harden.h"
#include "crypto/crypto_message.h"
#include "helper/helper.h"
#include "jws_evp.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <unistd.h>

#define ARENA_SIZE (1u << 20) /* bytes; two tokens of 16 KB, and their sealed text, several times */

typedef bool cipher(struct ctx *ctx, const struct key *key, const char *context, const char *text,
    const char **result);

static bool
handle_cipher(struct ctx *ctx, const struct json_object *doc, cipher *run, struct strbuf *sb)
{
	struct cipher_request request;
	const char *result;

	if (!cipher_request_decode(ctx, doc, &request)
	    || !run(ctx, request.key, request.context, request.text, &result))
		return false;
	cipher_reply_encode(sb, result);
	return true;
}

static bool
handle_verify(struct ctx *ctx, const struct json_object *doc, struct strbuf *sb)
{
	struct verify_request request;
	bool valid;

	if (!verify_request_decode(ctx, doc, &request) || !jws_evp_verify(ctx, &request, &valid))
		return false;
	verify_reply_encode(sb, valid);
	return true;
}

static bool
handle(struct ctx *ctx, void *arg, const struct json_object *doc, struct strbuf *sb)
{
	enum crypto_operation operation;

	(void)arg;
	if (!crypto_operation_decode(ctx, doc, &operation))
		return false;
	if (operation == CRYPTO_VERIFY)
		return handle_verify(ctx, doc, sb);
	return handle_cipher(ctx, doc, operation == CRYPTO_SEAL ? aes_gcm_seal : aes_gcm_open, sb);
}

/* A helper that was started ahead of its first request has time to initialise the cipher. */
static void
prepare(void)
{
	struct pollfd request = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&request, 1, 0) == 0)
		aes_gcm_prepare();
}

int
main(void)
{
	harden_process();
	/* The system's openssl.cnf must not change how records are encrypted or which tokens are
	 * accepted; reading it also takes milliseconds. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	prepare();
	return helper_serve("amo-crm-crypto", ARENA_SIZE, handle, NULL);
}
