/* account_index.c - see account_index.h. */
#include "connection/account_index.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

bool
account_index_key(struct ctx *ctx, int64_t account_id, const char **key)
{
	return ctx_printf(ctx, key, "account:%lld", (long long)account_id);
}

struct rebuilt_index {
	const char *prefix; /* of the keys */
	char users[STORE_VALUE_MAX];
	size_t len;
};

static bool
add_user(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct rebuilt_index *index = arg;
	const char *user = key + strlen(index->prefix);
	size_t len = strlen(user);

	(void)value;
	if (len + 2 > sizeof index->users - index->len)
		return fault(ctx, FAULT_SERVER, "the account has too many connections");
	if (index->len > 0)
		index->users[index->len++] = ' ';
	memcpy(index->users + index->len, user, len + 1);
	index->len += len;
	return true;
}

/* What cannot be read now, `amocrmctl repair` adds to the index when it can be. */
static bool
skip_unreadable(struct ctx *ctx)
{
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	return true;
}

/* The keys of the connections name account and user. */
static bool
rebuild(struct ctx *ctx, const struct store_config *store, int64_t account_id, const char *key)
{
	struct rebuilt_index *index;

	return ctx_alloc(ctx, sizeof *index, &index)
	    && ctx_printf(ctx, &index->prefix, "connection:%lld:", (long long)account_id)
	    && (store_each(ctx, store, index->prefix, add_user, index) || skip_unreadable(ctx))
	    && store_put(ctx, store, key, index->len > 0 ? index->users : NULL, 0);
}

static bool
rebuild_if_corrupt(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, const char *key)
{
	const char *users;

	if (store_get(ctx, store, key, &users))
		return true;
	if (!skip_unreadable(ctx))
		return false;
	return rebuild(ctx, store, account_id, key);
}

struct section {
	const struct store_config *store;
	int64_t account_id;
	const char *key;
	store_body *body;
	void *arg;
};

static bool
run_section(struct ctx *ctx, void *arg)
{
	const struct section *section = arg;

	return rebuild_if_corrupt(ctx, section->store, section->account_id, section->key)
	    && section->body(ctx, section->arg);
}

/* A database keeps its records as they were written. */
static bool
may_be_corrupt(const struct store_config *store)
{
	return store->engine == ENGINE_FILES;
}

bool
account_index_together(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    store_body *body, void *arg)
{
	struct section section = { store, account_id, NULL, body, arg };

	if (!account_index_key(ctx, account_id, &section.key))
		return false;
	return may_be_corrupt(store)
	    ? store_together(ctx, store, section.key, run_section, &section)
	    : store_together(ctx, store, section.key, body, arg);
}

static bool
do_nothing(struct ctx *ctx, void *arg)
{
	(void)ctx;
	(void)arg;
	return true;
}

bool
account_index_repair(struct ctx *ctx, const struct store_config *store, int64_t account_id)
{
	return !may_be_corrupt(store)
	    || account_index_together(ctx, store, account_id, do_nothing, NULL);
}

bool
account_index_users(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, const char **users)
{
	const char *key;

	if (!account_index_key(ctx, account_id, &key))
		return false;
	if (store_get(ctx, store, key, users))
		return true;
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	return account_index_repair(ctx, store, account_id) && store_get(ctx, store, key, users);
}

bool
account_index_next(const char **users, int64_t *amocrm_user_id)
{
	char *end;

	if (*users == NULL || **users == '\0')
		return false;
	*amocrm_user_id = strtoll(*users, &end, 10);
	if (end == *users)
		return false;
	*users = end + (*end == ' ');
	return true;
}

static bool
contains(const char *users, int64_t amocrm_user_id)
{
	int64_t id;

	while (account_index_next(&users, &id))
		if (id == amocrm_user_id)
			return true;
	return false;
}

bool
account_index_contains(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, bool *listed)
{
	const char *users;

	if (!account_index_users(ctx, store, account_id, &users))
		return false;
	*listed = contains(users, amocrm_user_id);
	return true;
}

static bool
edit_users(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	struct account_index_edit *edit = arg;
	const char *users = edit->how == ACCOUNT_KEEP_ONLY ? NULL : old;
	int64_t id;
	struct strbuf sb;

	edit->before = old;
	if (edit->how == ACCOUNT_ADD && contains(old, edit->amocrm_user_id))
		return true;
	strbuf_init(ctx, &sb);
	while (account_index_next(&users, &id))
		if (id != edit->amocrm_user_id)
			strbuf_addf(&sb, "%s%lld", sb.len > 0 ? " " : "", (long long)id);
	if (edit->how != ACCOUNT_REMOVE)
		strbuf_addf(&sb, "%s%lld", sb.len > 0 ? " " : "", (long long)edit->amocrm_user_id);
	if (!strbuf_finish(&sb, value))
		return false;
	if (**value == '\0')
		*value = NULL;
	else if (old != NULL && strcmp(old, *value) == 0)
		*value = old;
	return true;
}

bool
account_index_op(
    struct ctx *ctx, int64_t account_id, struct account_index_edit *edit, struct store_op *op)
{
	*op = (struct store_op){ .edit = edit_users, .arg = edit };
	return account_index_key(ctx, account_id, &op->key);
}

bool
account_index_add(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id)
{
	struct account_index_edit edit = { amocrm_user_id, ACCOUNT_ADD, NULL };
	struct store_op op;

	return account_index_op(ctx, account_id, &edit, &op) && store_commit(ctx, store, &op, 1);
}
