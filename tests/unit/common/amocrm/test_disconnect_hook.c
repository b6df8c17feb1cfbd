/* test_disconnect_hook.c - amoCRM's signed disconnect call: right it revokes,
 * anything else changes nothing. */
#include "../../setup.h"

#include "amocrm/disconnect_hook.h"
#include "base/encode.h"
#include "base/sha2.h"
#include "connection/connection_internal.h"

#define UUID   "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"
#define VECTOR "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74"

/* The signature of a message under a secret, so that it is not what is wrong. */
static void
sign(const char *secret, const char *message, char hex[SHA256_HEX_SIZE])
{
	uint8_t mac[SHA256_SIZE];

	hmac_sha256(secret, strlen(secret), message, strlen(message), mac);
	hex_encode(mac, sizeof mac, hex);
}

static const struct {
	const char *label;
	const char *before;         /* the query up to the signature */
	const char *secret, *signs; /* whose signature follows; NULL: nothing does */
	const char *behind;
	enum fault_kind expected;
} rows[] = {
	{ "as amoCRM calls", "client_uuid=" UUID "&account_id=32720107&signature=" VECTOR, NULL,
	    NULL, "", FAULT_NONE },
	{ "in another order", "signature=" VECTOR "&account_id=32720107&client_uuid=" UUID, NULL,
	    NULL, "", FAULT_NONE },
	{ "beside something else", "client_uuid=" UUID "&account_id=32720107&signature=", "secret",
	    UUID "|32720107", "&x=1", FAULT_NONE },

	{ "no signature", "client_uuid=" UUID "&account_id=32720107", NULL, NULL, "",
	    FAULT_SIGNATURE },
	{ "an empty signature", "client_uuid=" UUID "&account_id=32720107&signature=", NULL, NULL,
	    "", FAULT_SIGNATURE },
	{ "no client_uuid", "account_id=32720107&signature=", "secret", "|32720107", "",
	    FAULT_SIGNATURE },
	{ "an empty client_uuid", "client_uuid=&account_id=32720107&signature=", "secret",
	    "|32720107", "", FAULT_SIGNATURE },
	{ "no account_id", "client_uuid=" UUID "&signature=", "secret", UUID "|", "",
	    FAULT_SIGNATURE },
	{ "an empty account_id", "client_uuid=" UUID "&account_id=&signature=", "secret", UUID "|",
	    "", FAULT_SIGNATURE },
	{ "nothing at all", "", NULL, NULL, "", FAULT_SIGNATURE },
	{ "another integration's", "client_uuid=other&account_id=32720107&signature=", "secret",
	    "other|32720107", "", FAULT_SIGNATURE },
	{ "another secret", "client_uuid=" UUID "&account_id=32720107&signature=", "Secret",
	    UUID "|32720107", "", FAULT_SIGNATURE },
	{ "no secret", "client_uuid=" UUID "&account_id=32720107&signature=", "", UUID "|32720107",
	    "", FAULT_SIGNATURE },
	{ "another account's signature", "client_uuid=" UUID "&account_id=32720107&signature=",
	    "secret", UUID "|32720108", "", FAULT_SIGNATURE },
	{ "a leading nought", "client_uuid=" UUID "&account_id=032720107&signature=", "secret",
	    UUID "|032720107", "", FAULT_SIGNATURE },
	{ "a sign", "client_uuid=" UUID "&account_id=%2B32720107&signature=", "secret",
	    UUID "|+32720107", "", FAULT_SIGNATURE },
	{ "account nought", "client_uuid=" UUID "&account_id=0&signature=", "secret", UUID "|0", "",
	    FAULT_SIGNATURE },
	{ "an account beyond 64 bits",
	    "client_uuid=" UUID "&account_id=18446744073742271723&signature=", "secret",
	    UUID "|18446744073742271723", "", FAULT_SIGNATURE },
	{ "capital digits",
	    "client_uuid=" UUID "&account_id=32720107&signature="
	    "66704DE1FF8C90176A27178C1A62A0C85646F6F59021F45363D893E83E607D74",
	    NULL, NULL, "", FAULT_SIGNATURE },
	{ "a digit short",
	    "client_uuid=" UUID "&account_id=32720107&signature="
	    "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d7",
	    NULL, NULL, "", FAULT_SIGNATURE },
	{ "something behind the signature", "client_uuid=" UUID "&account_id=32720107&signature=",
	    "secret", UUID "|32720107", "0", FAULT_SIGNATURE },
	{ "the account twice",
	    "account_id=32720107&client_uuid=" UUID "&account_id=32720107&signature=", "secret",
	    UUID "|32720107", "", FAULT_REQUEST },
	{ "a bad escape", "client_uuid=" UUID "&account_id=32720107&x=%zz&signature=", "secret",
	    UUID "|32720107", "", FAULT_REQUEST },
};

static void
revokes_or_changes_nothing(void **state)
{
	for (size_t i = 0; i < ROWS(rows); i++) {
		static const struct tokens tokens = { "access", "refresh", 4102444800 };
		static const struct claim anonymous = { CLAIM_ANONYMOUS, NULL };
		static const struct authorization unknown = { NULL, NULL };
		const struct identity identity = { 32720107, 1, "reforyou.amocrm.ru" };
		char hex[SHA256_HEX_SIZE] = "";
		const char *query;
		struct connection connection;
		int64_t account_id;
		struct setup s;
		const char *key;
		bool ok;
		bool found;

		setup_open(&s, *state, CONNECTIONS_SHARED);
		assert_true(connection_save(
				&s.ctx, &s.cfg, s.ring, &identity, &tokens, &anonymous, &unknown)
		    && record_key(&s.ctx, identity.account_id, identity.user_id, &key));
		if (rows[i].signs != NULL)
			sign(rows[i].secret, rows[i].signs, hex);
		assert_true(
		    ctx_printf(&s.ctx, &query, "%s%s%s", rows[i].before, hex, rows[i].behind));
		ok = disconnect_hook_verify(&s.ctx, &s.cfg.amocrm, query, &account_id)
		    && connection_revoke_account(&s.ctx, &s.cfg, account_id);
		same_fault(rows[i].label, &s.ctx, ok, rows[i].expected);
		ctx_clear_fault(&s.ctx);
		assert_true(connection_find(&s.ctx, &s.cfg, key, &found, &connection) && found);
		same_number(
		    rows[i].label, connection.state, ok ? CONNECTION_REVOKED : CONNECTION_ACTIVE);
		if (ok)
			same_number(rows[i].label, account_id, identity.account_id);
		setup_close(&s);
	}
}

static void
knows_no_such_account(void **state)
{
	static const char query[] = "client_uuid=" UUID "&account_id=32720107&signature=" VECTOR;
	struct setup s;
	int64_t account_id;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	assert_true(disconnect_hook_verify(&s.ctx, &s.cfg.amocrm, query, &account_id));
	assert_int_equal(account_id, 32720107);
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, account_id));
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(revokes_or_changes_nothing),
		IN_FOLDER(knows_no_such_account),
	};

	return cmocka_run_group_tests_name("disconnect hook", tests, NULL, NULL);
}
