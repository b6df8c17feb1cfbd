/* test_account_index.c - which amoCRM users of an account have a connection. */
#include "../../setup.h"

#include "connection/account_index.h"

static void
reads_each_id(void **state)
{
	static const struct {
		const char *label, *list;
		int count;
		int64_t users[3];
	} table[] = {
		{ "no index", NULL, 0, { 0 } },
		{ "an empty index", "", 0, { 0 } },
		{ "one id", "7", 1, { 7 } },
		{ "three ids", "1 22 333", 3, { 1, 22, 333 } },
		{ "the largest id", "9223372036854775807", 1, { INT64_MAX } },
		{ "not a number", "x", 0, { 0 } },
		{ "not a number after an id", "1 x", 1, { 1 } },
		{ "a space at the end", "1 ", 1, { 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *list = table[i].list;
		int64_t user;
		int count = 0;

		while (account_index_next(&list, &user)) {
			DEMAND(table[i].label, count < table[i].count);
			same_number(table[i].label, user, table[i].users[count++]);
		}
		same_number(table[i].label, count, table[i].count);
	}
}

static bool
commit_edit(struct setup *s, struct account_index_edit edit, const char **before)
{
	struct store_op change;
	bool ok = account_index_op(&s->ctx, 31920194, &edit, &change)
	    && store_commit(&s->ctx, &s->cfg.store, &change, 1);

	*before = edit.before;
	return ok;
}

static void
adds_and_removes_ids(void **state)
{
	static const struct {
		const char *label;
		int how; /* of struct account_index_edit */
		int64_t user;
		const char *after; /* NULL: no index */
	} table[] = {
		{ "remove an id from no index", ACCOUNT_REMOVE, 1, NULL },
		{ "add the first id", ACCOUNT_ADD, 1, "1" },
		{ "add the same id again", ACCOUNT_ADD, 1, "1" },
		{ "add another id", ACCOUNT_ADD, 11, "1 11" },
		{ "add a third id", ACCOUNT_ADD, 111, "1 11 111" },
		{ "remove an id that is not listed", ACCOUNT_REMOVE, 2, "1 11 111" },
		{ "remove an id whose digits are part of others", ACCOUNT_REMOVE, 11, "1 111" },
		{ "add it again", ACCOUNT_ADD, 11, "1 111 11" },
		{ "keep only a listed id", ACCOUNT_KEEP_ONLY, 111, "111" },
		{ "keep only an id that is not listed", ACCOUNT_KEEP_ONLY, 5, "5" },
		{ "remove the last id", ACCOUNT_REMOVE, 5, NULL },
		{ "keep only one id of no index", ACCOUNT_KEEP_ONLY, 6, "6" },
	};
	struct setup s;
	const char *list = NULL;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *expected_before = list;
		const char *before = NULL;
		bool ok = table[i].how == ACCOUNT_ADD
		    ? account_index_add(&s.ctx, &s.cfg.store, 31920194, table[i].user)
		    : commit_edit(&s,
			(struct account_index_edit){ table[i].user, table[i].how, NULL }, &before);

		same_fault(table[i].label, &s.ctx, ok, FAULT_NONE);
		if (table[i].how != ACCOUNT_ADD)
			same_text(table[i].label, before, expected_before);
		assert_true(account_index_users(&s.ctx, &s.cfg.store, 31920194, &list));
		same_text(table[i].label, list, table[i].after);
	}
	assert_true(account_index_users(&s.ctx, &s.cfg.store, 31920195, &list));
	same_text("another account's index", list, NULL);
	setup_close(&s);
}

static bool
add_user(struct ctx *ctx, void *arg)
{
	return account_index_add(ctx, arg, 1, 1);
}

static bool
enter_another_account(struct ctx *ctx, void *arg)
{
	return account_index_together(ctx, arg, 2, add_user, arg);
}

static void
has_a_section_for_each_account(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(
	    account_index_together(&s.ctx, &s.cfg.store, 1, enter_another_account, &s.cfg.store));
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_each_id),
		IN_STORE(adds_and_removes_ids),
		IN_STORE(has_a_section_for_each_account),
	};

	return run_engine_tests("account index", tests);
}
