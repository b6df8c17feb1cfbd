/* test_connection.c - who is connected: stored, claimed, renewed, revoked, erased. */
#include "../../setup.h"

#include "connection/connection_internal.h"

static const struct tokens first_pair = { "access-1", "refresh-1", 4102444800 };
static const struct tokens second_pair = { "access-2", "refresh-2", 4102444801 };

static const struct claim later = { CLAIM_LATER, NULL };
static const struct authorization unknown = { NULL, NULL };

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
is_there(struct setup *s, const char *key, struct connection *connection)
{
	bool found;

	if (!connection_find(&s->ctx, &s->cfg, key, &found, connection))
		fail_msg("%s: %s", key, s->ctx.reason);
	return found;
}

/* The refresh token of the connection of that app user; NULL: none. */
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
count(struct ctx *ctx, void *arg, const struct connection *connection)
{
	(void)ctx;
	(void)connection;
	++*(int *)arg;
	return true;
}

static int
how_many(struct setup *s)
{
	int n = 0;

	if (!connection_each(&s->ctx, &s->cfg, count, &n))
		fail_msg("%s", s->ctx.reason);
	return n;
}

static bool
known(struct setup *s, int64_t account_id)
{
	bool yes = true;

	if (!connection_account_known(&s->ctx, &s->cfg, account_id, &yes))
		fail_msg("%s", s->ctx.reason);
	return yes;
}

static void
is_everybodys_where_shared(void **state)
{
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	static const struct claim user = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection connection;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	same_text("before", token_of(&s, "u1"), NULL);
	DEMAND("before, the account is not known", !known(&s, 1));

	save(&s, 1, 7, &first_pair, &browser);
	same_text("for one", token_of(&s, "u1"), "refresh-1");
	same_text("for another", token_of(&s, "u2"), "refresh-1");
	DEMAND("the account is known", known(&s, 1));
	DEMAND("another is not", !known(&s, 2));

	save(&s, 1, 8, &second_pair, &user);
	same_text("the newest authorization wins", token_of(&s, "u2"), "refresh-2");
	DEMAND("the other is gone", !is_there(&s, "connection:1:7", &connection));
	same_number("connections", how_many(&s), 1);

	save(&s, 1, 8, &first_pair, &browser);
	same_text("the same amoCRM user again", token_of(&s, "u1"), "refresh-1");
	same_number("connections", how_many(&s), 1);
	setup_close(&s);
}

static void
is_ones_own_where_per_user(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	static const struct claim two = { CLAIM_USER, "u2" };
	struct setup s;
	struct connection connection;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	save(&s, 1, 7, &first_pair, &one);
	save(&s, 2, 8, &second_pair, &two);
	same_text("the one's", token_of(&s, "u1"), "refresh-1");
	same_text("the other's", token_of(&s, "u2"), "refresh-2");
	same_text("a third's", token_of(&s, "u3"), NULL);
	same_text("nobody's", token_of(&s, ""), NULL);

	save(&s, 3, 9, &second_pair, &one);
	same_text("a new one takes the old one's place", token_of(&s, "u1"), "refresh-2");
	DEMAND("which is gone", !is_there(&s, "connection:1:7", &connection));
	DEMAND("and its account with it", !known(&s, 1));
	same_text("the other keeps theirs", token_of(&s, "u2"), "refresh-2");

	save(&s, 3, 9, &first_pair, &two);
	same_text("claimed by the other", token_of(&s, "u2"), "refresh-1");
	same_text("it is the one's no more", token_of(&s, "u1"), NULL);
	DEMAND("what the other had is gone", !is_there(&s, "connection:2:8", &connection));
	same_number("connections", how_many(&s), 1);
	setup_close(&s);
}

static void
waits_for_its_claimant(void **state)
{
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	static const struct claim user = { CLAIM_USER, "u1" };
	struct setup s;
	const char *key;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &later);
	assert_string_equal(key, "connection:1:7");
	same_text("stored, and nobody's", token_of(&s, "u1"), NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &browser, &unknown, &found));
	assert_true(found);
	same_text("a browser claims nothing", token_of(&s, "u1"), NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &user, &unknown, &found));
	assert_true(found);
	same_text("claimed", token_of(&s, "u1"), "refresh-1");
	assert_true(
	    connection_claim(&s.ctx, &s.cfg, s.ring, "connection:1:8", &user, &unknown, &found));
	assert_false(found);
	same_text("one that is not there changes nothing", token_of(&s, "u1"), "refresh-1");

	save(&s, 1, 7, &second_pair, &later);
	same_text("authorized again, it stays whose it was", token_of(&s, "u1"), "refresh-2");
	setup_close(&s);

	setup_open(&s, *state, CONNECTIONS_SHARED);
	save(&s, 4, 1, &first_pair, &browser);
	save(&s, 4, 2, &second_pair, &later);
	same_text("shared: the other one stays everybody's", token_of(&s, "u1"), "refresh-1");
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
	static const struct claim one = { CLAIM_USER, "u1" };
	static const struct claim two = { CLAIM_USER, "u2" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	save(&s, 1, 7, &first_pair, &one);
	save(&s, 1, 8, &second_pair, &two);
	for (int i = 0; i < 2; i++) {
		assert_true(connection_erase_by_user(&s.ctx, &s.cfg, "u1"));
		same_text("the one's", token_of(&s, "u1"), NULL);
		same_text("the other's", token_of(&s, "u2"), "refresh-2");
		DEMAND("the account has the other's", known(&s, 1));
	}
	for (int i = 0; i < 2; i++) {
		assert_true(connection_erase(&s.ctx, &s.cfg, 1, 8));
		same_text("the other's", token_of(&s, "u2"), NULL);
		DEMAND("the account has none", !known(&s, 1));
		same_number("connections", how_many(&s), 0);
	}
	save(&s, 1, 7, &second_pair, &one);
	same_text("connected again", token_of(&s, "u1"), "refresh-2");
	setup_close(&s);

	setup_open(&s, *state, CONNECTIONS_SHARED);
	save(&s, 2, 1, &first_pair, &browser);
	assert_true(connection_erase_by_user(&s.ctx, &s.cfg, "u9"));
	same_text("shared: erased for all", token_of(&s, "u1"), NULL);
	setup_close(&s);
}

static void
is_revoked_with_its_account(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	static const struct claim two = { CLAIM_USER, "u2" };
	static const struct claim three = { CLAIM_USER, "u3" };
	static const struct claim browser = { CLAIM_ANONYMOUS, NULL };
	struct setup s;
	struct connection connection;
	const char *key;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &one);
	save(&s, 1, 8, &first_pair, &two);
	save(&s, 11, 7, &first_pair, &three);
	for (int i = 0; i < 2; i++) { /* the signature may be replayed */
		assert_true(connection_revoke_account(&s.ctx, &s.cfg, 1));
		DEMAND("the account has no active one", !known(&s, 1));
		DEMAND("it is kept", is_there(&s, key, &connection));
		same_number("state", connection.state, CONNECTION_REVOKED);
		DEMAND("it is not usable", !connection_usable(&connection));
		same_text("its tokens are kept", token_of(&s, "u1"), "refresh-1");
		DEMAND("an account whose number begins alike is untouched", known(&s, 11));
	}
	save(&s, 1, 7, &second_pair, &browser);
	assert_true(is_there(&s, key, &connection));
	same_number("authorized again", connection.state, CONNECTION_ACTIVE);
	same_text("whose it was", token_of(&s, "u1"), "refresh-2");
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, 99));
	setup_close(&s);
}

/* What waits for its claimant makes nobody connected whose connection was at its end. */
static void
is_nobodys_once_it_was_ended(void **state)
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
			same_text("it waits", token_of(&s, "u1"), NULL);
			DEMAND("the account is known", known(&s, 1));
			assert_true(
			    connection_claim(&s.ctx, &s.cfg, s.ring, key, &other, &unknown, &found)
			    && found);
			same_text("claimed", token_of(&s, "u2"), "refresh-2");
			assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
			setup_close(&s);
		}
}

static void
is_claimed_as_its_own_authorization(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	static const struct claim two = { CLAIM_USER, "u2" };
	static const struct identity identity = { 1, 7, "reforyou.amocrm.ru" };
	static const char key[] = "connection:1:7";
	const struct store_op code_op = store_op_put("code:1", "claimed", 0);
	const struct authorization older = { "older", &code_op };
	const struct authorization newer = { "newer", NULL };
	struct setup s;
	const char *value;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	assert_true(
	    connection_save(&s.ctx, &s.cfg, s.ring, &identity, &first_pair, &later, &older));
	assert_true(
	    connection_save(&s.ctx, &s.cfg, s.ring, &identity, &second_pair, &later, &newer));
	assert_true(store_erase(&s.ctx, &s.cfg.store, "code:1"));
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &two, &newer, &found) && found);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &one, &older, &found));
	DEMAND("the older one's is not there any more", !found);
	same_text("the newer one's user keeps it", token_of(&s, "u2"), "refresh-2");
	assert_true(store_get(&s.ctx, &s.cfg.store, "code:1", &value));
	same_text("its code's record is not written", value, NULL);
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &one, &newer, &found) && found);
	same_text("a claim keeps which it is", token_of(&s, "u1"), "refresh-2");
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &one, &unknown, &found) && found);
	setup_close(&s);
}

/* An account of many brokers: a round for one must not use up the arena of the next. */
static void
is_revoked_however_many_there_are(void **state)
{
	enum { BROKERS = 40, ARENA = 20000, LONG = 2000 };
	char token[LONG + 1];
	struct tokens tokens = { "access", token, 4102444800 };
	struct ctx small;
	struct setup s;
	bool yes = true;

	memset(token, 't', LONG);
	token[LONG] = '\0';
	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (int user = 1; user <= BROKERS; user++)
		save(&s, 1, user, &tokens, &later);
	assert_true(ctx_open(&small, ARENA));
	if (!connection_revoke_account(&small, &s.cfg, 1)
	    || !connection_account_known(&small, &s.cfg, 1, &yes))
		fail_msg("%s", small.reason);
	DEMAND("none is active", !yes);
	ctx_close(&small);
	same_number("all are kept", how_many(&s), BROKERS);
	setup_close(&s);
}

static void
is_usable_as_long_as_its_refresh_token_lives(void **state)
{
	static const struct {
		const char *label;
		enum connection_state state;
		long age_s; /* of the newest pair */
		bool usable;
	} table[] = {
		{ "new", CONNECTION_ACTIVE, 0, true },
		{ "a minute before its end", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S - 60, true },
		{ "at its end", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S, false },
		{ "a second behind it", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S + 1, false },
		{ "revoked", CONNECTION_REVOKED, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection = { .state = table[i].state,
			.refreshed_at = time(NULL) - table[i].age_s };

		DEMAND(table[i].label, connection_usable(&connection) == table[i].usable);
	}
}

static void
is_renewed(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	static const struct claim two = { CLAIM_USER, "u2" };
	struct setup s;
	struct connection read;
	struct connection now;
	const char *key;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &one);
	assert_true(is_there(&s, key, &read));
	read.host = "renamed.amocrm.ru";
	assert_true(connection_save_renewed(&s.ctx, &s.cfg, s.ring, key, &read, &second_pair));
	same_text("the new pair", token_of(&s, "u1"), "refresh-2");
	assert_true(is_there(&s, key, &now));
	same_text("the new host", now.host, "renamed.amocrm.ru");
	same_number("its end", now.expires_at, second_pair.expires_at);
	same_number("when it was connected", now.connected_at, read.connected_at);

	/* claimed and revoked by others while amoCRM was asked */
	assert_true(is_there(&s, key, &read));
	assert_true(connection_claim(&s.ctx, &s.cfg, s.ring, key, &two, &unknown, &found));
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, 1));
	assert_true(connection_save_renewed(&s.ctx, &s.cfg, s.ring, key, &read, &first_pair));
	assert_true(is_there(&s, key, &now));
	same_text("whose it has become", now.app_user, "u2");
	same_number("what it has become", now.state, CONNECTION_REVOKED);
	same_text("the newest pair", token_of(&s, "u2"), "refresh-1");

	/* erased meanwhile */
	assert_true(is_there(&s, key, &read));
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
	assert_true(connection_save_renewed(&s.ctx, &s.cfg, s.ring, key, &read, &second_pair));
	DEMAND("it is not brought back", !is_there(&s, key, &now));

	/* authorized again, or renewed by somebody else, meanwhile, a second later */
	save(&s, 1, 7, &second_pair, &one);
	for (int i = 0; i < 2; i++) {
		assert_true(is_there(&s, key, &read));
		if (i == 0)
			read.connected_at--;
		else
			read.refreshed_at--;
		assert_true(
		    connection_save_renewed(&s.ctx, &s.cfg, s.ring, key, &read, &first_pair));
		same_text("the newer tokens stay", token_of(&s, "u1"), "refresh-2");
	}
	setup_close(&s);
}

static void
is_revoked_when_refused(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection read;
	struct connection now;
	const char *key;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &one);
	assert_true(is_there(&s, key, &read));
	save(&s, 1, 7, &second_pair, &one);
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &read));
	assert_true(is_there(&s, key, &now));
	same_number("its tokens had changed", now.state, CONNECTION_ACTIVE);
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &now));
	assert_true(is_there(&s, key, &now));
	same_number("they had not", now.state, CONNECTION_REVOKED);
	same_text("and are kept", token_of(&s, "u1"), "refresh-2");
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
	assert_true(connection_mark_refused(&s.ctx, &s.cfg, key, &now));
	DEMAND("one that is gone stays so", !is_there(&s, key, &now));
	setup_close(&s);
}

static void
is_sealed_with_the_first_key(void **state)
{
	static const struct claim one = { CLAIM_USER, "u1" };
	struct setup s;
	struct connection connection;
	const char *key;
	bool ok;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	key = save(&s, 1, 7, &first_pair, &one);
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("it was sealed with it", !ok);

	file_write_text(s.keys,
	    "k11 ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100\n"
	    "k1 " SETUP_KEY "\n");
	assert_true(keyring_read(&s.ctx, s.keys, &s.ring));
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("sealed again", ok);
	assert_true(is_there(&s, key, &connection));
	DEMAND("with the new one", strncmp(connection.sealed, "k11.", 4) == 0);
	same_text("it opens", token_of(&s, "u1"), "refresh-1");
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, key, &ok));
	DEMAND("once", !ok);
	assert_true(connection_reseal(&s.ctx, &s.cfg, s.ring, "connection:9:9", &ok));
	DEMAND("none of that name", !ok);
	setup_close(&s);
}

static void
is_visited(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	same_number("none", how_many(&s), 0);
	for (int i = 1; i <= 40; i++)
		save(&s, i, 7, &first_pair, &later);
	same_number("all", how_many(&s), 40);
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
says_when_the_arena_is_full(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	try_small_arenas("saved and read", save_in_arena, &s);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(is_everybodys_where_shared),
		IN_FOLDER(is_ones_own_where_per_user),
		IN_FOLDER(waits_for_its_claimant),
		IN_FOLDER(is_erased),
		IN_FOLDER(is_revoked_with_its_account),
		IN_FOLDER(is_nobodys_once_it_was_ended),
		IN_FOLDER(is_claimed_as_its_own_authorization),
		IN_FOLDER(is_revoked_however_many_there_are),
		cmocka_unit_test(is_usable_as_long_as_its_refresh_token_lives),
		IN_FOLDER(is_renewed),
		IN_FOLDER(is_revoked_when_refused),
		IN_FOLDER(is_sealed_with_the_first_key),
		IN_FOLDER(is_visited),
		IN_FOLDER(says_when_the_arena_is_full),
	};

	return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
