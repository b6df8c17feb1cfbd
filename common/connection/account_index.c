/* account_index.c - see account_index.h. */
#include "connection/account_index.h"

#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

static bool
account_key(struct ctx *ctx, int64_t account_id, const char **key)
{
	return ctx_printf(ctx, key, "account:%lld", (long long)account_id);
}

struct gathering {
	const char *prefix;
	char users[STORE_VALUE_MAX];
	size_t len;
};

static bool
gather(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct gathering *found = arg;
	const char *user = key + strlen(found->prefix);
	size_t len = strlen(user);

	(void)value;
	if (len + 2 > sizeof found->users - found->len)
		return fault(ctx, FAULT_SERVER, "the account has too many connections");
	if (found->len > 0)
		found->users[found->len++] = ' ';
	memcpy(found->users + found->len, user, len + 1);
	found->len += len;
	return true;
}

/* Of the records themselves: each names its account and user. */
static bool
make_anew(struct ctx *ctx, const struct store_config *store, int64_t account_id, const char *name)
{
	struct gathering *found;

	return ctx_alloc(ctx, sizeof *found, &found)
	    && ctx_printf(ctx, &found->prefix, "connection:%lld:", (long long)account_id)
	    && store_each(ctx, store, found->prefix, gather, found)
	    && store_put(ctx, store, name, found->len > 0 ? found->users : NULL, 0);
}

static bool
mend(struct ctx *ctx, const struct store_config *store, int64_t account_id, const char *name)
{
	const char *list;

	if (store_get(ctx, store, name, &list))
		return true;
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	return make_anew(ctx, store, account_id, name);
}

bool
account_index_lock(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, struct lock *lock)
{
	const char *name;

	if (!account_key(ctx, account_id, &name)
	    || !store_lock(ctx, store, name, STORE_WAIT_MS, lock))
		return false;
	if (mend(ctx, store, account_id, name))
		return true;
	lock_release(lock);
	return false;
}

bool
account_index_users(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, const char **list)
{
	const char *key;
	struct lock lock;

	if (!account_key(ctx, account_id, &key))
		return false;
	if (store_get(ctx, store, key, list))
		return true;
	if (ctx->kind != FAULT_CORRUPT)
		return false;
	ctx_clear_fault(ctx);
	if (!account_index_lock(ctx, store, account_id, &lock)) /* which mends it */
		return false;
	lock_release(&lock);
	return store_get(ctx, store, key, list);
}

bool
account_index_next(const char **list, int64_t *amocrm_user_id)
{
	char *end;

	if (*list == NULL || **list == '\0')
		return false;
	*amocrm_user_id = strtoll(*list, &end, 10);
	if (end == *list)
		return false;
	*list = end + (*end == ' ');
	return true;
}

static bool
is_on(const char *list, int64_t amocrm_user_id)
{
	int64_t id;

	while (account_index_next(&list, &id))
		if (id == amocrm_user_id)
			return true;
	return false;
}

bool
account_index_contains(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, bool *listed)
{
	const char *list;

	if (!account_index_users(ctx, store, account_id, &list))
		return false;
	*listed = is_on(list, amocrm_user_id);
	return true;
}

static bool
edit_users(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	struct account_index_edit *edit = arg;
	const char *list = edit->how == ACCOUNT_LEAVE_ONLY ? NULL : old;
	int64_t id;
	struct strbuf sb;

	edit->before = old;
	if (edit->how == ACCOUNT_ADD && is_on(old, edit->amocrm_user_id))
		return true;
	strbuf_init(ctx, &sb);
	while (account_index_next(&list, &id))
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
    struct ctx *ctx, int64_t account_id, struct account_index_edit *edit, struct store_op *change)
{
	*change = (struct store_op){ .edit = edit_users, .arg = edit };
	return account_key(ctx, account_id, &change->key);
}

static bool
change_list(struct ctx *ctx, const struct store_config *store, int64_t account_id,
    struct account_index_edit edit)
{
	struct store_op change;

	return account_index_op(ctx, account_id, &edit, &change)
	    && store_commit(ctx, store, &change, 1);
}

bool
account_index_add(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id)
{
	return change_list(ctx, store, account_id,
	    (struct account_index_edit){ amocrm_user_id, ACCOUNT_ADD, NULL });
}

bool
account_index_remove(
    struct ctx *ctx, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id)
{
	return change_list(ctx, store, account_id,
	    (struct account_index_edit){ amocrm_user_id, ACCOUNT_REMOVE, NULL });
}
