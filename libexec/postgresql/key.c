/* key.c - the keys that the hosts encrypt with: meta "key:<id>", the SHA-256 of a key, never the
 * key.  By them a host notices that its key ring is not that of the others.
 *
 *   -> {"do":"keys"}
 *   -> {"do":"add_keys","keys":{"k1":"<sha256>",…}}    adds those whose id is not there
 *   -> {"do":"set_keys","keys":{"k1":"<sha256>",…}}    these, and no others, from now on
 *   <- {"keys":{"k1":"<sha256>",…}}                    as they now are
 */
#include "verb.h"

#define ADD                                                                                        \
	"INSERT INTO meta SELECT 'key:' || key, value FROM json_each_text($1::json)"               \
	" ON CONFLICT (name) DO NOTHING"

#define SET                                                                                        \
	"WITH kept AS (INSERT INTO meta SELECT 'key:' || key, value FROM json_each_text($1::json)" \
	" ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING name)"                 \
	" DELETE FROM meta WHERE name LIKE 'key:%' AND name NOT IN (SELECT name FROM kept)"

#define READ                                                                                       \
	"SELECT json_object_agg(substr(name, 5), value)::text FROM meta WHERE name LIKE 'key:%'"

static bool
add_recorded(struct ctx *ctx, struct session *session, struct strbuf *sb)
{
	const PGresult *result;
	const char *keys;

	if (!session_query(ctx, session, READ, NULL, &result)
	    || !result_text(ctx, result, 0, 0, &keys))
		return false;
	strbuf_addf(sb, "{\"keys\":%s}", keys == NULL ? "null" : keys);
	return true;
}

static bool
keys(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	(void)request;
	return add_recorded(ctx, &server->session, sb);
}

static bool
change_keys(struct ctx *ctx, struct session *session, const char *sql,
    const struct json_object *request, struct strbuf *sb)
{
	struct json_object *changed = NULL;

	if (!json_object_object_get_ex(request, "keys", &changed)
	    || !json_object_is_type(changed, json_type_object))
		return verb_refuse(ctx);
	return session_change(
		   ctx, session, sql, PARAMS(param_text(json_object_to_json_string(changed))), NULL)
	    && add_recorded(ctx, session, sb);
}

static bool
add_keys(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	return change_keys(ctx, &server->session, ADD, request, sb);
}

static bool
set_keys(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	return change_keys(ctx, &server->session, SET, request, sb);
}

const struct verb key_verbs[] = {
	{ "keys", keys, 0 },
	{ "add_keys", add_keys, 0 },
	{ "set_keys", set_keys, 0 },
	{ NULL, NULL, 0 },
};
