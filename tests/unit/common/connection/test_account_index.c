/* test_account_index.c - which amoCRM users of an account have a connection. */
#include "../../setup.h"

#include "connection/account_index.h"

static void
steps_through_a_list(void **state)
{
	static const struct {
		const char *label, *list;
		int count;
		int64_t users[3];
	} table[] = {
		{ "none", NULL, 0, { 0 } },
		{ "an empty list", "", 0, { 0 } },
		{ "one", "7", 1, { 7 } },
		{ "three", "1 22 333", 3, { 1, 22, 333 } },
		{ "the largest", "9223372036854775807", 1, { INT64_MAX } },
		{ "no number", "x", 0, { 0 } },
		{ "no number behind one", "1 x", 1, { 1 } },
		{ "a blank at the end", "1 ", 1, { 1 } },
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
leave_only(struct setup *s, int64_t user, const char **before)
{
	struct account_index_edit edit = { user, ACCOUNT_KEEP_ONLY, NULL };
	struct store_op change;
	bool ok = account_index_op(&s->ctx, 31920194, &edit, &change)
	    && store_commit(&s->ctx, &s->cfg.store, &change, 1);

	*before = edit.before;
	return ok;
}

static void
keeps_the_list(void **state)
{
	static const struct {
		const char *label;
		enum { ADD, REMOVE, LEAVE_ONLY } how;
		int64_t user;
		const char *after; /* NULL: no list */
	} table[] = {
		{ "taken off no list", REMOVE, 1, NULL },
		{ "the first", ADD, 1, "1" },
		{ "the same again", ADD, 1, "1" },
		{ "another", ADD, 11, "1 11" },
		{ "a third", ADD, 111, "1 11 111" },
		{ "one that is not there taken off", REMOVE, 2, "1 11 111" },
		{ "one whose number is part of others' taken off", REMOVE, 11, "1 111" },
		{ "put back", ADD, 11, "1 111 11" },
		{ "one alone", LEAVE_ONLY, 111, "111" },
		{ "another alone", LEAVE_ONLY, 5, "5" },
		{ "the last taken off", REMOVE, 5, NULL },
		{ "one alone on no list", LEAVE_ONLY, 6, "6" },
	};
	struct setup s;
	const char *list = NULL;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *expected_before = list;
		const char *before = NULL;
		bool ok = table[i].how == ADD
		    ? account_index_add(&s.ctx, &s.cfg.store, 31920194, table[i].user)
		    : table[i].how == REMOVE
		    ? account_index_remove(&s.ctx, &s.cfg.store, 31920194, table[i].user)
		    : leave_only(&s, table[i].user, &before);

		same_fault(table[i].label, &s.ctx, ok, FAULT_NONE);
		if (table[i].how == LEAVE_ONLY)
			same_text(table[i].label, before, expected_before);
		assert_true(account_index_users(&s.ctx, &s.cfg.store, 31920194, &list));
		same_text(table[i].label, list, table[i].after);
	}
	assert_true(account_index_users(&s.ctx, &s.cfg.store, 31920195, &list));
	same_text("another account's list", list, NULL);
	setup_close(&s);
}

static void
locks_one_account(void **state)
{
	struct setup s;
	struct lock lock;
	struct lock other;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(account_index_lock(&s.ctx, &s.cfg.store, 1, &lock));
	assert_true(account_index_lock(&s.ctx, &s.cfg.store, 2, &other));
	assert_true(account_index_add(&s.ctx, &s.cfg.store, 1, 1)); /* under the lock */
	lock_release(&other);
	lock_release(&lock);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_through_a_list),
		IN_FOLDER(keeps_the_list),
		IN_FOLDER(locks_one_account),
	};

	return cmocka_run_group_tests_name("account index", tests, NULL, NULL);
}
