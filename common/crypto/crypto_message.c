/* crypto_message.c - see crypto_message.h.
 *
 *   -> {"do":"seal","kid":…,"key":"<hex>","context":…,"text":<plaintext>}
 *   <- {"text":<sealed>}
 *
 *   -> {"do":"open","kid":…,"key":"<hex>","context":…,"text":<sealed>}
 *   <- {"text":<plaintext>}
 *
 *   -> {"do":"verify","algorithm":…,"public_key":"<path>","signed":…,"signature":…}
 *   <- {"valid":1}
 *
 * Contexts, texts and signatures are base64url, since they are bytes, and JSON holds only UTF-8.
 */
#include "crypto/crypto_message.h"

#include "base/clock.h"
#include "base/encode.h"
#include "helper/helper.h"
#include "text/json.h"

#include <string.h>

#define WAIT_MS 10000 /* for a millisecond of work, on a server under heavy load */

static const char operations[CRYPTO_OPERATIONS][8] = {
	[CRYPTO_SEAL] = "seal",
	[CRYPTO_OPEN] = "open",
	[CRYPTO_VERIFY] = "verify",
};

static void
add_bytes(struct strbuf *sb, const char *name, const void *bytes, size_t len)
{
	strbuf_addf(sb, ",\"%s\":\"", name);
	base64url_encode(sb, bytes, len);
	strbuf_addch(sb, '"');
}

bool
cipher_request_encode(struct ctx *ctx, enum crypto_operation operation,
    const struct cipher_request *request, const char **line)
{
	char hex[2 * KEY_SIZE + 1];
	struct strbuf sb;

	hex_encode(request->key->secret, KEY_SIZE, hex);
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"do\":\"%s\",\"kid\":\"%s\",\"key\":\"%s\"", operations[operation],
	    request->key->kid, hex);
	explicit_bzero(hex, sizeof hex);
	add_bytes(&sb, "context", request->context, strlen(request->context));
	add_bytes(&sb, "text", request->text, strlen(request->text));
	strbuf_addstr(&sb, "}\n");
	return strbuf_finish(&sb, line);
}

bool
verify_request_encode(struct ctx *ctx, const struct verify_request *request, const char **line)
{
	const char *signed_part;
	struct strbuf sb;

	if (!ctx_strndup(ctx, request->signed_part, request->signed_len, &signed_part))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"do\":\"%s\"", operations[CRYPTO_VERIFY]);
	json_add_member(&sb, "algorithm", request->algorithm);
	json_add_member(&sb, "public_key", request->public_key);
	json_add_member(&sb, "signed", signed_part);
	add_bytes(&sb, "signature", request->signature, request->signature_len);
	strbuf_addstr(&sb, "}\n");
	return strbuf_finish(&sb, line);
}

struct json_object *
crypto_send(struct ctx *ctx, const char *line)
{
	struct json_object *reply = helper_request(ctx, HELPER_CRYPTO, line, clock_ms() + WAIT_MS);

	if (reply == NULL && ctx->kind == FAULT_REPLY_LOST)
		ctx->kind = FAULT_SERVER; /* nothing was sent to amoCRM */
	return reply;
}

static bool
decode_bytes(struct ctx *ctx, const struct json_object *doc, const char *name,
    const uint8_t **bytes, size_t *len)
{
	const char *base64url = json_get_string(doc, name);

	return base64url != NULL && base64url_decode(ctx, base64url, strlen(base64url), bytes, len);
}

/* False: it is not base64url, or holds a NUL. */
static bool
decode_text(struct ctx *ctx, const struct json_object *doc, const char *name, const char **text)
{
	const uint8_t *bytes;
	size_t len;

	if (!decode_bytes(ctx, doc, name, &bytes, &len))
		return false;
	*text = (const char *)bytes;
	return strlen(*text) == len;
}

bool
cipher_reply_decode(struct ctx *ctx, const struct json_object *doc, const char **text)
{
	return decode_text(ctx, doc, "text", text)
	    || fault(ctx, FAULT_SERVER, "amo-crm-crypto replied without a text");
}

bool
verify_reply_decode(struct ctx *ctx, const struct json_object *doc, bool *valid)
{
	int64_t number;

	if (!json_get_integer(doc, "valid", &number) || number < 0 || number > 1)
		return fault(
		    ctx, FAULT_SERVER, "amo-crm-crypto did not reply whether a signature is valid");
	*valid = number == 1;
	return true;
}

static bool
not_a_request(struct ctx *ctx)
{
	return fault(ctx, FAULT_SERVER, "amo-crm-crypto was sent a line that is not a request");
}

bool
crypto_operation_decode(
    struct ctx *ctx, const struct json_object *doc, enum crypto_operation *operation)
{
	const char *name = json_get_string(doc, "do");

	for (int i = 0; name != NULL && i < CRYPTO_OPERATIONS; i++)
		if (strcmp(operations[i], name) == 0) {
			*operation = (enum crypto_operation)i;
			return true;
		}
	return not_a_request(ctx);
}

static bool
decode_key(struct ctx *ctx, const struct json_object *doc, const struct key **out)
{
	const char *kid = json_get_string(doc, "kid");
	const char *hex = json_get_string(doc, "key");
	struct key *key;

	if (kid == NULL || strlen(kid) > KEY_ID_MAX || hex == NULL
	    || !ctx_alloc(ctx, sizeof *key, &key) || !hex_decode(hex, key->secret, KEY_SIZE))
		return false;
	memcpy(key->kid, kid, strlen(kid) + 1);
	*out = key;
	return true;
}

bool
cipher_request_decode(
    struct ctx *ctx, const struct json_object *doc, struct cipher_request *request)
{
	return (decode_key(ctx, doc, &request->key)
		   && decode_text(ctx, doc, "context", &request->context)
		   && decode_text(ctx, doc, "text", &request->text))
	    || not_a_request(ctx);
}

bool
verify_request_decode(
    struct ctx *ctx, const struct json_object *doc, struct verify_request *request)
{
	request->algorithm = json_get_string(doc, "algorithm");
	request->public_key = json_get_string(doc, "public_key");
	request->signed_part = json_get_string(doc, "signed");
	if (request->algorithm == NULL || request->public_key == NULL
	    || request->signed_part == NULL
	    || !decode_bytes(ctx, doc, "signature", &request->signature, &request->signature_len))
		return not_a_request(ctx);
	request->signed_len = strlen(request->signed_part);
	return true;
}

void
cipher_reply_encode(struct strbuf *sb, const char *text)
{
	strbuf_addstr(sb, "{\"text\":\"");
	base64url_encode(sb, text, strlen(text));
	strbuf_addstr(sb, "\"}");
}

void
verify_reply_encode(struct strbuf *sb, bool valid)
{
	strbuf_addf(sb, "{\"valid\":%d}", valid);
}
