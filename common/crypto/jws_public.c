/* jws_public.c - the algorithms of public keys, which amo-crm-crypto does for us; see jws.h.
 *
 *   -> {"do":"verify","algorithm":…,"public_key":"<path>","signed":…,"signature":"<base64url>"}
 *   <- {"valid":1}
 */
#include "base/clock.h"
#include "crypto/jws.h"
#include "helper/helper.h"

#include "base/encode.h"

#define WAIT_MS 10000 /* for what takes a millisecond, on a machine that is very busy */

static bool
verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	const char *signed_text;
	const char *line;
	struct json_object *doc;
	struct text t;
	int64_t valid = 0;

	if (!ctx_strndup(ctx, jws->signed_part, jws->signed_len, &signed_text))
		return false;
	text_begin(ctx, &t);
	text_print(
	    &t, "{\"do\":\"verify\",\"algorithm\":\"%s\",\"public_key\":", jws->algorithm->name);
	json_add_string(&t, key->public_key);
	text_add(&t, ",\"signed\":");
	json_add_string(&t, signed_text);
	text_add(&t, ",\"signature\":\"");
	base64url_encode(&t, jws->signature, jws->signature_len);
	text_add(&t, "\"}\n");
	if (!text_end(&t, &line)
	    || (doc = helper_ask(ctx, HELPER_CRYPTO, line, clock_ms() + WAIT_MS)) == NULL)
		return false;
	if (!json_integer(doc, "valid", &valid))
		ctx_fault(ctx, FAULT_SERVER, "amo-crm-crypto did not say whether a token is valid");
	json_object_put(doc);
	return valid == 1;
}

const struct jws_algorithm jws_rs256 = { "RS256", verify };
const struct jws_algorithm jws_es256 = { "ES256", verify };
const struct jws_algorithm jws_eddsa = { "EdDSA", verify };
