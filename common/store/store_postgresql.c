/* store_postgresql.c - see store_postgresql.h.
 *
 *   store_together   "begin", what body does, "commit"
 *   store_commit     the same; body is "read", the edits, "write"
 *
 * Whatever fails with FAULT_UNAVAILABLE is repeated by postgresql_retry: in a section all of it.
 */
#include "store/store_postgresql.h"

#include "helper/postgresql.h"
#include "store/store_message.h"
#include "store/store_op.h"
#include "text/json.h"

#include <string.h>

static bool
check_key(struct ctx *ctx, const char *key)
{
	return strlen(key) <= STORE_KEY_MAX
	    || fault(ctx, FAULT_REQUEST, "a record's key is over %d bytes", STORE_KEY_MAX);
}

/* Sends a request whose reply is values, of which it must have count. */
static bool
send_for_values(struct ctx *ctx, struct strbuf *sb, size_t count, struct store_values *values)
{
	struct json_object *reply = postgresql_send(ctx, sb);

	return postgresql_finish(ctx, reply,
	    reply != NULL && store_values_decode(ctx, reply, values) && values->count == count);
}

struct get {
	const struct store_config *store;
	const char *key;
	const char *value;
};

static bool
get(struct ctx *ctx, void *arg)
{
	struct get *get = arg;
	struct store_values values;
	struct strbuf sb;

	postgresql_request(ctx, get->store, "get", &sb);
	json_add_member(&sb, "key", get->key);
	if (!send_for_values(ctx, &sb, 1, &values))
		return false;
	get->value = values.values[0];
	return true;
}

bool
store_postgresql_get(
    struct ctx *ctx, const struct store_config *store, const char *key, const char **value)
{
	struct get step = { store, key, NULL };

	if (!check_key(ctx, key) || !postgresql_retry(ctx, get, &step))
		return false;
	*value = step.value;
	return true;
}

struct section {
	const struct store_config *store;
	const char *name; /* NULL: none */
	store_body *body;
	void *arg;
};

static bool
send_begin(struct ctx *ctx, const struct section *section)
{
	const struct store_begin begin = {
		section->name,
		ctx->database.lease,
		ctx->database.token,
	};
	struct strbuf sb;

	postgresql_request(ctx, section->store, "begin", &sb);
	store_begin_encode(&sb, &begin);
	return postgresql_tell(ctx, &sb);
}

static bool
send_commit(struct ctx *ctx, const struct section *section)
{
	struct strbuf sb;

	postgresql_request(ctx, section->store, "commit", &sb);
	return postgresql_tell(ctx, &sb);
}

/* A helper that has ended has taken the transaction with it. */
static void
send_roll_back(struct ctx *ctx, const struct section *section)
{
	struct strbuf sb;

	if (!ctx->helpers[HELPER_POSTGRESQL].running)
		return;
	postgresql_request(ctx, section->store, "roll_back", &sb);
	(void)postgresql_tell(ctx, &sb);
}

static bool
run_section(struct ctx *ctx, void *arg)
{
	const struct section *section = arg;
	bool outermost = ctx->database.sections == 0;
	char notes[CTX_NOTES_MAX];
	bool ok;

	if (!send_begin(ctx, section))
		return false;
	ctx->database.sections++;
	memcpy(notes, ctx->notes, sizeof notes);
	ok = section->body(ctx, section->arg);
	if (ok && outermost && !send_commit(ctx, section)) {
		memcpy(ctx->notes, notes, sizeof notes); /* what they tell is not stored */
		ok = false;
	}
	if (!ok && outermost)
		send_roll_back(ctx, section);
	ctx->database.sections--;
	return ok;
}

bool
store_postgresql_together(struct ctx *ctx, const struct store_config *store, const char *name,
    store_body *body, void *arg)
{
	struct section section = { store, name, body, arg };

	return postgresql_retry(ctx, run_section, &section);
}

struct commit {
	const struct store_config *store;
	const struct store_op *ops;
	size_t count;
};

static bool
read_values(struct ctx *ctx, const struct commit *commit, struct store_values *values)
{
	struct store_keys keys = { .count = commit->count };
	struct strbuf sb;

	for (size_t i = 0; i < commit->count; i++)
		keys.keys[i] = commit->ops[i].key;
	postgresql_request(ctx, commit->store, "read", &sb);
	store_keys_encode(&sb, &keys);
	return send_for_values(ctx, &sb, commit->count, values);
}

static bool
edit_value(
    struct ctx *ctx, const struct store_op *op, const char *old, struct store_changes *changes)
{
	const char *value = old;

	if (!op->edit(ctx, op->arg, old, &value))
		return false;
	if (value != NULL && strlen(value) > STORE_VALUE_MAX)
		return fault(ctx, FAULT_SERVER, "a record is over %d bytes", STORE_VALUE_MAX);
	if (store_op_differs(op, old, value))
		changes->changes[changes->count++] = (struct store_change){ op->key, value,
			value == NULL ? 0 : strlen(value), op->expires, old == NULL };
	return true;
}

/* The body of a section. */
static bool
change_records(struct ctx *ctx, void *arg)
{
	const struct commit *commit = arg;
	struct store_changes changes = { .count = 0 };
	struct store_values old;
	struct strbuf sb;

	if (!read_values(ctx, commit, &old))
		return false;
	for (size_t i = 0; i < commit->count; i++)
		if (!edit_value(ctx, &commit->ops[i], old.values[i], &changes))
			return false;
	if (changes.count == 0)
		return true;
	postgresql_request(ctx, commit->store, "write", &sb);
	store_changes_encode(&sb, &changes);
	return postgresql_tell(ctx, &sb);
}

bool
store_postgresql_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count)
{
	struct commit commit = { store, ops, count };

	if (count > STORE_OPS_MAX)
		return fault(ctx, FAULT_SERVER, "%zu changes at once are too many", count);
	for (size_t i = 0; i < count; i++)
		if (!check_key(ctx, ops[i].key))
			return false;
	if (ctx->database.sections > 0)
		return change_records(ctx, &commit);
	return store_postgresql_together(ctx, store, NULL, change_records, &commit);
}

struct walk {
	const struct store_config *store;
	const char *prefix;
	char after[STORE_KEY_MAX + 1]; /* the last key that was visited */
	struct json_object *reply;     /* a page */
};

static bool
get_page(struct ctx *ctx, void *arg)
{
	struct walk *walk = arg;
	const struct store_range range = { walk->prefix, walk->after };
	struct strbuf sb;

	postgresql_request(ctx, walk->store, "each", &sb);
	store_range_encode(&sb, &range);
	walk->reply = postgresql_send(ctx, &sb);
	return walk->reply != NULL;
}

static bool
visit_record(struct ctx *ctx, struct walk *walk, const struct store_page *page, size_t index,
    store_visit *visit, void *arg)
{
	size_t mark = arena_mark(ctx);
	const char *key;
	const char *value;
	bool ok;

	if (!store_page_record(ctx, page, index, &key, &value) || strlen(key) > STORE_KEY_MAX)
		return postgresql_refuse_reply(ctx);
	memcpy(walk->after, key, strlen(key) + 1);
	ok = visit(ctx, arg, key, value);
	arena_rewind(ctx, mark);
	return ok;
}

static bool
visit_page(struct ctx *ctx, struct walk *walk, bool *more, store_visit *visit, void *arg)
{
	struct store_page page;

	if (!store_page_decode(walk->reply, &page))
		return postgresql_refuse_reply(ctx);
	for (size_t i = 0; i < page.count; i++)
		if (!visit_record(ctx, walk, &page, i, visit, arg))
			return false;
	*more = page.more && page.count > 0;
	return true;
}

bool
store_postgresql_each(struct ctx *ctx, const struct store_config *store, const char *prefix,
    store_visit *visit, void *arg)
{
	struct walk walk = { .store = store, .prefix = prefix };
	bool more = true;
	bool ok = true;

	while (ok && more) {
		size_t mark = arena_mark(ctx);

		if (!postgresql_retry(ctx, get_page, &walk))
			return false;
		arena_rewind(ctx, mark);
		ok = visit_page(ctx, &walk, &more, visit, arg);
		json_object_put(walk.reply);
	}
	return ok;
}
