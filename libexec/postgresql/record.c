/* record.c - the verbs of the store's records.
 *
 *   -> {"do":"get","key":…}
 *   <- {"value":"<base64url>"} or {"value":null}
 */
#include "verb.h"

#define LIVE "(expires IS NULL OR expires > now())"

static bool
get(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const char *key = json_get_string(request, "key");
	const PGresult *result;
	const void *value = NULL;
	size_t len = 0;

	if (key == NULL)
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session,
		"SELECT value FROM record WHERE key = $1 AND " LIVE, PARAMS(param_text(key)),
		&result))
		return false;
	if (PQntuples(result) > 0)
		value = result_bytes(result, 0, 0, &len);
	strbuf_addch(sb, '{');
	json_add_bytes(sb, "value", value, len);
	strbuf_addch(sb, '}');
	return true;
}

const struct verb record_verbs[] = {
	{ "get", get, false },
	{ NULL, NULL, false },
};
