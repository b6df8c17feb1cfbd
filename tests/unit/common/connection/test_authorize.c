/* test_authorize.c - a code becomes a connection once, and somebody's.
 *
 * amoCRM is not asked here: the tokens of these codes are in the store already, as those of a code
 * whose account could not be asked.
 */
#include "../../child.h"
#include "../../setup.h"

#include "base/encode.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "connection/authorize.h"
#include "connection/connection.h"
#include "crypto/seal.h"

#define CODE "def50200aabbcc"

static void
finds_the_host(void **state)
{
	static const struct {
		const char *label, *account, *referer;
		enum fault_kind expected;
		const char *host;
	} table[] = {
		{ "an account", NULL, "reforyou.amocrm.ru", FAULT_NONE, "reforyou.amocrm.ru" },
		{ "in capitals", NULL, "ReForYou.AMOCRM.ru", FAULT_NONE, "reforyou.amocrm.ru" },
		{ "the pinned account", "a.amocrm.ru", "a.amocrm.ru", FAULT_NONE, "a.amocrm.ru" },
		{ "the pinned account in capitals", "a.amocrm.ru", "A.amocrm.ru", FAULT_NONE,
		    "a.amocrm.ru" },
		{ "no referer: the pinned account stands in", "a.amocrm.ru", NULL, FAULT_NONE,
		    "a.amocrm.ru" },
		{ "no referer, no account", NULL, NULL, FAULT_REQUEST, NULL },
		{ "another account than the pinned one", "a.amocrm.ru", "b.amocrm.ru",
		    FAULT_REQUEST, NULL },
		{ "an empty referer", "a.amocrm.ru", "", FAULT_REQUEST, NULL },
		{ "another host", NULL, "evil.example", FAULT_REQUEST, NULL },
		{ "a host behind a user name", NULL, "a.amocrm.ru@127.0.0.1", FAULT_REQUEST, NULL },
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

/* Puts tokens for a code into the store, those of amoCRM user 7 of account 31920194. */
static void
put_pending(struct setup *s, const char *code)
{
	static const char claims[] = "{\"sub\":\"7\",\"account_id\":31920194}";
	struct tokens tokens = { .refresh_token = "refresh", .expires_at = 4102444800 };
	char hex[SHA256_HEX_SIZE];
	const char *key;
	const char *text;
	const char *sealed;
	struct strbuf sb;

	sha256_hex(code, strlen(code), hex);
	strbuf_init(&s->ctx, &sb);
	strbuf_addstr(&sb, "e30.");
	base64url_encode(&sb, claims, strlen(claims));
	strbuf_addstr(&sb, ".x");
	if (!strbuf_finish(&sb, &tokens.access_token)
	    || !ctx_printf(&s->ctx, &key, "pending:%s", hex)
	    || !tokens_write(&s->ctx, &tokens, &text) || !seal(&s->ctx, s->ring, key, text, &sealed)
	    || !store_put(&s->ctx, &s->cfg.store, key, sealed, time(NULL) + 1000))
		fail_msg("%s", s->ctx.reason);
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
	has_no_text("the code in the log", s->ctx.notes, CODE);
	has_no_text("the code in the log", s->ctx.reason, CODE);
	ctx_clear_fault(&s->ctx);
}

#define HOST "reforyou.amocrm.ru"

static void
makes_one_connection_of_a_code(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant user = { .code = CODE, .claimant = "u1" };
	struct setup s;
	bool known;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	put_pending(&s, CODE);
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("the code is new", !known);
	present("the browser", &s, &browser, FAULT_NONE);
	assert_true(authorize_known(&s.ctx, &s.cfg, CODE, &known));
	DEMAND("the code is known", known);
	DEMAND("everybody is connected", has_connection(&s, "u9"));
	present("the browser, reloaded", &s, &browser, FAULT_NONE);
	present("the app, which needs no host now", &s, &user, FAULT_NONE);
	present("the app again", &s, &user, FAULT_NONE);
	DEMAND("everybody is connected still", has_connection(&s, "u9"));
	setup_close(&s);
}

static void
gives_a_code_to_one_user(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant one = { .code = CODE, .host = HOST, .claimant = "u1" };
	static const struct grant two = { .code = CODE, .host = HOST, .claimant = "u2" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	put_pending(&s, CODE);
	present("the browser", &s, &browser, FAULT_NONE);
	DEMAND("nobody is connected yet", !has_connection(&s, "u1"));
	present("the one", &s, &one, FAULT_NONE);
	DEMAND("the one is connected", has_connection(&s, "u1"));
	present("the other", &s, &two, FAULT_CLAIMED);
	DEMAND("the other is not connected", !has_connection(&s, "u2"));
	present("the one again", &s, &one, FAULT_NONE);
	present("the browser again", &s, &browser, FAULT_NONE);
	DEMAND("the one is connected still", has_connection(&s, "u1"));
	setup_close(&s);
}

static void
keeps_a_code_for_whom_it_is_reserved(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST, .reserved_for = "u1" };
	static const struct grant one = { .code = CODE, .claimant = "u1" };
	static const struct grant two = { .code = CODE, .claimant = "u2" };

	for (int connections = CONNECTIONS_SHARED; connections <= CONNECTIONS_PER_USER;
	     connections++) {
		struct setup s;
		const char *code = connections == CONNECTIONS_SHARED ? CODE "1" : CODE "2";
		struct grant grant = browser;

		setup_open(&s, *state, connections);
		put_pending(&s, code);
		grant.code = code;
		present("the browser", &s, &grant, FAULT_NONE);
		DEMAND("nobody is connected before the claim", !has_connection(&s, "u1"));
		grant = two;
		grant.code = code;
		present("a thief", &s, &grant, FAULT_CLAIMED);
		DEMAND("nobody is connected by the thief", !has_connection(&s, "u2"));
		grant = one;
		grant.code = code;
		present("whom it is reserved for", &s, &grant, FAULT_NONE);
		DEMAND("connected", has_connection(&s, "u1"));
		grant = two;
		grant.code = code;
		present("the thief again", &s, &grant, FAULT_CLAIMED);
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 7));
		setup_close(&s);
	}
}

static void
keeps_a_code_from_everybody(void **state)
{
	static const struct grant install = { .code = CODE, .host = HOST, .unclaimable = true };
	static const struct grant one = { .code = CODE, .claimant = "u1" };
	struct setup s;
	struct connection connection;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	put_pending(&s, CODE);
	present("the install call", &s, &install, FAULT_NONE);
	present("a claim", &s, &one, FAULT_CLAIMED);
	DEMAND("nobody is connected", !has_connection(&s, "u1"));
	assert_true(connection_find(&s.ctx, &s.cfg, "connection:31920194:7", &found, &connection));
	DEMAND("but it is stored", found);
	setup_close(&s);
}

static void
says_what_has_become_of_a_code(void **state)
{
	static const struct grant browser = { .code = CODE, .host = HOST };
	static const struct grant user = { .code = CODE, .claimant = "u1" };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	present("a code that is not known, without a host", &s, &user, FAULT_REFUSED);
	put_pending(&s, CODE);
	present("the browser", &s, &browser, FAULT_NONE);
	assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 7));
	present("its connection is gone", &s, &user, FAULT_REFUSED);
	setup_close(&s);
}

/* Whatever fails on our side fails before amoCRM is asked: the code works once. */
static void
tries_our_side_first(void **state)
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
claim_it(void *arg)
{
	const struct claim *claim = arg;
	const struct grant grant = { .code = CODE, .host = HOST, .claimant = claim->claimant };
	struct ctx ctx;

	return ctx_open(&ctx, ARENA_SIZE) && authorize(&ctx, &claim->s->cfg, &grant, 10000);
}

static void
gives_a_code_to_one_of_many_at_once(void **state)
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
		pids[i] = child_start(claim_it, &claims[i]);
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
		IN_FOLDER(finds_the_host),
		IN_FOLDER(makes_one_connection_of_a_code),
		IN_FOLDER(gives_a_code_to_one_user),
		IN_FOLDER(keeps_a_code_for_whom_it_is_reserved),
		IN_FOLDER(keeps_a_code_from_everybody),
		IN_FOLDER(says_what_has_become_of_a_code),
		IN_FOLDER(tries_our_side_first),
		IN_FOLDER(gives_a_code_to_one_of_many_at_once),
	};

	return cmocka_run_group_tests_name("authorize", tests, NULL, NULL);
}
