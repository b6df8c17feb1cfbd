/* webhook_signature.c - see webhook_signature.h. */
#include "events/webhook_signature.h"

#include "base/encode.h"
#include "base/sha2.h"
#include "base/strbuf.h"

#include <string.h>

static const char prefix[] = "whsec_";

static bool
read_secret(struct ctx *ctx, const char *s, size_t len, const uint8_t **key, size_t *key_len)
{
	size_t prefix_len = sizeof prefix - 1;

	if (len <= prefix_len || strncmp(s, prefix, prefix_len) != 0
	    || !base64_decode(ctx, s + prefix_len, len - prefix_len, key, key_len)
	    || *key_len < WHSEC_MIN || *key_len > WHSEC_MAX)
		return fault(ctx, FAULT_CONFIG,
		    "[deliver] secret must be whsec_ and the base64 of %d to %d bytes", WHSEC_MIN,
		    WHSEC_MAX);
	return true;
}

bool
webhook_sign(struct ctx *ctx, const char *secrets, const char *id, time_t at, const char *body,
    const char **signature)
{
	const char *signed_text;
	struct strbuf sb;

	if (!ctx_printf(ctx, &signed_text, "%s.%lld.%s", id, (long long)at, body))
		return false;
	strbuf_init(ctx, &sb);
	while (*secrets != '\0') {
		size_t len = strcspn(secrets, " ");
		uint8_t mac[SHA256_SIZE];
		const uint8_t *key;
		size_t key_len;

		if (!read_secret(ctx, secrets, len, &key, &key_len))
			return false;
		hmac_sha256(key, key_len, signed_text, strlen(signed_text), mac);
		strbuf_addstr(&sb, sb.len > 0 ? " v1," : "v1,");
		base64_encode(&sb, mac, sizeof mac);
		secrets += len;
		secrets += strspn(secrets, " ");
	}
	return strbuf_finish(&sb, signature);
}
