/* auth_code.c - see auth_code.h. */
#include "connection/auth_code.h"

#include "base/log.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "text/json.h"

#include <string.h>

#define ID_LEN 16 /* hex digits of the SHA-256: 64 bits tell authorizations apart */

bool
auth_code_key(struct ctx *ctx, const char *code, const char **key)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(code, strlen(code), hex);
	return ctx_printf(ctx, key, "code:%s", hex);
}

bool
auth_code_id(struct ctx *ctx, const char *key, const char **id)
{
	return ctx_strndup(ctx, key + strcspn(key, ":") + 1, ID_LEN, id);
}

/* Earlier versions wrote fewer members. */
static bool
read_code(struct ctx *ctx, const char *value, struct auth_code *code)
{
	struct json_object *doc = json_parse(value, strlen(value));
	const char *refused = json_get_string(doc, "refused");
	bool ok = json_copy_string(ctx, doc, "connection", &code->connection)
	    && json_copy_string(ctx, doc, "host", &code->host)
	    && json_copy_string(ctx, doc, "tokens", &code->tokens)
	    && json_copy_string(ctx, doc, "reserved_for", &code->reserved_for)
	    && json_copy_string(ctx, doc, "claimed_by", &code->claimed_by);

	code->refused = refused == NULL ? FAULT_NONE : fault_by_name(refused);
	if (!json_get_boolean(doc, "for_nobody", &code->unclaimable))
		code->unclaimable = false;
	json_object_put(doc);
	if (ok && code->connection == NULL && code->refused == FAULT_NONE
	    && (code->host == NULL || code->tokens == NULL))
		return fault(ctx, FAULT_STORAGE, "the record of a code is corrupt");
	return ok;
}

bool
auth_code_find(struct ctx *ctx, const struct store_config *store, const char *key, bool *found,
    struct auth_code *code)
{
	const char *value;

	if (!store_get(ctx, store, key, &value))
		return false;
	*found = value != NULL;
	return !*found || read_code(ctx, value, code);
}

bool
auth_code_op(struct ctx *ctx, const char *key, const struct auth_code *code, struct store_op *op)
{
	const char *value;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"connection\":");
	json_add_string(&sb, code->connection);
	json_add_member(&sb, "host", code->host);
	json_add_member(&sb, "tokens", code->tokens);
	json_add_member(&sb, "reserved_for", code->reserved_for);
	json_add_member(&sb, "claimed_by", code->claimed_by);
	json_add_member(
	    &sb, "refused", code->refused == FAULT_NONE ? NULL : fault_name(code->refused));
	strbuf_addf(&sb, ",\"for_nobody\":%s}", code->unclaimable ? "true" : "false");
	if (!strbuf_finish(&sb, &value))
		return false;
	*op = store_op_put(key, value, time(NULL) + AUTH_CODE_LIFE_S);
	return true;
}

void
auth_code_refuse(
    struct ctx *ctx, const struct store_config *store, const char *key, const char *host)
{
	struct ctx before = *ctx;
	const struct auth_code code = { .host = host, .refused = before.kind };
	struct store_op op;

	ctx_clear_fault(ctx);
	if (!auth_code_op(ctx, key, &code, &op) || !store_commit(ctx, store, &op, 1))
		log_note(ctx, "not_recorded", ctx->reason);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, before.kind, "%s", before.reason);
}
