/* test_disconnect_hook.c - amoCRM's signed disconnect call revokes the account's connections; an
 * invalid call changes nothing. */
#include "../../setup.h"

#include "amocrm/disconnect_hook.h"
#include "base/encode.h"
#include "base/sha2.h"
#include "connection/connection_internal.h"

#define UUID   "01d01160-d7a0-4087-b4af-6a1bb83fcd1d"
#define VECTOR "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d74"

/* Signs a message with a secret, for calls whose signature is not what is invalid. */
static void
sign(const char *secret, const char *message, char hex[SHA256_HEX_SIZE])
{
	uint8_t mac[SHA256_SIZE];

	hmac_sha256(secret, strlen(secret), message, strlen(message), mac);
	hex_encode(mac, sizeof mac, hex);
}

static const struct {
	const char *label;
	const char *before;           /* the query up to the signature */
	const char *secret, *message; /* of the signature that follows; NULL: none */
	const char *after;
	enum fault_kind expected;
} rows[] = {
	{ "as amoCRM calls", "client_uuid=" UUID "&account_id=32720107&signature=" VECTOR, NULL,
	    NULL, "", FAULT_NONE },
	{ "in another order", "signature=" VECTOR "&account_id=32720107&client_uuid=" UUID, NULL,
	    NULL, "", FAULT_NONE },
	{ "with another parameter", "client_uuid=" UUID "&account_id=32720107&signature=", "secret",
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
	{ "an empty query", "", NULL, NULL, "", FAULT_SIGNATURE },
	{ "another integration", "client_uuid=other&account_id=32720107&signature=", "secret",
	    "other|32720107", "", FAULT_SIGNATURE },
	{ "another secret", "client_uuid=" UUID "&account_id=32720107&signature=", "Secret",
	    UUID "|32720107", "", FAULT_SIGNATURE },
	{ "no secret", "client_uuid=" UUID "&account_id=32720107&signature=", "", UUID "|32720107",
	    "", FAULT_SIGNATURE },
	{ "another account's signature", "client_uuid=" UUID "&account_id=32720107&signature=",
	    "secret", UUID "|32720108", "", FAULT_SIGNATURE },
	{ "a leading zero", "client_uuid=" UUID "&account_id=032720107&signature=", "secret",
	    UUID "|032720107", "", FAULT_SIGNATURE },
	{ "a plus before the account", "client_uuid=" UUID "&account_id=%2B32720107&signature=",
	    "secret", UUID "|+32720107", "", FAULT_SIGNATURE },
	{ "account zero", "client_uuid=" UUID "&account_id=0&signature=", "secret", UUID "|0", "",
	    FAULT_SIGNATURE },
	{ "an account over 64 bits",
	    "client_uuid=" UUID "&account_id=18446744073742271723&signature=", "secret",
	    UUID "|18446744073742271723", "", FAULT_SIGNATURE },
	{ "a signature in capital digits",
	    "client_uuid=" UUID "&account_id=32720107&signature="
	    "66704DE1FF8C90176A27178C1A62A0C85646F6F59021F45363D893E83E607D74",
	    NULL, NULL, "", FAULT_SIGNATURE },
	{ "a signature that is a digit short",
	    "client_uuid=" UUID "&account_id=32720107&signature="
	    "66704de1ff8c90176a27178c1a62a0c85646f6f59021f45363d893e83e607d7",
	    NULL, NULL, "", FAULT_SIGNATURE },
	{ "a digit after the signature", "client_uuid=" UUID "&account_id=32720107&signature=",
	    "secret", UUID "|32720107", "0", FAULT_SIGNATURE },
	{ "account_id twice",
	    "account_id=32720107&client_uuid=" UUID "&account_id=32720107&signature=", "secret",
	    UUID "|32720107", "", FAULT_REQUEST },
	{ "a malformed escape", "client_uuid=" UUID "&account_id=32720107&x=%zz&signature=",
	    "secret", UUID "|32720107", "", FAULT_REQUEST },
};

static void
revokes_only_on_a_valid_call(void **state)
{
	for (size_t i = 0; i < ROWS(rows); i++) {
		static const struct tokens tokens = { "access", "refresh", 4102444800 };
		static const struct claim anonymous = { CLAIM_ANONYMOUS, NULL };
		static const struct authorization unknown = { .id = NULL };
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
		if (rows[i].message != NULL)
			sign(rows[i].secret, rows[i].message, hex);
		assert_true(
		    ctx_printf(&s.ctx, &query, "%s%s%s", rows[i].before, hex, rows[i].after));
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
accepts_an_account_without_connections(void **state)
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
		IN_FOLDER(revokes_only_on_a_valid_call),
		IN_FOLDER(accepts_an_account_without_connections),
	};

	return cmocka_run_group_tests_name("disconnect hook", tests, NULL, NULL);
}
