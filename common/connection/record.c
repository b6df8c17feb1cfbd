/* record.c - see record.h. */
#include "connection/record.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "crypto/seal.h"
#include "text/json.h"

#include <stdlib.h>
#include <string.h>

#define ID_DIGITS_MAX 19 /* of the largest int64_t */

static const char *const state_names[] = {
	[CONNECTION_ACTIVE] = "active",
	[CONNECTION_REVOKED] = "revoked",
};

bool
record_key(struct ctx *ctx, int64_t account_id, int64_t amocrm_user_id, const char **key)
{
	return ctx_printf(
	    ctx, key, "connection:%lld:%lld", (long long)account_id, (long long)amocrm_user_id);
}

/* Only as record_key writes it: a record with another spelling of its key would never be found. */
static bool
read_id(const char **at, char end, int64_t *id)
{
	const char *stop = strchrnul(*at, end);
	char digits[ID_DIGITS_MAX + 1];
	size_t len = (size_t)(stop - *at);

	if (*stop != end || len > ID_DIGITS_MAX)
		return false;
	memcpy(digits, *at, len);
	digits[len] = '\0';
	*at = stop + (*stop != '\0');
	return decimal_parse(digits, id);
}

bool
record_key_read(const char *key, int64_t *account_id, int64_t *amocrm_user_id)
{
	static const char prefix[] = "connection:";
	const char *at = key + sizeof prefix - 1;

	return strncmp(key, prefix, sizeof prefix - 1) == 0 && read_id(&at, ':', account_id)
	    && read_id(&at, '\0', amocrm_user_id);
}

bool
tokens_write(struct ctx *ctx, const struct tokens *tokens, const char **text)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{\"access_token\":");
	json_add_string(&sb, tokens->access_token);
	strbuf_addstr(&sb, ",\"refresh_token\":");
	json_add_string(&sb, tokens->refresh_token);
	strbuf_addf(&sb, ",\"expires_at\":%lld}", (long long)tokens->expires_at);
	return strbuf_finish(&sb, text);
}

static bool
copy_string(struct ctx *ctx, const struct json_object *doc, const char *name, const char **out)
{
	return json_copy_string(ctx, doc, name, out)
	    && (*out != NULL || fault(ctx, FAULT_CORRUPT, "a record has no %s", name));
}

static bool
take_time(struct ctx *ctx, const struct json_object *doc, const char *name, time_t *out)
{
	int64_t seconds;

	if (!json_get_integer(doc, name, &seconds))
		return fault(ctx, FAULT_CORRUPT, "a record has no %s", name);
	*out = (time_t)seconds;
	return true;
}

bool
tokens_read(struct ctx *ctx, const char *text, struct tokens *tokens)
{
	struct json_object *doc = json_parse(text, strlen(text));
	bool ok = copy_string(ctx, doc, "access_token", &tokens->access_token)
	    && copy_string(ctx, doc, "refresh_token", &tokens->refresh_token)
	    && take_time(ctx, doc, "expires_at", &tokens->expires_at);

	json_object_put(doc);
	return ok;
}

static bool
write_clear(struct ctx *ctx, const struct connection *connection, const char **clear)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"account_id\":%lld,\"amocrm_user_id\":%lld,\"host\":",
	    (long long)connection->account_id, (long long)connection->amocrm_user_id);
	json_add_string(&sb, connection->host);
	strbuf_addstr(&sb, ",\"app_user\":");
	json_add_string(&sb, connection->app_user);
	if (connection->authorization != NULL) {
		strbuf_addstr(&sb, ",\"authorization\":");
		json_add_string(&sb, connection->authorization);
	}
	strbuf_addf(&sb, ",\"connected_at\":%lld,\"refreshed_at\":%lld,\"expires_at\":%lld}",
	    (long long)connection->connected_at, (long long)connection->refreshed_at,
	    (long long)connection->expires_at);
	return strbuf_finish(&sb, clear);
}

/* What is authenticated with the sealed tokens. */
static bool
seal_context(
    struct ctx *ctx, const struct connection *connection, const char *clear, const char **context)
{
	const char *key;

	return record_key(ctx, connection->account_id, connection->amocrm_user_id, &key)
	    && ctx_printf(ctx, context, "%s\n%s", key, clear);
}

bool
record_write(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    const struct tokens *tokens, const char **value)
{
	const char *clear;
	const char *context;
	const char *secret;
	const char *sealed;

	return write_clear(ctx, connection, &clear)
	    && seal_context(ctx, connection, clear, &context) && tokens_write(ctx, tokens, &secret)
	    && seal(ctx, ring, context, secret, &sealed)
	    && ctx_printf(ctx, value, "%s\n%s\n%s", state_names[connection->state], clear, sealed);
}

static bool
take_clear(struct ctx *ctx, const struct json_object *doc, struct connection *connection)
{
	if (!json_get_integer(doc, "account_id", &connection->account_id)
	    || !json_get_integer(doc, "amocrm_user_id", &connection->amocrm_user_id))
		return fault(ctx, FAULT_CORRUPT, "a record is not a connection");
	return json_copy_string(ctx, doc, "app_user", &connection->app_user)
	    && json_copy_string(ctx, doc, "authorization", &connection->authorization)
	    && copy_string(ctx, doc, "host", &connection->host)
	    && take_time(ctx, doc, "connected_at", &connection->connected_at)
	    && take_time(ctx, doc, "refreshed_at", &connection->refreshed_at)
	    && take_time(ctx, doc, "expires_at", &connection->expires_at);
}

/* *rest is what follows the state's line. */
static bool
read_state(struct ctx *ctx, const char *value, enum connection_state *state, const char **rest)
{
	size_t len = strcspn(value, "\n");

	for (size_t i = 0; i < sizeof state_names / sizeof *state_names; i++)
		if (strlen(state_names[i]) == len && strncmp(state_names[i], value, len) == 0
		    && value[len] == '\n') {
			*state = (enum connection_state)i;
			*rest = value + len + 1;
			return true;
		}
	return fault(ctx, FAULT_CORRUPT, "a record has no state");
}

bool
record_read(struct ctx *ctx, const char *value, struct connection *connection)
{
	const char *clear;
	size_t clear_len;
	struct json_object *doc;
	bool ok;

	if (!read_state(ctx, value, &connection->state, &clear))
		return false;
	clear_len = strcspn(clear, "\n");
	if (clear[clear_len] != '\n')
		return fault(ctx, FAULT_CORRUPT, "a record is truncated");
	connection->sealed = clear + clear_len + 1;
	if (!ctx_strndup(ctx, clear, clear_len, &connection->clear))
		return false;
	doc = json_parse(clear, clear_len);
	ok = take_clear(ctx, doc, connection);
	json_object_put(doc);
	return ok;
}

bool
record_state(struct ctx *ctx, const char *value, enum connection_state *state)
{
	const char *rest;

	return read_state(ctx, value, state, &rest);
}

bool
record_with_state(
    struct ctx *ctx, const char *value, enum connection_state state, const char **changed)
{
	enum connection_state before;
	const char *rest;

	return read_state(ctx, value, &before, &rest)
	    && ctx_printf(ctx, changed, "%s\n%s", state_names[state], rest);
}

bool
record_tokens(struct ctx *ctx, const struct keyring *ring, const struct connection *connection,
    struct tokens *tokens)
{
	const char *context;
	const char *secret;

	return seal_context(ctx, connection, connection->clear, &context)
	    && unseal(ctx, ring, context, connection->sealed, &secret)
	    && tokens_read(ctx, secret, tokens);
}
