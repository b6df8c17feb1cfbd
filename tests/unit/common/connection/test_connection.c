/* test_connection.c - connections saved, claimed, refreshed, revoked and erased, and whose they
 * are. */
#include "../../setup.h"

#include "connection/connection_internal.h"

static const struct tokens first_pair = { "access-1", "refresh-1", 4102444800 };
static const struct tokens second_pair = { "access-2", "refresh-2", 4102444801 };

static const struct claim later = { CLAIM_LATER, NULL };
static const struct authorization unknown = { .id = NULL };

static const char *
save(struct setup *s, int64_t account_id, int64_t user_id, const struct tokens *tokens,
    const struct claim *claim)
{
	const struct identity identity = { account_id, user_id, "reforyou.amocrm.ru" };
	const char *key = NULL;

	if (!connection_save(&s->ctx, &s->cfg, s->ring, &identity, tokens, claim, &unknown)
	    || !record_key(&s->ctx, account_id, user_id, &key))
		fail_msg("not saved: %s", s->ctx.reason);
	return key;
}

static bool
find(struct setup *s, const char *key, struct connection *connection)
{
	bool found;

	if (!connection_find(&s->ctx, &s->cfg, key, &found, connection))
		fail_msg("%s: %s", key, s->ctx.reason);
	return found;
}

/* The refresh token of the app user's connection; NULL: the user has none. */
static const char *
token_of(struct setup *s, const char *app_user)
{
	struct connection connection;
	struct tokens tokens;
	bool found;

	if (!connection_find_by_user(&s->ctx, &s->cfg, app_user, &found, &connection))
		fail_msg("%s: %s", app_user, s->ctx.reason);
	if (!found)
		return NULL;
	if (!record_tokens(&s->ctx, s->ring, &connection, &tokens))
		fail_msg("%s: %s", app_user, s->ctx.reason);
	return tokens.refresh_token;
}

static bool
count_one(struct ctx *ctx, void *arg, const struct connection *connection)
{
	(void)ctx;
	(void)connection;
	++*(int *)arg;
	return true;
}

static int
count_connections(struct setup *s)
{
	int n = 0;

	if (!connection_each(&s->ctx, &s->cfg, count_one, &n))
		fail_msg("%s", s->ctx.reason);
	return n;
}

static bool
account_active(struct setup *s, int64_t account_id)
{
	bool active = true;

	if (!connection_account_active(&s->ctx, &s->cfg, account_id, &active))
		fail_msg("%s", s->ctx.reason);
	return active;
}

static void
is_everybodys_if_shared(void **state)
{
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	static const struct claim user = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection connection;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	same_text("before the authorization", token_of(&s, "u1"), NULL);
	DEMAND("before the authorization the account is not active", !account_active(&s, 1));

	save(&s, 1, 7, &first_pair, &browser);
	same_text("the first user", token_of(&s, "u1"), "refresh-1");
	same_text("the second user", token_of(&s, "u2"), "refresh-1");
	DEMAND("the account is active", account_active(&s, 1));
	DEMAND("another account is not active", !account_active(&s, 2));

	save(&s, 1, 8, &second_pair, &user);
	same_text("the newest authorization wins", token_of(&s, "u2"), "refresh-2");
	DEMAND("the replaced connection is erased", !find(&s, "connection:1:7", &connection));
	same_number("connections", count_connections(&s), 1);

	save(&s, 1, 8, &first_pair, &browser);
	same_text("the same amoCRM user again", token_of(&s, "u1"), "refresh-1");
	same_number("connections", count_connections(&s), 1);
	setup_close(&s);
}

static void
is_one_users_if_per_user(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	static const struct claim second = { CLAIM_USER, "u2" };
	struct setup s;
	struct connection connection;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	save(&s, 1, 7, &first_pair, &first);
	save(&s, 2, 8, &second_pair, &second);
	same_text("the first user", token_of(&s, "u1"), "refresh-1");
	same_text("the second user", token_of(&s, "u2"), "refresh-2");
	same_text("a third user", token_of(&s, "u3"), NULL);
	same_text("an empty user", token_of(&s, ""), NULL);

	save(&s, 3, 9, &second_pair, &first);
	same_text("a new connection replaces the old one", token_of(&s, "u1"), "refresh-2");
	DEMAND("the old connection is erased", !find(&s, "connection:1:7", &connection));
	DEMAND("the old account is not active any more", !account_active(&s, 1));
	same_text("the second user keeps theirs", token_of(&s, "u2"), "refresh-2");

	save(&s, 3, 9, &first_pair, &second);
	same_text("claimed by the second user", token_of(&s, "u2"), "refresh-1");
	same_text("the first user has lost it", token_of(&s, "u1"), NULL);
	DEMAND(
	    "the second user's old connection is erased", !find(&s, "connection:2:8", &connection));
	same_number("connections", count_connections(&s), 1);
	setup_close(&s);
}

static void
is_nobodys_until_it_is_claimed(void **state)
{
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	static const struct claim user = { CLAIM_USER, "u1" };
	struct setup s;
	const char *key;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &later);
	assert_string_equal(key, "connection:1:7");
	same_text("saved, and not claimed yet", token_of(&s, "u1"), NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &browser, &unknown, &found));
	assert_true(found);
	same_text("a browser's claim connects no user", token_of(&s, "u1"), NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &user, &unknown, &found));
	assert_true(found);
	same_text("claimed", token_of(&s, "u1"), "refresh-1");
	assert_true(
	    connection_claim(&s.ctx, &s.cfg, s.ring, "connection:1:8", &user, &unknown, &found));
	assert_false(found);
	same_text("claiming a missing connection changes nothing", token_of(&s, "u1"), "refresh-1");

	save(&s, 1, 7, &second_pair, &later);
	same_text("authorized again, it keeps its user", token_of(&s, "u1"), "refresh-2");
	setup_close(&s);

	setup_open(&s, *state, CONNECTIONS_SHARED);
	save(&s, 4, 1, &first_pair, &browser);
	save(&s, 4, 2, &second_pair, &later);
	same_text("shared: the first one is still everybody's", token_of(&s, "u1"), "refresh-1");
	assert_true(
	    connection_claim(&s.ctx, &s.cfg, s.ring, "connection:4:2", &user, &unknown, &found)
	    && found);
	same_text("shared: claimed", token_of(&s, "u2"), "refresh-2");
	setup_close(&s);
}

static void
is_erased(void **state)
{
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	static const struct claim first = { CLAIM_USER, "u1" };
	static const struct claim second = { CLAIM_USER, "u2" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	save(&s, 1, 7, &first_pair, &first);
	save(&s, 1, 8, &second_pair, &second);
	for (int i = 0; i < 2; i++) {
		assert_true(connection_erase_by_user(&s.ctx, &s.cfg, "u1"));
		same_text("the first user", token_of(&s, "u1"), NULL);
		same_text("the second user", token_of(&s, "u2"), "refresh-2");
		DEMAND("the account has the second user's connection", account_active(&s, 1));
	}
	for (int i = 0; i < 2; i++) {
		assert_true(connection_erase(&s.ctx, &s.cfg, 1, 8));
		same_text("the second user", token_of(&s, "u2"), NULL);
		DEMAND("the account has no connection", !account_active(&s, 1));
		same_number("connections", count_connections(&s), 0);
	}
	save(&s, 1, 7, &second_pair, &first);
	same_text("connected again", token_of(&s, "u1"), "refresh-2");
	setup_close(&s);

	setup_open(&s, *state, CONNECTIONS_SHARED);
	save(&s, 2, 1, &first_pair, &browser);
	assert_true(connection_erase_by_user(&s.ctx, &s.cfg, "u9"));
	same_text("shared: erased for everybody", token_of(&s, "u1"), NULL);
	setup_close(&s);
}

static void
is_revoked_with_its_account(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	static const struct claim second = { CLAIM_USER, "u2" };
	static const struct claim third = { CLAIM_USER, "u3" };
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	struct setup s;
	struct connection connection;
	const char *key;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &first);
	save(&s, 1, 8, &first_pair, &second);
	save(&s, 11, 7, &first_pair, &third);
	for (int i = 0; i < 2; i++) { /* the signature may be replayed */
		assert_true(connection_revoke_account(&s.ctx, &s.cfg, 1));
		DEMAND("the account has no active connection", !account_active(&s, 1));
		DEMAND("the record is kept", find(&s, key, &connection));
		same_number("state", connection.state, CONNECTION_REVOKED);
		DEMAND("the connection is not usable", !connection_usable(&connection));
		same_text("the tokens are kept", token_of(&s, "u1"), "refresh-1");
		DEMAND("an account whose id begins with the same digit is unchanged",
		    account_active(&s, 11));
	}
	save(&s, 1, 7, &second_pair, &browser);
	assert_true(find(&s, key, &connection));
	same_number("authorized again", connection.state, CONNECTION_ACTIVE);
	same_text("it keeps its user", token_of(&s, "u1"), "refresh-2");
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, 99));
	setup_close(&s);
}

/* An authorization that is not claimed yet connects no user, not even the one whose connection was
 * revoked or erased before. */
static void
is_nobodys_after_it_was_revoked_or_erased(void **state)
{
	static const struct claim user = { CLAIM_USER, "u1" };
	static const struct claim other = { CLAIM_USER, "u2" };

	for (int mode = CONNECTIONS_SHARED; mode <= CONNECTIONS_PER_USER; mode++)
		for (int revoked = 0; revoked <= 1; revoked++) {
			struct setup s;
			const char *key;
			bool found;

			setup_open(&s, *state, mode);
			key = save(&s, 1, 7, &first_pair, &user);
			assert_true(revoked ? connection_revoke_account(&s.ctx, &s.cfg, 1)
					    : connection_erase(&s.ctx, &s.cfg, 1, 7));
			save(&s, 1, 7, &second_pair, &later);
			same_text("not claimed yet", token_of(&s, "u1"), NULL);
			DEMAND("the account is active", account_active(&s, 1));
			assert_true(
			    connection_claim(&s.ctx, &s.cfg, s.ring, key, &other, &unknown, &found)
			    && found);
			same_text("claimed", token_of(&s, "u2"), "refresh-2");
			assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
			setup_close(&s);
		}
}

static void
is_claimed_by_its_own_authorization_only(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	static const struct claim second = { CLAIM_USER, "u2" };
	static const struct identity identity = { 1, 7, "reforyou.amocrm.ru" };
	static const char key[] = "connection:1:7";
	const struct store_op code_op = store_op_put("code:1", "claimed", 0);
	const struct authorization older = { .id = "older", .code_op = &code_op };
	const struct authorization newer = { .id = "newer" };
	struct setup s;
	const char *value;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	assert_true(
	    connection_save(&s.ctx, &s.cfg, s.ring, &identity, &first_pair, &later, &older));
	assert_true(
	    connection_save(&s.ctx, &s.cfg, s.ring, &identity, &second_pair, &later, &newer));
	assert_true(store_erase(&s.ctx, &s.cfg.store, "code:1"));
	assert_true(
	    connection_claim(&s.ctx, &s.cfg, s.ring, key, &second, &newer, &found) && found);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &first, &older, &found));
	DEMAND("the older authorization's connection is not found", !found);
	same_text("the newer authorization's user keeps it", token_of(&s, "u2"), "refresh-2");
	assert_true(store_get(&s.ctx, &s.cfg.store, "code:1", &value));
	same_text("the older code's record is not written", value, NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &first, &newer, &found) && found);
	same_text("a claim keeps the authorization's id", token_of(&s, "u1"), "refresh-2");
	assert_true(
	    connection_claim(&s.ctx, &s.cfg, s.ring, key, &first, &unknown, &found) && found);
	setup_close(&s);
}

/* An account with many users: revoking one connection must not fill the arena for the next. */
static void
is_revoked_however_many_users_the_account_has(void **state)
{
	enum { USERS = 40, ARENA = 20000, TOKEN_LEN = 2000 };
	char token[TOKEN_LEN + 1];
	struct tokens tokens = { "access", token, 4102444800 };
	struct ctx small;
	struct setup s;
	bool active = true;

	memset(token, 't', TOKEN_LEN);
	token[TOKEN_LEN] = '\0';
	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (int user = 1; user <= USERS; user++)
		save(&s, 1, user, &tokens, &later);
	assert_true(ctx_open(&small, ARENA));
	if (!connection_revoke_account(&small, &s.cfg, 1)
	    || !connection_account_active(&small, &s.cfg, 1, &active))
		fail_msg("%s", small.reason);
	DEMAND("no connection is active", !active);
	ctx_close(&small);
	same_number("all records are kept", count_connections(&s), USERS);
	setup_close(&s);
}

static void
is_usable_until_its_refresh_token_expires(void **state)
{
	static const struct {
		const char *label;
		enum connection_state state;
		long age_s; /* of the newest token pair */
		bool usable;
	} table[] = {
		{ "new", CONNECTION_ACTIVE, 0, true },
		{ "a minute before it expires", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S - 60,
		    true },
		{ "when it expires", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S, false },
		{ "a second later", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S + 1, false },
		{ "revoked", CONNECTION_REVOKED, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection = { .state = table[i].state,
			.refreshed_at = time(NULL) - table[i].age_s };

		DEMAND(table[i].label, connection_usable(&connection) == table[i].usable);
	}
}

static bool
save_refreshed(
    struct setup *s, const char *key, const struct connection *before, const struct tokens *tokens)
{
	const struct refreshed refreshed = { key, before, tokens, time(NULL) };

	return connection_save_refreshed(&s->ctx, &s->cfg, s->ring, &refreshed);
}

static void
is_refreshed(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	static const struct claim second = { CLAIM_USER, "u2" };
	struct setup s;
	struct connection read;
	struct connection now;
	const char *key;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &first);
	assert_true(find(&s, key, &read));
	read.host = "renamed.amocrm.ru";
	assert_true(save_refreshed(&s, key, &read, &second_pair));
	same_text("the new pair", token_of(&s, "u1"), "refresh-2");
	assert_true(find(&s, key, &now));
	same_text("the new host", now.host, "renamed.amocrm.ru");
	same_number("the new expiry time", now.expires_at, second_pair.expires_at);
	same_number("the time it was connected", now.connected_at, read.connected_at);

	/* claimed and revoked by other processes during the call to amoCRM */
	assert_true(find(&s, key, &read));
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &second, &unknown, &found));
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, 1));
	assert_true(save_refreshed(&s, key, &read, &first_pair));
	assert_true(find(&s, key, &now));
	same_text("the user who claimed it", now.app_user, "u2");
	same_number("it is still revoked", now.state, CONNECTION_REVOKED);
	same_text("the newest pair", token_of(&s, "u2"), "refresh-1");

	/* erased during the call */
	assert_true(find(&s, key, &read));
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
	assert_true(save_refreshed(&s, key, &read, &second_pair));
	DEMAND("an erased connection is not restored", !find(&s, key, &now));

	/* authorized again, or refreshed by another process, during the call, a second later */
	save(&s, 1, 7, &second_pair, &first);
	for (int i = 0; i < 2; i++) {
		assert_true(find(&s, key, &read));
		if (i == 0)
			read.connected_at--;
		else
			read.refreshed_at--;
		assert_true(save_refreshed(&s, key, &read, &first_pair));
		same_text("the newer tokens stay", token_of(&s, "u1"), "refresh-2");
	}
	setup_close(&s);
}

static void
is_revoked_when_refused(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection read;
	struct connection now;
	const char *key;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &first);
	assert_true(find(&s, key, &read));
	save(&s, 1, 7, &second_pair, &first);
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &read));
	assert_true(find(&s, key, &now));
	same_number("its tokens have changed", now.state, CONNECTION_ACTIVE);
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &now));
	assert_true(find(&s, key, &now));
	same_number("its tokens have not changed", now.state, CONNECTION_REVOKED);
	same_text("its tokens are kept", token_of(&s, "u1"), "refresh-2");
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &now));
	DEMAND("an erased connection stays erased", !find(&s, key, &now));
	setup_close(&s);
}

static void
is_resealed_with_the_first_key(void **state)
{
	static const struct claim first = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection connection;
	const char *key;
	bool ok;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &first);
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("it is sealed with the first key already", !ok);

	file_write_text(s.keys,
	    "k11 ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n"
	    "k1 " SETUP_KEY "\n");
	assert_true(keyring_read(&s.ctx, s.keys, &s.ring));
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("it is resealed", ok);
	assert_true(find(&s, key, &connection));
	DEMAND("it is sealed with the new key", strncmp(connection.sealed, "k11.", 4) == 0);
	same_text("its tokens can be unsealed", token_of(&s, "u1"), "refresh-1");
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("it is resealed only once", !ok);
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, "connection:9:9", &ok));
	DEMAND("there is no such connection", !ok);
	setup_close(&s);
}

static void
visits_every_connection(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	same_number("no connections", count_connections(&s), 0);
	for (int i = 1; i <= 40; i++)
		save(&s, i, 7, &first_pair, &later);
	same_number("all connections", count_connections(&s), 40);
	setup_close(&s);
}

static bool
save_in_arena(struct ctx *ctx, void *arg)
{
	static const struct claim user = { CLAIM_USER, "u1" };
	struct setup *s = arg;
	const struct identity identity = { 1, 7, "reforyou.amocrm.ru" };
	struct connection connection;
	struct tokens tokens;
	bool found;

	if (!connection_save(ctx, &s->cfg, s->ring, &identity, &first_pair, &user, &unknown)
	    || !connection_find_by_user(ctx, &s->cfg, "u1", &found, &connection)
	    || !record_tokens(ctx, s->ring, &connection, &tokens))
		return false;
	assert_true(found);
	assert_string_equal(tokens.refresh_token, "refresh-1");
	return connection_erase(ctx, &s->cfg, 1, 7);
}

static void
reports_a_full_arena(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	try_small_arenas("a connection saved and read", save_in_arena, &s);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(is_everybodys_if_shared),
		IN_STORE(is_one_users_if_per_user),
		IN_STORE(is_nobodys_until_it_is_claimed),
		IN_STORE(is_erased),
		IN_STORE(is_revoked_with_its_account),
		IN_STORE(is_nobodys_after_it_was_revoked_or_erased),
		IN_STORE(is_claimed_by_its_own_authorization_only),
		IN_STORE(is_revoked_however_many_users_the_account_has),
		cmocka_unit_test(is_usable_until_its_refresh_token_expires),
		IN_STORE(is_refreshed),
		IN_STORE(is_revoked_when_refused),
		IN_STORE(is_resealed_with_the_first_key),
		IN_STORE(visits_every_connection),
		IN_FOLDER(reports_a_full_arena),
	};

	return run_engine_tests("connection", tests);
}
