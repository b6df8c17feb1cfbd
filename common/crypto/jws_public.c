/* jws_public.c - the algorithms of public keys, which amo-crm-crypto does for us; see jws.h.
 *
 *   -> {"do":"verify","algorithm":…,"public_key":"<path>","signed":…,"signature":"<base64url>"}
 *   <- {"valid":1}
 */
#include "base/clock.h"
#include "crypto/jws.h"
#include "helper/helper.h"

#include "base/encode.h"
#include "base/strbuf.h"

#define WAIT_MS 10000 /* for what takes a millisecond, on a machine that is very busy */

static bool
verify(struct ctx *ctx, const struct jws_key *key, const struct jws *jws)
{
	const char *signed_text;
	const char *line;
	struct json_object *doc;
	struct strbuf sb;
	int64_t valid = 0;

	if (!ctx_strndup(ctx, jws->signed_part, jws->signed_len, &signed_text))
		return false;
	strbuf_init(ctx, &sb);
	strbuf_addf(
	    &sb, "{\"do\":\"verify\",\"algorithm\":\"%s\",\"public_key\":", jws->algorithm->name);
	json_add_string(&sb, key->public_key);
	strbuf_addstr(&sb, ",\"signed\":");
	json_add_string(&sb, signed_text);
	strbuf_addstr(&sb, ",\"signature\":\"");
	base64url_encode(&sb, jws->signature, jws->signature_len);
	strbuf_addstr(&sb, "\"}\n");
	if (!strbuf_finish(&sb, &line)
	    || (doc = helper_request(ctx, HELPER_CRYPTO, line, clock_ms() + WAIT_MS)) == NULL)
		return false;
	if (!json_integer(doc, "valid", &valid))
		ctx_fault(ctx, FAULT_SERVER, "amo-crm-crypto did not say whether a token is valid");
	json_object_put(doc);
	return valid == 1;
}

const struct jws_algorithm jws_rs256 = { "RS256", verify };
const struct jws_algorithm jws_es256 = { "ES256", verify };
const struct jws_algorithm jws_eddsa = { "EdDSA", verify };
