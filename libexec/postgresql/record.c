/* record.c - the verbs of the store's records: get, begin, read, write, commit, roll_back, each.
 *
 * The messages are encoded and decoded in common/store/store_message.c.
 */
#include "store/store_message.h"
#include "verb.h"

#include <string.h>

#define PAGE_RECORDS 200
#define PAGE_SIZE    (512 << 10) /* bytes of a page; few records are longer than 3 KB */
#define PRUNE_MAX    1000        /* expired records, and turns, that a helper removes in the end */

#define LIVE "(expires IS NULL OR expires > now())"

static bool
get(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	const char *key = json_get_string(request, "key");
	struct store_values values = { .count = 1 };
	const PGresult *result;

	if (key == NULL)
		return verb_refuse(ctx);
	if (!session_query(ctx, &server->session,
		"SELECT value FROM record WHERE key = $1 AND " LIVE, PARAMS(param_text(key)),
		&result))
		return false;
	if (PQntuples(result) > 0)
		values.values[0] = result_bytes(result, 0, 0, &values.lengths[0]);
	store_values_encode(sb, &values);
	return true;
}

/* Waits for the transaction that has the turn: inserts its row, or locks the one that is there,
 * whichever it is when others insert and delete it at the same time.  The row is not changed. */
static bool
add_turn(struct ctx *ctx, struct session *session, const char *turn, struct strbuf *sb)
{
	const char *name;

	if (turn == NULL)
		return true;
	if (!session_literal(ctx, session, turn, &name))
		return false;
	strbuf_addf(sb,
	    "; INSERT INTO turn VALUES (%s) ON CONFLICT (name) "
	    "DO UPDATE SET name = excluded.name WHERE false",
	    name);
	return true;
}

/* Gives a row if the lease still is the one with the token, and keeps others from taking it until
 * the transaction ends. */
static bool
add_fence(
    struct ctx *ctx, struct session *session, const struct store_begin *begin, struct strbuf *sb)
{
	const char *name;

	if (begin->lease == NULL)
		return true;
	if (!session_literal(ctx, session, begin->lease, &name))
		return false;
	strbuf_addf(sb, "; SELECT 1 FROM lease WHERE name = %s AND token = %lld FOR SHARE", name,
	    (long long)begin->token);
	return true;
}

static bool
begin_or_join(struct ctx *ctx, struct session *session, const char *sql, const PGresult **result)
{
	if (!session->open)
		return session_begin(ctx, session, sql, result);
	return *sql == '\0' || session_script(ctx, session, sql, result);
}

static bool
begin(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct session *session = &server->session;
	struct store_begin begin;
	const PGresult *result = NULL;
	struct strbuf sql;
	const char *statements;

	if (!store_begin_decode(request, &begin))
		return verb_refuse(ctx);
	strbuf_init(ctx, &sql);
	if (!add_turn(ctx, session, begin.turn, &sql) || !add_fence(ctx, session, &begin, &sql)
	    || !strbuf_finish(&sql, &statements)
	    || !begin_or_join(ctx, session, statements, &result))
		return false;
	if (begin.lease != NULL && PQntuples(result) == 0) {
		session_roll_back(session);
		return fault(ctx, FAULT_STORAGE,
		    "fenced off: the lease %s has passed to another holder", begin.lease);
	}
	strbuf_addstr(sb, "{}");
	return true;
}

/* Locks the rows in the order of their keys, so that writers cannot deadlock. */
static bool
select_records(struct ctx *ctx, struct session *session, const struct store_keys *keys,
    const PGresult **result)
{
	struct param params[STORE_OPS_MAX + 1];
	const char *sql;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "SELECT key, value, " LIVE "::int::text FROM record WHERE key IN (NULL");
	for (size_t i = 0; i < keys->count; i++) {
		strbuf_addf(&sb, ",$%zu", i + 1);
		params[i] = param_text(keys->keys[i]);
	}
	params[keys->count] = (struct param){ .type = PARAM_END };
	strbuf_addstr(&sb, ") ORDER BY key FOR UPDATE");
	return strbuf_finish(&sb, &sql) && session_query(ctx, session, sql, params, result);
}

/* -1: there is none. */
static int
find_row(const PGresult *result, const char *key)
{
	for (int row = 0; row < PQntuples(result); row++) {
		size_t len;
		const char *found = result_bytes(result, row, 0, &len);

		if (len == strlen(key) && memcmp(found, key, len) == 0)
			return row;
	}
	return -1;
}

static bool
read_records(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct store_values values = { .count = 0 };
	struct store_keys keys;
	const PGresult *result;

	if (!store_keys_decode(request, &keys))
		return verb_refuse(ctx);
	if (!select_records(ctx, &server->session, &keys, &result))
		return false;
	for (size_t i = 0; i < keys.count; i++) {
		int row = find_row(result, keys.keys[i]);

		if (row >= 0 && result_number(result, row, 2) == 1)
			values.values[i] = result_bytes(result, row, 1, &values.lengths[i]);
		values.count++;
	}
	store_values_encode(sb, &values);
	return true;
}

/* No row of an absent record could be locked, so another writer may have inserted it meanwhile. */
#define INSERT                                                                                     \
	"INSERT INTO record AS r (key, value, expires) VALUES ($1, $2, to_timestamp($3::bigint)) " \
	"ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires "      \
	"WHERE r.expires <= now()"
#define UPDATE "UPDATE record SET value = $2, expires = to_timestamp($3::bigint) WHERE key = $1"
#define DELETE "DELETE FROM record WHERE key = $1"

static bool
write_record(struct ctx *ctx, struct session *session, const struct store_change *change)
{
	if (change->value == NULL)
		return session_query(ctx, session, DELETE, PARAMS(param_text(change->key)), NULL);
	return session_query(ctx, session, change->absent ? INSERT : UPDATE,
		   PARAMS(param_text(change->key), param_bytes(change->value, change->len),
		       change->expires == 0 ? param_text(NULL) : param_number(change->expires)),
		   NULL)
	    && (session_changed(session) == 1
		|| fault(ctx, FAULT_UNAVAILABLE,
		    "another writer has stored the same record at the same time"));
}

static bool
write_records(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct store_changes changes;

	if (!store_changes_decode(ctx, request, &changes))
		return verb_refuse(ctx);
	for (size_t i = 0; i < changes.count; i++)
		if (!write_record(ctx, &server->session, &changes.changes[i]))
			return false;
	strbuf_addstr(sb, "{}");
	return true;
}

static bool
commit(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	(void)request;
	if (!session_commit(ctx, &server->session))
		return false;
	server->committed = true;
	strbuf_addstr(sb, "{}");
	return true;
}

static bool
roll_back(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	(void)ctx;
	(void)request;
	session_roll_back(&server->session);
	strbuf_addstr(sb, "{}");
	return true;
}

/* The lowest text above all that begin with prefix; NULL: there is none. */
static bool
end_of_range(struct ctx *ctx, const char *prefix, const char **end)
{
	size_t len = strlen(prefix);
	char *copy;

	*end = NULL;
	while (len > 0 && (unsigned char)prefix[len - 1] >= 0x7f)
		len--;
	if (len == 0)
		return true;
	if (!ctx_alloc(ctx, len + 1, &copy))
		return false;
	memcpy(copy, prefix, len);
	copy[len - 1]++;
	*end = copy;
	return true;
}

#define PAGE                                                                                       \
	"SELECT key, value FROM record WHERE key > $1 AND key >= $2 "                              \
	"AND ($3::text IS NULL OR key < $3) AND starts_with(key, $2) AND " LIVE                    \
	" ORDER BY key LIMIT $4::bigint"

static bool
each(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct store_range range;
	const PGresult *result;
	const char *end;
	int row;

	if (!store_range_decode(request, &range))
		return verb_refuse(ctx);
	if (!end_of_range(ctx, range.prefix, &end)
	    || !session_query(ctx, &server->session, PAGE,
		PARAMS(param_text(range.after), param_text(range.prefix), param_text(end),
		    param_number(PAGE_RECORDS)),
		&result))
		return false;
	store_page_begin(sb);
	for (row = 0; row < PQntuples(result) && sb->len < PAGE_SIZE; row++) {
		size_t key_len;
		const char *key = result_bytes(result, row, 0, &key_len);
		size_t len;
		const void *value = result_bytes(result, row, 1, &len);

		store_page_add(sb, key, key_len, value, len);
	}
	store_page_end(sb, row == PAGE_RECORDS || row < PQntuples(result));
	return true;
}

#define PRUNE                                                                                      \
	"DELETE FROM record WHERE key IN (SELECT key FROM record "                                 \
	"WHERE expires < now() - interval '1 hour' ORDER BY expires LIMIT $1::bigint)"

/* A row that nobody has locked is of no use; whoever comes next inserts it again.  Many are removed
 * at once, as that is a commit. */
#define PRUNE_TURNS                                                                                \
	"DELETE FROM turn WHERE name = ANY (ARRAY(SELECT name FROM turn "                          \
	"WHERE EXISTS (SELECT 1 FROM turn OFFSET $1::bigint) "                                     \
	"LIMIT $1::bigint FOR UPDATE SKIP LOCKED))"

/* Nobody reads these records, so it does not matter if that fails. */
void
record_prune(struct ctx *ctx, struct server *server)
{
	if (server->committed && server->session.conn != NULL)
		(void)(session_query(
			   ctx, &server->session, PRUNE, PARAMS(param_number(PRUNE_MAX)), NULL)
		    && session_query(
			ctx, &server->session, PRUNE_TURNS, PARAMS(param_number(PRUNE_MAX)), NULL));
}

const struct verb record_verbs[] = {
	{ "get", get, 0 },
	{ "begin", begin, 0 },
	{ "read", read_records, 0 },
	{ "write", write_records, 0 },
	{ "commit", commit, 0 },
	{ "roll_back", roll_back, 0 },
	{ "each", each, 0 },
	{ NULL, NULL, 0 },
};
