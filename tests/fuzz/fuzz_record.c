/* fuzz_record.c - connections as they are stored: read, changed, and refused when corrupt. */
#include "fuzz.h"

#include "connection/record.h"

static void
check_connection(const struct connection *connection)
{
	MUST(connection->host != NULL && connection->clear != NULL && connection->sealed != NULL);
	MUST(connection->state == CONNECTION_ACTIVE || connection->state == CONNECTION_REVOKED);
}

/* Another state changes the state, and nothing else. */
static void
check_state(struct ctx *ctx, const char *value, const struct connection *connection)
{
	enum connection_state state;
	struct connection again;
	const char *changed;

	MUST(record_state(ctx, value, &state) && state == connection->state);
	for (int to = CONNECTION_ACTIVE; to <= CONNECTION_REVOKED; to++) {
		MUST(record_with_state(ctx, value, (enum connection_state)to, &changed));
		MUST(record_read(ctx, changed, &again));
		MUST((int)again.state == to && again.account_id == connection->account_id);
		MUST(strcmp(again.clear, connection->clear) == 0);
		MUST(strcmp(again.sealed, connection->sealed) == 0);
		MUST(to != (int)connection->state || strcmp(changed, value) == 0);
	}
}

static bool
is_visible(const char *token)
{
	for (; *token != '\0'; token++)
		if (*token <= ' ' || *token > '~')
			return false;
	return true;
}

static void
check_tokens(struct ctx *ctx, const char *text)
{
	struct tokens tokens;
	struct tokens again;
	const char *written;

	if (!tokens_read(ctx, text, &tokens)) {
		MUST(ctx->kind != FAULT_NONE);
		ctx_clear_fault(ctx);
		return;
	}
	if (!is_visible(tokens.access_token) || !is_visible(tokens.refresh_token))
		return; /* amocrm_exchange and `import` let no such token in */
	MUST(tokens_write(ctx, &tokens, &written) && tokens_read(ctx, written, &again));
	MUST(strcmp(tokens.access_token, again.access_token) == 0);
	MUST(strcmp(tokens.refresh_token, again.refresh_token) == 0);
	MUST(tokens.expires_at == again.expires_at);
}

static void
check_key(struct ctx *ctx, const char *text)
{
	int64_t account_id;
	int64_t user_id;
	const char *key;

	if (record_key_read(text, &account_id, &user_id)) {
		MUST(account_id > 0 && user_id > 0);
		MUST(record_key(ctx, account_id, user_id, &key) && strcmp(key, text) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *value = fuzz_text(data, size);
	struct connection connection;
	struct ctx ctx;

	MUST(ctx_open(&ctx, 4 << 20));
	if (record_read(&ctx, value, &connection)) {
		MUST(ctx.kind == FAULT_NONE);
		check_connection(&connection);
		check_state(&ctx, value, &connection);
	} else {
		MUST(ctx.kind == FAULT_CORRUPT || ctx.kind == FAULT_SERVER);
		ctx_clear_fault(&ctx);
	}
	check_tokens(&ctx, value);
	check_key(&ctx, value);
	ctx_close(&ctx);
	free(value);
	return 0;
}
