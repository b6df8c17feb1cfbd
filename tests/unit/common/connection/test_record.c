/* test_record.c - the record of a connection, which is refused if it was changed, cut, or given the
 * tokens of another record. */
#include "../../setup.h"

#include "connection/record.h"

static const struct connection usual = {
	.account_id = 31920194,
	.amocrm_user_id = 7,
	.host = "reforyou.amocrm.ru",
	.app_user = "u1",
	.state = CONNECTION_ACTIVE,
	.connected_at = 1795321140,
	.refreshed_at = 1795321141,
	.expires_at = 1795407541,
};

static const struct tokens pair = {
	.access_token = "eyJhbGciOi.J9", .refresh_token = "def50200aa", .expires_at = 1795407541
};

static const char *
write_record(struct setup *s, const struct connection *connection, const struct tokens *tokens)
{
	const char *value;

	if (!record_write(&s->ctx, s->ring, connection, tokens, &value))
		fail_msg("%s", s->ctx.reason);
	return value;
}

static void
same_connection(const char *label, const struct connection *got, const struct connection *expected)
{
	same_number(label, got->account_id, expected->account_id);
	same_number(label, got->amocrm_user_id, expected->amocrm_user_id);
	same_text(label, got->host, expected->host);
	same_text(label, got->app_user, expected->app_user);
	same_text(label, got->authorization, expected->authorization);
	same_number(label, got->state, expected->state);
	same_number(label, got->connected_at, expected->connected_at);
	same_number(label, got->refreshed_at, expected->refreshed_at);
	same_number(label, got->expires_at, expected->expires_at);
}

static void
same_tokens(const char *label, const struct tokens *got, const struct tokens *expected)
{
	same_text(label, got->access_token, expected->access_token);
	same_text(label, got->refresh_token, expected->refresh_token);
	same_number(label, got->expires_at, expected->expires_at);
}

static void
writes_the_key_of_two_ids(void **state)
{
	struct ctx ctx;
	const char *key;

	(void)state;
	open_ctx(&ctx);
	assert_true(record_key(&ctx, 31920194, 1, &key));
	assert_string_equal(key, "connection:31920194:1");
	assert_true(record_key(&ctx, INT64_MAX, INT64_MAX, &key));
	assert_string_equal(key, "connection:9223372036854775807:9223372036854775807");
	assert_true(strlen(key) <= STORE_KEY_MAX);
	ctx_close(&ctx);
}

static void
reads_a_written_record(void **state)
{
	static const struct {
		const char *label;
		struct connection connection;
	} table[] = {
		{ "of an app user",
		    { 1, 2, "a.amocrm.ru", "u1", CONNECTION_ACTIVE, 3, 4, 5, NULL, NULL, NULL } },
		{ "of no app user",
		    { 1, 2, "a.amocrm.ru", NULL, CONNECTION_ACTIVE, 3, 4, 5, NULL, NULL, NULL } },
		{ "revoked",
		    { 1, 2, "a.amocrm.ru", "u1", CONNECTION_REVOKED, 3, 4, 5, NULL, NULL, NULL } },
		{ "with an authorization",
		    { 1, 2, "a.amocrm.ru", NULL, CONNECTION_ACTIVE, 3, 4, 5, NULL, NULL, "0a1b" } },
		{ "the largest numbers",
		    { INT64_MAX, INT64_MAX, "a.kommo.com", "u1", CONNECTION_ACTIVE, 4102444800,
			4102444800, 4102444800, NULL, NULL, NULL } },
		{ "an app user with quotes, a newline and UTF-8",
		    { 1, 2, "a.amocrm.ru", "\"},\n\"host\":\"\xd0\xaf\\", CONNECTION_ACTIVE, 3, 4,
			5, NULL, NULL, NULL } },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *value = write_record(&s, &table[i].connection, &pair);
		struct connection connection;
		struct tokens tokens;

		memset(&connection, 0xa5, sizeof connection);
		DEMAND(table[i].label, record_read(&s.ctx, value, &connection));
		same_connection(table[i].label, &connection, &table[i].connection);
		DEMAND(table[i].label, record_tokens(&s.ctx, s.ring, &connection, &tokens));
		same_tokens(table[i].label, &tokens, &pair);
		has_no_text("a token in plain text", value, pair.refresh_token);
		has_no_text("a token in plain text", value, pair.access_token);
	}
	setup_close(&s);
}

static void
stores_the_longest_tokens(void **state)
{
	struct setup s;
	char *access = malloc(AMOCRM_TOKEN_MAX + 1);
	char *refresh = malloc(AMOCRM_TOKEN_MAX + 1);
	struct tokens longest = { access, refresh, 1 };
	struct connection connection;
	struct tokens tokens;
	const char *value;

	assert_true(access != NULL && refresh != NULL);
	memset(access, 'a', AMOCRM_TOKEN_MAX);
	memset(refresh, 'r', AMOCRM_TOKEN_MAX);
	access[AMOCRM_TOKEN_MAX] = refresh[AMOCRM_TOKEN_MAX] = '\0';
	setup_open(&s, *state, CONNECTIONS_PER_USER);
	value = write_record(&s, &usual, &longest);
	assert_true(strlen(value) <= STORE_VALUE_MAX);
	assert_true(record_read(&s.ctx, value, &connection));
	assert_true(record_tokens(&s.ctx, s.ring, &connection, &tokens));
	same_tokens("the longest tokens", &tokens, &longest);
	setup_close(&s);
	free(access);
	free(refresh);
}

/* Whichever bit is changed, the record is refused: in the state when the record is read, elsewhere
 * then or when its tokens are unsealed. */
static void
refuses_any_changed_bit(void **state)
{
	struct setup s;
	struct ctx ctx;
	const char *value;
	char *changed;
	size_t len;
	size_t state_len = strlen("active\n");

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	open_ctx(&ctx);
	value = write_record(&s, &usual, &pair);
	len = strlen(value);
	changed = malloc(len + 1);
	assert_non_null(changed);
	for (size_t at = 0; at < len; at++)
		for (int by = 1; by < 256; by *= 2) {
			struct connection connection;
			struct tokens tokens;

			memcpy(changed, value, len + 1);
			changed[at] = (char)(changed[at] ^ by);
			ctx_wipe(&ctx);
			if (record_read(&ctx, changed, &connection)) {
				if (at < state_len)
					fail_msg("a state with bit %d of byte %zu changed", by, at);
				if (record_tokens(&ctx, s.ring, &connection, &tokens))
					fail_msg("tokens with bit %d of byte %zu changed", by, at);
				assert_int_equal(ctx.kind, FAULT_STORAGE);
			} else
				assert_int_equal(ctx.kind, FAULT_CORRUPT);
		}
	free(changed);
	ctx_close(&ctx);
	setup_close(&s);
}

static void
refuses_a_truncated_record(void **state)
{
	struct setup s;
	struct ctx ctx;
	const char *value;
	char *cut;
	size_t len;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	open_ctx(&ctx);
	value = write_record(&s, &usual, &pair);
	len = strlen(value);
	cut = malloc(len + 1);
	assert_non_null(cut);
	for (size_t at = 0; at < len; at++) {
		struct connection connection;
		struct tokens tokens;

		memcpy(cut, value, at);
		cut[at] = '\0';
		ctx_wipe(&ctx);
		if (!record_read(&ctx, cut, &connection))
			assert_int_equal(ctx.kind, FAULT_CORRUPT);
		else if (!record_tokens(&ctx, s.ring, &connection, &tokens))
			assert_int_equal(ctx.kind, FAULT_STORAGE);
		else
			fail_msg("%zu of %zu bytes", at, len);
	}
	free(cut);
	ctx_close(&ctx);
	setup_close(&s);
}

static void
refuses_a_malformed_record(void **state)
{
	static const struct {
		const char *label, *value;
	} table[] = {
		{ "an empty value", "" },
		{ "only a state", "active" },
		{ "an unknown state", "paused\n{}\nk1.x" },
		{ "a state cut short", "activ\n{}\nk1.x" },
		{ "no members", "active\n{}\nk1.x" },
		{ "an array for an object", "active\n[]\nk1.x" },
		{ "malformed JSON", "active\n{\nk1.x" },
		{ "an account that is a string",
		    "active\n{\"account_id\":\"1\",\"amocrm_user_id\":2,\"host\":\"h\",\"app_"
		    "user\":"
		    "null,\"connected_at\":1,\"refreshed_at\":1,\"expires_at\":1}\nk1.x" },
		{ "no host",
		    "active\n{\"account_id\":1,\"amocrm_user_id\":2,\"app_user\":null,"
		    "\"connected_at\":1,\"refreshed_at\":1,\"expires_at\":1}\nk1.x" },
		{ "no refreshed_at",
		    "active\n{\"account_id\":1,\"amocrm_user_id\":2,\"host\":\"h\","
		    "\"app_user\":null,\"connected_at\":1,\"expires_at\":1}\nk1.x" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection;
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(table[i].label, &ctx, record_read(&ctx, table[i].value, &connection),
		    FAULT_CORRUPT);
		ctx_close(&ctx);
	}
}

static void
refuses_tokens_of_another_record(void **state)
{
	static const struct {
		const char *label;
		struct connection other;
	} table[] = {
		{ "tokens of another account",
		    { 31920195, 7, "reforyou.amocrm.ru", "u1", CONNECTION_ACTIVE, 1795321140,
			1795321141, 1795407541, NULL, NULL, NULL } },
		{ "tokens of another amoCRM user",
		    { 31920194, 8, "reforyou.amocrm.ru", "u1", CONNECTION_ACTIVE, 1795321140,
			1795321141, 1795407541, NULL, NULL, NULL } },
		{ "tokens of another app user",
		    { 31920194, 7, "reforyou.amocrm.ru", "u2", CONNECTION_ACTIVE, 1795321140,
			1795321141, 1795407541, NULL, NULL, NULL } },
		{ "tokens of another host",
		    { 31920194, 7, "other.amocrm.ru", "u1", CONNECTION_ACTIVE, 1795321140,
			1795321141, 1795407541, NULL, NULL, NULL } },
		{ "tokens of an older refresh",
		    { 31920194, 7, "reforyou.amocrm.ru", "u1", CONNECTION_ACTIVE, 1795321140,
			1795321140, 1795407541, NULL, NULL, NULL } },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection mine;
		struct connection other;
		struct tokens tokens;

		assert_true(record_read(&s.ctx, write_record(&s, &usual, &pair), &mine));
		assert_true(record_read(&s.ctx, write_record(&s, &table[i].other, &pair), &other));
		mine.sealed = other.sealed;
		DEMAND(table[i].label, !record_tokens(&s.ctx, s.ring, &mine, &tokens));
		same_number(table[i].label, s.ctx.kind, FAULT_STORAGE);
		ctx_clear_fault(&s.ctx);
	}
	setup_close(&s);
}

static void
changes_only_the_state(void **state)
{
	struct setup s;
	const char *value;
	const char *revoked;
	const char *active;
	struct connection connection;
	enum connection_state read_state;
	struct tokens tokens;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	value = write_record(&s, &usual, &pair);
	assert_true(record_with_state(&s.ctx, value, CONNECTION_REVOKED, &revoked));
	assert_true(record_read(&s.ctx, revoked, &connection));
	assert_int_equal(connection.state, CONNECTION_REVOKED);
	assert_true(record_state(&s.ctx, value, &read_state));
	assert_int_equal(read_state, CONNECTION_ACTIVE);
	assert_true(record_state(&s.ctx, revoked, &read_state));
	assert_int_equal(read_state, CONNECTION_REVOKED);
	assert_true(record_tokens(&s.ctx, s.ring, &connection, &tokens));
	same_tokens("tokens of a revoked connection", &tokens, &pair);
	assert_true(record_with_state(&s.ctx, revoked, CONNECTION_ACTIVE, &active));
	assert_string_equal(active, value);
	assert_false(record_with_state(&s.ctx, "paused\n{}\n", CONNECTION_ACTIVE, &active));
	assert_int_equal(s.ctx.kind, FAULT_CORRUPT);
	ctx_clear_fault(&s.ctx);
	assert_false(record_state(&s.ctx, "paused\n{}\n", &read_state));
	assert_int_equal(s.ctx.kind, FAULT_CORRUPT);
	setup_close(&s);
}

static bool
write_and_read(struct ctx *ctx, void *arg)
{
	struct setup *s = arg;
	struct connection connection;
	struct tokens tokens;
	const char *value;
	const char *revoked;

	if (!record_write(ctx, s->ring, &usual, &pair, &value)
	    || !record_with_state(ctx, value, CONNECTION_REVOKED, &revoked)
	    || !record_read(ctx, revoked, &connection)
	    || !record_tokens(ctx, s->ring, &connection, &tokens))
		return false;
	same_tokens("in an arena", &tokens, &pair);
	return true;
}

static void
reports_a_full_arena(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	try_small_arenas("a record written and read", write_and_read, &s);
	setup_close(&s);
}

static void
reads_the_ids_of_a_key(void **state)
{
	static const struct {
		const char *label, *key;
		bool ok;
		int64_t account_id, amocrm_user_id;
	} table[] = {
		{ "a connection", "connection:31920194:7", true, 31920194, 7 },
		{ "the largest account id", "connection:9223372036854775807:1", true, INT64_MAX,
		    1 },
		{ "the key of another kind of record", "account:31920194", false, 0, 0 },
		{ "without a user id", "connection:1:", false, 0, 0 },
		{ "without its second colon", "connection:1", false, 0, 0 },
		{ "without an account id", "connection::1", false, 0, 0 },
		{ "a letter after the user id", "connection:1:7x", false, 0, 0 },
		{ "a minus before the account id", "connection:-1:7", false, 0, 0 },
		{ "a zero before the user id", "connection:1:07", false, 0, 0 },
		{ "a user id of zero", "connection:1:0", false, 0, 0 },
		{ "a blank before the user id", "connection:1: 7", false, 0, 0 },
		{ "an id over 64 bits", "connection:9223372036854775808:7", false, 0, 0 },
		{ "an id of 20 digits", "connection:1:92233720368547758070", false, 0, 0 },
		{ "a third id", "connection:1:7:7", false, 0, 0 },
		{ "cut short", "conn", false, 0, 0 },
		{ "empty", "", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		int64_t account_id = 0;
		int64_t user_id = 0;
		bool ok = record_key_read(table[i].key, &account_id, &user_id);

		DEMAND(table[i].label, ok == table[i].ok);
		if (ok) {
			same_number(table[i].label, account_id, table[i].account_id);
			same_number(table[i].label, user_id, table[i].amocrm_user_id);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_ids_of_a_key),
		cmocka_unit_test(writes_the_key_of_two_ids),
		IN_FOLDER(reads_a_written_record),
		IN_FOLDER(stores_the_longest_tokens),
		IN_FOLDER(refuses_any_changed_bit),
		IN_FOLDER(refuses_a_truncated_record),
		cmocka_unit_test(refuses_a_malformed_record),
		IN_FOLDER(refuses_tokens_of_another_record),
		IN_FOLDER(changes_only_the_state),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
