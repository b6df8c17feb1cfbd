/* test_refresh.c - tokens that need no renewal; what is asked of amoCRM is tried over HTTP. */
#include "../setup.h"

#include "connection.h"
#include "refresh.h"

static void
gives_the_tokens_it_has(void **state)
{
	static const struct {
		const char *label;
		long lives_s;  /* the access token, from now */
		long needed_s; /* how long it must be usable */
		bool revoked, erased;
		enum fault_kind expected;
	} table[] = {
		{ "good for long enough", 1000, 300, false, false, FAULT_NONE },
		{ "needed for no time at all", 1000, 0, false, false, FAULT_NONE },
		{ "revoked", 1000, 300, true, false, FAULT_REFUSED },
		{ "erased", 1000, 300, false, true, FAULT_REFUSED },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		static const struct owner owner = { NULL };
		const struct identity identity = { 1, 7, "reforyou.amocrm.ru" };
		const struct tokens pair = { "access-1", "refresh-1",
			time(NULL) + table[i].lives_s };
		struct setup s;
		struct tokens tokens;
		const char *key;
		bool done;

		setup_open(&s, *state, CONNECTIONS_SHARED);
		assert_true(connection_save(&s.w, &s.cfg, s.ring, &identity, &pair, &owner, &key));
		if (table[i].revoked)
			assert_true(connection_revoke_account(&s.w, &s.cfg, 1));
		if (table[i].erased)
			assert_true(connection_erase(&s.w, &s.cfg, 1, 7));
		done = refresh_tokens(
		    &s.w, &s.cfg, s.ring, key, time(NULL) + table[i].needed_s, &tokens);
		same_fault(table[i].label, &s.w, done, table[i].expected);
		has_no_text("a token in the log", s.w.notes, "refresh-1");
		has_no_text("a token in the log", s.w.reason, "refresh-1");
		if (done) {
			same_text(table[i].label, tokens.access_token, "access-1");
			same_text(table[i].label, tokens.refresh_token, "refresh-1");
			same_number(table[i].label, tokens.expires_at, pair.expires_at);
		}
		setup_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(gives_the_tokens_it_has),
	};

	return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
