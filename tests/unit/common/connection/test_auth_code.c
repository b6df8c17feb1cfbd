/* test_auth_code.c - the record of an authorization code, written and read. */
#include "../../setup.h"

#include "connection/auth_code.h"

#define KEY "code:00"

static struct auth_code
find(const char *label, struct setup *s)
{
	struct auth_code code = { 0 };
	bool found;

	if (!auth_code_find(&s->ctx, &s->cfg.store, KEY, &found, &code))
		fail_msg("%s: %s", label, s->ctx.reason);
	DEMAND(label, found);
	return code;
}

static void
reads_a_written_record(void **state)
{
	static const struct {
		const char *label;
		struct auth_code code;
	} table[] = {
		{ "neither reserved nor claimed", { .connection = "connection:1:2" } },
		{ "reserved", { .connection = "connection:1:2", .reserved_for = "u1" } },
		{ "reserved and claimed",
		    { .connection = "connection:1:2", .reserved_for = "u1", .claimed_by = "u1" } },
		{ "claimed", { .connection = "connection:1:2", .claimed_by = "u\"2" } },
		{ "unclaimable", { .connection = "connection:1:2", .unclaimable = true } },
		{ "pending and reserved",
		    { .host = "a.amocrm.ru", .tokens = "k1.x", .reserved_for = "u1" } },
		{ "refused", { .host = "a.amocrm.ru", .refused = FAULT_REFUSED } },
		{ "a user whose name is the member's text",
		    { .connection = "connection:1:2", .claimed_by = "\"for_nobody\":true}" } },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct auth_code *expected = &table[i].code;
		struct auth_code code;
		struct store_op op;
		struct setup s;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(auth_code_op(&s.ctx, KEY, expected, &op)
		    && store_commit(&s.ctx, &s.cfg.store, &op, 1));
		code = find(table[i].label, &s);
		same_text(table[i].label, code.connection, expected->connection);
		same_text(table[i].label, code.host, expected->host);
		same_text(table[i].label, code.tokens, expected->tokens);
		same_number(table[i].label, code.refused, expected->refused);
		same_text(table[i].label, code.reserved_for, expected->reserved_for);
		same_text(table[i].label, code.claimed_by, expected->claimed_by);
		same_number(table[i].label, code.unclaimable, expected->unclaimable);
		setup_close(&s);
	}
}

static void
reads_stored_records(void **state)
{
	static const struct {
		const char *label, *value;
		enum fault_kind expected;
		bool unclaimable;
	} table[] = {
		{ "as auth_code_op writes it",
		    "{\"connection\":\"c\",\"reserved_for\":null,\"claimed_by\":null,"
		    "\"for_nobody\":true}",
		    FAULT_NONE, true },
		{ "the member is not the last",
		    "{\"connection\":\"c\", \"for_nobody\": true, \"claimed_by\":null}", FAULT_NONE,
		    true },
		{ "without the member", "{\"connection\":\"c\"}", FAULT_NONE, false },
		{ "the member of another type", "{\"connection\":\"c\",\"for_nobody\":1}",
		    FAULT_NONE, false },
		{ "without a connection", "{\"for_nobody\":true}", FAULT_STORAGE, false },
		{ "pending without its tokens", "{\"host\":\"a.amocrm.ru\"}", FAULT_STORAGE,
		    false },
		{ "pending without its host", "{\"tokens\":\"k1.x\"}", FAULT_STORAGE, false },
		{ "not JSON", "connection", FAULT_STORAGE, false },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct auth_code code;
		struct setup s;
		bool found;
		bool ok;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(
		    store_put(&s.ctx, &s.cfg.store, KEY, table[i].value, time(NULL) + 1000));
		ok = auth_code_find(&s.ctx, &s.cfg.store, KEY, &found, &code);
		same_fault(table[i].label, &s.ctx, ok, table[i].expected);
		if (ok)
			same_number(table[i].label, code.unclaimable, table[i].unclaimable);
		setup_close(&s);
	}
}

static void
finds_no_record_of_a_new_code(void **state)
{
	struct auth_code code;
	struct setup s;
	bool found = true;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	assert_true(auth_code_find(&s.ctx, &s.cfg.store, KEY, &found, &code));
	assert_false(found);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(reads_a_written_record),
		IN_STORE(reads_stored_records),
		IN_STORE(finds_no_record_of_a_new_code),
	};

	return run_engine_tests("authorization code", tests);
}
