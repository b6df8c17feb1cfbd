/* test_authorize.c - a code is exchanged for a connection once, and claimed by one user.
 *
 * amoCRM is not called here: the tokens of these codes are already in the store, as for a code
 * whose account is not known yet.
 */
#include "../../child.h"
#include "../../setup.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "connection/auth_code.h"
#include "connection/authorize.h"
#include "connection/connection.h"
#include "crypto/seal.h"

#define CODE "def50200aabbcc"
#define HOST "reforyou.amocrm.ru"

static void
chooses_the_host(void **state)
{
	static const struct {
		const char *label, *account, *referer;
		enum fault_kind expected;
		const char *host;
	} table[] = {
		{ "the host of an account", NULL, "reforyou.amocrm.ru", FAULT_NONE,
		    "reforyou.amocrm.ru" },
		{ "a host in capital letters", NULL, "ReForYou.AMOCRM.ru", FAULT_NONE,
		    "reforyou.amocrm.ru" },
		{ "the host of the pinned account", "a.amocrm.ru", "a.amocrm.ru", FAULT_NONE,
		    "a.amocrm.ru" },
		{ "the same in capital letters", "a.amocrm.ru", "A.amocrm.ru", FAULT_NONE,
		    "a.amocrm.ru" },
		{ "no referer: the pinned account is used", "a.amocrm.ru", NULL, FAULT_NONE,
		    "a.amocrm.ru" },
		{ "no referer, no pinned account", NULL, NULL, FAULT_REQUEST, NULL },
		{ "an account other than the pinned one", "a.amocrm.ru", "b.amocrm.ru",
		    FAULT_OTHER_ACCOUNT, NULL },
		{ "an empty referer", "a.amocrm.ru", "", FAULT_REQUEST, NULL },
		{ "a host outside account_domains", NULL, "evil.example", FAULT_REQUEST, NULL },
		{ "an allowed host as the user name", NULL, "a.amocrm.ru@127.0.0.1", FAULT_REQUEST,
		    NULL },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *host;
		bool ok;

		s.cfg.amocrm.account = table[i].account;
		ok = authorize_host(&s.ctx, &s.cfg.amocrm, table[i].referer, &host);
		same_fault(table[i].label, &s.ctx, ok, table[i].expected);
		if (ok)
			same_text(table[i].label, host, table[i].host);
		ctx_clear_fault(&s.ctx);
	}
	setup_close(&s);
}

/* Puts the record of a pending code into the store, with tokens of amoCRM user 7 of account
 * 31920194. */
static void
put_pending_as(struct setup *s, const char *code, struct auth_code known)
{
	static const char claims[] = "{\"sub\":\"7\",\"account_id\":31920194}";
	struct tokens tokens = { .refresh_token = "refresh", .expires_at = 4102444800 };
	const char *key;
	const char *text;
	struct store_op op;
	struct strbuf sb;

	known.host = HOST;
	strbuf_init(&s->ctx, &sb);
	strbuf_addstr(&sb, "e30.");
	base64url_encode(&sb, claims, strlen(claims));
	strbuf_addstr(&sb, ".x");
	if (!strbuf_finish(&sb, &tokens.access_token) || !auth_code_key(&s->ctx, code, &key)
	    || !tokens_write(&s->ctx, &tokens, &text)
	    || !seal(&s->ctx, s->ring, key, text, &known.tokens)
	    || !auth_code_op(&s->ctx, key, &known, &op)
	    || !store_commit(&s->ctx, &s->cfg.store, &op, 1))
		fail_msg("%s", s->ctx.reason);
}

static void
put_pending(struct setup *s, const char *code)
{
	put_pending_as(s, code, (struct auth_code){ 0 });
}

static bool
has_connection(struct setup *s, const char *app_user)
{
	struct connection connection;
	bool found;

	if (!connection_find_by_user(&s->ctx, &s->cfg, app_user, &found, &connection))
		fail_msg("%s", s->ctx.reason);
	return found;
}

static void
present(const char *label, struct setup *s, const struct grant *grant, enum fault_kind expected)
{
	bool ok = authorize(&s->ctx, &s->cfg, grant, 1000);

	same_fault(label, &s->ctx, ok, expected);
	has_no_text("the code is in the log", s->ctx.notes, CODE);
	has_no_text("the code is in the log", s->ctx.reason, CODE);
	ctx_clear_fault(&s->ctx);
}

static void
exchanges_a_code_once(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant user = { .code = CODE, .claimant = "u1" };
	struct setup s;
	enum code_knowledge known;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("the code is new", known == CODE_NEW);
	put_pending(&s, CODE);
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("the code is pending", known == CODE_PENDING);
	present("the browser", &s, &browser, FAULT_NONE);
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("the code is known", known == CODE_CONNECTED);
	DEMAND("everybody is connected", has_connection(&s, "u9"));
	present("the browser, reloaded", &s, &browser, FAULT_NONE);
	present("the app, without a host", &s, &user, FAULT_NONE);
	present("the app again", &s, &user, FAULT_NONE);
	DEMAND("everybody is still connected", has_connection(&s, "u9"));
	setup_close(&s);
}

static void
lets_one_user_claim_a_code(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant first = { .code = CODE, .host = HOST, .claimant = "u1" };
	static const struct grant second = { .code = CODE, .host = HOST, .claimant = "u2" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	put_pending(&s, CODE);
	present("the browser", &s, &browser, FAULT_NONE);
	DEMAND("nobody is connected yet", !has_connection(&s, "u1"));
	present("the first user", &s, &first, FAULT_NONE);
	DEMAND("the first user is connected", has_connection(&s, "u1"));
	present("the second user", &s, &second, FAULT_CLAIMED);
	DEMAND("the second user is not connected", !has_connection(&s, "u2"));
	present("the first user again", &s, &first, FAULT_NONE);
	present("the browser again", &s, &browser, FAULT_NONE);
	DEMAND("the first user is still connected", has_connection(&s, "u1"));
	setup_close(&s);
}

static void
reserves_a_code_for_one_user(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST, .reserved_for = "u1" };
	static const struct grant first = { .code = CODE, .claimant = "u1" };
	static const struct grant second = { .code = CODE, .claimant = "u2" };

	for (int connections = CONNECTIONS_SHARED; connections <= CONNECTIONS_PER_USER;
	     connections++) {
		struct setup s;
		const char *code = connections == CONNECTIONS_SHARED ? CODE "1" : CODE "2";
		struct grant grant = browser;

		setup_open(&s, *state, connections);
		put_pending_as(&s, code, (struct auth_code){ .reserved_for = "u1" });
		grant.code = code;
		present("the browser", &s, &grant, FAULT_NONE);
		DEMAND("nobody is connected before the claim", !has_connection(&s, "u1"));
		grant = second;
		grant.code = code;
		present("another user", &s, &grant, FAULT_CLAIMED);
		DEMAND("the other user is not connected", !has_connection(&s, "u2"));
		grant = first;
		grant.code = code;
		present("the user it is reserved for", &s, &grant, FAULT_NONE);
		DEMAND("that user is connected", has_connection(&s, "u1"));
		grant = second;
		grant.code = code;
		present("the other user again", &s, &grant, FAULT_CLAIMED);
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 7));
		setup_close(&s);
	}
}

static void
lets_nobody_claim_an_unclaimable_code(void **state)
{
	static const struct grant install = { .code = CODE, .host = HOST, .unclaimable = true };
	static const struct grant first = { .code = CODE, .claimant = "u1" };
	struct setup s;
	struct connection connection;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	put_pending_as(&s, CODE, (struct auth_code){ .unclaimable = true });
	present("the install call", &s, &install, FAULT_NONE);
	present("a claim", &s, &first, FAULT_CLAIMED);
	DEMAND("nobody is connected", !has_connection(&s, "u1"));
	assert_true(connection_find(&s.ctx, &s.cfg, "connection:31920194:7", &found, &connection));
	DEMAND("the connection is stored", found);
	setup_close(&s);
}

/* Whose a pending code is was known when its tokens came, and is not decided anew by who presents
 * it next. */
static void
lets_the_record_of_a_pending_code_decide(void **state)
{
	static const struct {
		const char *label;
		struct auth_code known;
		struct grant grant;
		enum fault_kind expected;
		bool u1, u2; /* is connected afterwards */
	} table[] = {
		{ "reserved, and another user presents it", { .reserved_for = "u1" },
		    { .claimant = "u2" }, FAULT_CLAIMED, false, false },
		{ "reserved, and another user presents it with their own state",
		    { .reserved_for = "u1" }, { .claimant = "u2", .reserved_for = "u2" },
		    FAULT_CLAIMED, false, false },
		{ "reserved, and that user presents it", { .reserved_for = "u1" },
		    { .claimant = "u1" }, FAULT_NONE, true, false },
		{ "reserved, and a browser without a state presents it", { .reserved_for = "u1" },
		    { .host = HOST }, FAULT_NONE, false, false },
		{ "reserved, and a browser with another user's state presents it",
		    { .reserved_for = "u1" }, { .host = HOST, .reserved_for = "u2" }, FAULT_NONE,
		    false, false },
		{ "for nobody, and a user presents it", { .unclaimable = true },
		    { .claimant = "u1" }, FAULT_CLAIMED, false, false },
		{ "for nobody, and a browser presents it", { .unclaimable = true },
		    { .host = HOST }, FAULT_NONE, false, false },
		{ "not reserved, and a user presents it", { 0 }, { .claimant = "u2" }, FAULT_NONE,
		    false, true },
	};

	for (int connections = CONNECTIONS_SHARED; connections <= CONNECTIONS_PER_USER;
	     connections++)
		for (size_t i = 0; i < ROWS(table); i++) {
			bool shared = connections == CONNECTIONS_SHARED;
			bool any = table[i].u1 || table[i].u2;
			struct grant grant = table[i].grant;
			struct setup s;
			const char *code;

			setup_open(&s, *state, connections);
			assert_true(ctx_printf(&s.ctx, &code, CODE "%d%zu", connections, i));
			put_pending_as(&s, code, table[i].known);
			grant.code = code;
			present(table[i].label, &s, &grant, table[i].expected);
			DEMAND(table[i].label,
			    has_connection(&s, "u1") == (shared ? any : table[i].u1));
			DEMAND(table[i].label,
			    has_connection(&s, "u2") == (shared ? any : table[i].u2));
			if (table[i].known.reserved_for != NULL) {
				grant = (struct grant){ .code = code, .claimant = "u2" };
				present(table[i].label, &s, &grant, FAULT_CLAIMED);
			}
			assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 7));
			setup_close(&s);
		}
}

static void
refuses_a_refused_code_again(void **state)
{
	static const struct grant same = { .code = CODE, .host = HOST };
	static const struct grant user = { .code = CODE, .claimant = "u1" };
	static const struct auth_code refused = { .host = HOST, .refused = FAULT_REFUSED };
	enum code_knowledge known;
	struct store_op op;
	struct setup s;
	const char *key;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	assert_true(auth_code_key(&s.ctx, CODE, &key) && auth_code_op(&s.ctx, key, &refused, &op)
	    && store_commit(&s.ctx, &s.cfg.store, &op, 1));
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("nothing came of the code", known == CODE_NEW);
	present("the same host", &s, &same, FAULT_REFUSED);
	present("a user, without a host", &s, &user, FAULT_REFUSED);
	setup_close(&s);
}

static void
knows_the_characters_of_a_code(void **state)
{
	static const struct {
		const char *label, *code;
		enum fault_kind expected;
	} table[] = {
		{ "amoCRM's", "def50200aabbcc", FAULT_NONE },
		{ "every letter, digit and sign", "aZ09-._~+/=", FAULT_NONE },
		{ "a space", "a b", FAULT_REQUEST },
		{ "a quote", "a\"b", FAULT_REQUEST },
		{ "a line break at the end", "ab\n", FAULT_REQUEST },
		{ "a percent sign", "a%41", FAULT_REQUEST },
		{ "a letter beyond ASCII", "a\xc3\xa9", FAULT_REQUEST },
		{ "a control character", "a\x01", FAULT_REQUEST },
	};
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(table); i++) {
		bool ok = authorize_check_code(&ctx, table[i].code);

		same_fault(table[i].label, &ctx, ok, table[i].expected);
		ctx_clear_fault(&ctx);
	}
	ctx_close(&ctx);
}

static void
refuses_a_code_without_a_connection(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant user = { .code = CODE, .claimant = "u1" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	present("an unknown code without a host", &s, &user, FAULT_REFUSED);
	put_pending(&s, CODE);
	present("the browser", &s, &browser, FAULT_NONE);
	assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 7));
	present("a code whose connection was erased", &s, &user, FAULT_REFUSED);
	setup_close(&s);
}

/* Local failures are reported before amoCRM is called, because a code can be exchanged only
 * once. */
static void
checks_the_key_ring_and_the_store_first(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	struct setup s;
	char path[PATH_SIZE];

	setup_open(&s, *state, CONNECTIONS_SHARED);
	s.cfg.store.keys = "/nonexistent/keys";
	present("no key ring", &s, &browser, FAULT_CONFIG);
	s.cfg.store.keys = s.keys;
	path_in(*state, "absent", path);
	s.cfg.store.path = path;
	present("no store", &s, &browser, FAULT_STORAGE);
	setup_close(&s);
}

struct claim {
	struct setup *s;
	char claimant[16];
};

static bool
claim_code(void *arg)
{
	const struct claim *claim = arg;
	const struct grant grant = { .code = CODE, .host = HOST, .claimant = claim->claimant };
	struct ctx ctx;

	return ctx_open(&ctx, ARENA_SIZE) && authorize(&ctx, &claim->s->cfg, &grant, 10000);
}

static void
lets_one_of_many_concurrent_users_claim_a_code(void **state)
{
	enum { CLAIMS = 6 };
	struct setup s;
	struct claim claims[CLAIMS];
	pid_t pids[CLAIMS];
	int winners = 0;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	put_pending(&s, CODE);
	for (int i = 0; i < CLAIMS; i++) {
		claims[i].s = &s;
		snprintf(claims[i].claimant, sizeof claims[i].claimant, "u%d", i);
		pids[i] = child_start(claim_code, &claims[i]);
	}
	for (int i = 0; i < CLAIMS; i++) {
		int status = child_status(pids[i]);
		bool won = WIFEXITED(status) && WEXITSTATUS(status) == CHILD_TRUE;

		assert_true(WIFEXITED(status));
		assert_int_equal(has_connection(&s, claims[i].claimant), won);
		winners += won;
	}
	assert_int_equal(winners, 1);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(chooses_the_host),
		IN_STORE(exchanges_a_code_once),
		IN_STORE(lets_one_user_claim_a_code),
		IN_STORE(reserves_a_code_for_one_user),
		IN_STORE(lets_nobody_claim_an_unclaimable_code),
		IN_STORE(lets_the_record_of_a_pending_code_decide),
		IN_STORE(refuses_a_refused_code_again),
		IN_FOLDER(knows_the_characters_of_a_code),
		IN_STORE(refuses_a_code_without_a_connection),
		IN_FOLDER(checks_the_key_ring_and_the_store_first),
		IN_STORE(lets_one_of_many_concurrent_users_claim_a_code),
	};

	return run_engine_tests("authorize", tests);
}
