/* engine_query.c - see engine_query.h. */
#include "engine_query.h"

#include "helper/postgresql.h"
#include "text/json.h"

struct query {
	const struct store_config *store;
	const char *verb;
	struct json_object *reply;
};

static bool
ask(struct ctx *ctx, void *arg)
{
	struct query *query = arg;
	struct strbuf sb;

	postgresql_request(ctx, query->store, query->verb, &sb);
	query->reply = postgresql_send(ctx, &sb);
	return query->reply != NULL;
}

struct json_object *
engine_query(struct ctx *ctx, const struct store_config *store, const char *verb)
{
	struct query query = { store, verb, NULL };

	return postgresql_retry(ctx, ask, &query) ? query.reply : NULL;
}

const char *
engine_text(const struct json_object *reply, const char *name)
{
	const char *text = json_get_string(reply, name);

	return text == NULL ? "" : text;
}

long long
engine_number(const struct json_object *reply, const char *name)
{
	int64_t number;

	return json_get_integer(reply, name, &number) ? number : -1;
}
