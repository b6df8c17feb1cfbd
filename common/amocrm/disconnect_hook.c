/* disconnect_hook.c - see disconnect_hook.h. */
#include "amocrm/disconnect_hook.h"

#include "base/encode.h"
#include "base/sha2.h"
#include "text/form.h"

#include <string.h>

#define VALUE_MAX 1024 /* bytes; longer than any value, so that a wrong one fails the signature */

struct hook {
	const char *client_uuid;
	const char *account_id;
	const char *signature;
};

static bool
read_hook(struct ctx *ctx, const char *query, struct hook *hook)
{
	enum { CLIENT_UUID, ACCOUNT_ID, SIGNATURE, FIELDS };
	struct form_field field[FIELDS] = {
		[CLIENT_UUID] = { .name = "client_uuid", .max = VALUE_MAX },
		[ACCOUNT_ID] = { .name = "account_id", .max = VALUE_MAX },
		[SIGNATURE] = { .name = "signature", .max = VALUE_MAX },
	};

	if (!form_parse(ctx, query, field, FIELDS))
		return false;
	hook->client_uuid = field[CLIENT_UUID].value;
	hook->account_id = field[ACCOUNT_ID].value;
	hook->signature = field[SIGNATURE].value;
	return true;
}

/* The signed message is "<client_uuid>|<account_id>"; amoCRM writes the account id in decimal. */
static bool
verify(
    struct ctx *ctx, const struct amocrm_config *cfg, const struct hook *hook, int64_t *account_id)
{
	uint8_t mac[SHA256_SIZE];
	char expected[SHA256_HEX_SIZE];
	const char *message;

	if (hook->client_uuid == NULL || hook->account_id == NULL || hook->signature == NULL)
		return fault(
		    ctx, FAULT_SIGNATURE, "client_uuid, account_id or signature is missing");
	if (strcmp(hook->client_uuid, cfg->client_id) != 0)
		return fault(ctx, FAULT_SIGNATURE, "client_uuid is not our client_id");
	if (!decimal_parse(hook->account_id, account_id))
		return fault(ctx, FAULT_SIGNATURE, "account_id is not a plain decimal number");
	if (!ctx_printf(ctx, &message, "%s|%s", hook->client_uuid, hook->account_id))
		return false;
	hmac_sha256(cfg->client_secret, strlen(cfg->client_secret), message, strlen(message), mac);
	hex_encode(mac, sizeof mac, expected);
	return timingsafe_equal(hook->signature, expected)
	    || fault(ctx, FAULT_SIGNATURE, "the signature was not made with client_secret");
}

bool
disconnect_hook_verify(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *query, int64_t *account_id)
{
	struct hook hook;

	return read_hook(ctx, query, &hook) && verify(ctx, cfg, &hook, account_id);
}
