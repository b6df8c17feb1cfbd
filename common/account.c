/* account.c - see account.h. */
#include "account.h"

#include "store.h"

#include <stdlib.h>
#include <string.h>

static bool
account_key(struct work *w, int64_t account_id, const char **key)
{
	return work_print(w, key, "account:%lld", (long long)account_id);
}

bool
account_lock(
    struct work *w, const struct store_config *store, int64_t account_id, struct lock *lock)
{
	const char *name;

	return account_key(w, account_id, &name) && store_lock(w, store, name, STORE_WAIT_MS, lock);
}

bool
account_users(
    struct work *w, const struct store_config *store, int64_t account_id, const char **list)
{
	const char *key;

	return account_key(w, account_id, &key) && store_get(w, store, key, list);
}

bool
account_next(const char **list, int64_t *amocrm_user_id)
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

struct user_edit {
	int64_t amocrm_user_id;
	enum { USER_ADD, USER_REMOVE, USER_ALONE } how;
	const char *before; /* out: the list as it was, or NULL */
};

static bool
edit_users(struct work *w, void *context, const char *old, const char **value)
{
	struct user_edit *edit = context;
	const char *list = edit->how == USER_ALONE ? NULL : old;
	int64_t id;
	struct text t;

	edit->before = old;
	text_begin(w, &t);
	while (account_next(&list, &id))
		if (id != edit->amocrm_user_id)
			text_print(&t, "%s%lld", t.len > 0 ? " " : "", (long long)id);
	if (edit->how != USER_REMOVE)
		text_print(&t, "%s%lld", t.len > 0 ? " " : "", (long long)edit->amocrm_user_id);
	if (!text_end(&t, value))
		return false;
	if (**value == '\0')
		*value = NULL;
	else if (old != NULL && strcmp(old, *value) == 0)
		*value = old;
	return true;
}

static bool
change(struct work *w, const struct store_config *store, int64_t account_id, struct user_edit *edit)
{
	const char *key;

	return account_key(w, account_id, &key) && store_change(w, store, key, 0, edit_users, edit);
}

bool
account_add(
    struct work *w, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id)
{
	struct user_edit edit = { amocrm_user_id, USER_ADD, NULL };

	return change(w, store, account_id, &edit);
}

bool
account_remove(
    struct work *w, const struct store_config *store, int64_t account_id, int64_t amocrm_user_id)
{
	struct user_edit edit = { amocrm_user_id, USER_REMOVE, NULL };

	return change(w, store, account_id, &edit);
}

bool
account_leave_only(struct work *w, const struct store_config *store, int64_t account_id,
    int64_t amocrm_user_id, const char **before)
{
	struct user_edit edit = { amocrm_user_id, USER_ALONE, NULL };
	bool done = change(w, store, account_id, &edit);

	*before = edit.before;
	return done;
}
