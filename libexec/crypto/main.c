/* main.c - amo-crm-crypto: ciphers and public keys for the other programs (see helper.h), so that
 * only this one, and only when there is something to seal, open or verify, starts OpenSSL's EVP.
 *
 * What it is asked stands in common/crypto/seal.c and common/crypto/jws_public.c.
 */
#include "aes_gcm.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "helper/helper.h"
#include "jws_evp.h"
#include "text/json.h"

#include <openssl/crypto.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define ARENA_SIZE (1u << 20) /* bytes; two tokens of 16 KB, and their sealed text, several times */

static bool
not_understood(struct ctx *ctx)
{
	return fault(ctx, FAULT_SERVER, "amo-crm-crypto was sent a line it does not understand");
}

typedef bool cipher(struct ctx *ctx, const struct key *key, const char *context, const char *text,
    const char **result);

/* A member that holds bytes. */
static bool
read_bytes(struct ctx *ctx, const struct json_object *request, const char *name, const char **out)
{
	const char *base64url = json_string(request, name);
	const uint8_t *bytes;
	size_t len;

	if (base64url == NULL || !base64url_decode(ctx, base64url, strlen(base64url), &bytes, &len))
		return not_understood(ctx);
	*out = (const char *)bytes;
	return true;
}

static bool
read_key(struct ctx *ctx, const struct json_object *request, struct key *key)
{
	const char *kid = json_string(request, "kid");
	const char *hex = json_string(request, "key");

	if (kid == NULL || strlen(kid) > KEY_ID_MAX || hex == NULL
	    || !hex_decode(hex, key->secret, KEY_SIZE))
		return not_understood(ctx);
	memcpy(key->kid, kid, strlen(kid) + 1);
	return true;
}

static bool
answer_cipher(struct ctx *ctx, const struct json_object *request, cipher *run, struct strbuf *sb)
{
	struct key key;
	const char *context;
	const char *text;
	const char *result;
	bool ok = read_key(ctx, request, &key) && read_bytes(ctx, request, "context", &context)
	    && read_bytes(ctx, request, "text", &text) && run(ctx, &key, context, text, &result);

	explicit_bzero(&key, sizeof key);
	if (!ok)
		return false;
	strbuf_addstr(sb, "{\"text\":\"");
	base64url_encode(sb, result, strlen(result));
	strbuf_addstr(sb, "\"}");
	return true;
}

static const struct jws_algorithm *
algorithm_named(const char *name)
{
	static const struct jws_algorithm *const algorithms[] = { &evp_rs256, &evp_es256,
		&evp_eddsa };

	for (size_t i = 0; name != NULL && i < sizeof algorithms / sizeof *algorithms; i++)
		if (strcmp(algorithms[i]->name, name) == 0)
			return algorithms[i];
	return NULL;
}

static bool
answer_verify(struct ctx *ctx, const struct json_object *request, struct strbuf *sb)
{
	const char *signature = json_string(request, "signature");
	struct jws jws = { .algorithm = algorithm_named(json_string(request, "algorithm")),
		.signed_part = json_string(request, "signed") };
	struct jws_key key = { .public_key = json_string(request, "public_key") };
	bool valid;

	if (jws.algorithm == NULL || jws.signed_part == NULL || key.public_key == NULL
	    || signature == NULL
	    || !base64url_decode(
		ctx, signature, strlen(signature), &jws.signature, &jws.signature_len))
		return not_understood(ctx);
	jws.signed_len = strlen(jws.signed_part);
	valid = jws.algorithm->verify(ctx, &key, &jws);
	strbuf_addf(sb, "{\"valid\":%d}", valid);
	return ctx->kind == FAULT_NONE;
}

static bool
reply(struct ctx *ctx, void *arg, const struct json_object *request, struct strbuf *sb)
{
	const char *what = json_string(request, "do");

	(void)arg;
	if (what != NULL && strcmp(what, "seal") == 0)
		return answer_cipher(ctx, request, aes_gcm_seal, sb);
	if (what != NULL && strcmp(what, "open") == 0)
		return answer_cipher(ctx, request, aes_gcm_open, sb);
	if (what != NULL && strcmp(what, "verify") == 0)
		return answer_verify(ctx, request, sb);
	return not_understood(ctx);
}

/* Whoever is started early, and not asked yet, has the time to get ready for sealing. */
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
	/* The system's openssl.cnf has no say in how our records are sealed or what tokens we take,
	 * and costs milliseconds. */
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	prepare();
	return helper_serve("amo-crm-crypto", ARENA_SIZE, reply, NULL);
}
