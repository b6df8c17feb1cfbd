/* seal.c - has amo-crm-crypto seal and open; see seal.h.
 *
 *   -> {"do":"seal","kid":…,"key":"<hex>","context":…,"text":<the secret>}    <- {"text":<sealed>}
 *   -> {"do":"open","kid":…,"key":"<hex>","context":…,"text":<sealed>}    <- {"text":<the secret>}
 *
 * Contexts and texts go as base64url: they are bytes, and JSON holds only what is UTF-8.
 */
#include "crypto/seal.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/strbuf.h"
#include "helper/helper.h"
#include "text/json.h"

#include <string.h>

#define WAIT_MS 10000 /* for what takes a millisecond, on a machine that is very busy */

static void
add_base64url(struct strbuf *sb, const char *s)
{
	strbuf_addch(sb, '"');
	base64url_encode(sb, s, strlen(s));
	strbuf_addch(sb, '"');
}

static bool
ask(struct ctx *ctx, const char *what, const struct key *key, const char *context, const char *text,
    const char **reply)
{
	char hex[2 * KEY_SIZE + 1];
	struct json_object *doc = NULL;
	const char *line;
	const uint8_t *bytes = NULL;
	size_t len;
	struct strbuf sb;
	bool ok;

	hex_encode(key->secret, sizeof key->secret, hex);
	strbuf_init(ctx, &sb);
	strbuf_addf(
	    &sb, "{\"do\":\"%s\",\"kid\":\"%s\",\"key\":\"%s\",\"context\":", what, key->kid, hex);
	add_base64url(&sb, context);
	strbuf_addstr(&sb, ",\"text\":");
	add_base64url(&sb, text);
	strbuf_addstr(&sb, "}\n");
	explicit_bzero(hex, sizeof hex);
	if (strbuf_finish(&sb, &line))
		doc = helper_request(ctx, HELPER_CRYPTO, line, clock_ms() + WAIT_MS);
	if (doc == NULL)
		return false;
	text = json_string(doc, "text");
	ok = text != NULL && base64url_decode(ctx, text, strlen(text), &bytes, &len);
	*reply = (const char *)bytes;
	if (!ok)
		ctx_fault(ctx, FAULT_SERVER, "amo-crm-crypto sent no text");
	json_object_put(doc);
	return ok;
}

bool
seal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *secret,
    const char **sealed)
{
	const struct key *key = &ring->keys[0];
	const char *text;

	return ask(ctx, "seal", key, context, secret, &text)
	    && ctx_printf(ctx, sealed, "%s.%s", key->kid, text);
}

bool
unseal(struct ctx *ctx, const struct keyring *ring, const char *context, const char *sealed,
    const char **secret)
{
	size_t kid_len = strcspn(sealed, ".");
	const struct key *key = keyring_find(ring, sealed, kid_len);

	if (key == NULL)
		return fault(ctx, FAULT_STORAGE,
		    "sealed with key \"%.*s\", which is not in the key ring",
		    kid_len > KEY_ID_MAX ? KEY_ID_MAX : (int)kid_len, sealed);
	return ask(ctx, "open", key, context, sealed + kid_len + (sealed[kid_len] == '.'), secret);
}
