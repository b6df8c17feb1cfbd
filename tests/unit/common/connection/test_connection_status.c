/* test_connection_status.c - a connection's state as the app and amocrmctl report it. */
#include "../../setup.h"

#include "connection/connection.h"

static void
writes_the_status_for_the_app(void **state)
{
	time_t now = time(NULL);
	const struct connection active = {
		.account_id = 31920194, .host = "reforyou.amocrm.ru", .refreshed_at = now
	};
	const struct connection revoked = { .account_id = 31920194,
		.host = "reforyou.amocrm.ru",
		.refreshed_at = now,
		.state = CONNECTION_REVOKED };
	const struct connection expired = { .account_id = 31920194,
		.host = "reforyou.amocrm.ru",
		.refreshed_at = now - REFRESH_TOKEN_LIFE_S };
	const struct {
		const char *label;
		int connections;
		const struct connection *connection;
		const char *url, *expected;
	} table[] = {
		{ "connected", CONNECTIONS_PER_USER, &active, NULL,
		    "{\"connected\":true,\"hasTokens\":true,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":\"31920194\"}" },
		{ "revoked", CONNECTIONS_PER_USER, &revoked, "https://a/?x=\"1\"",
		    "{\"connected\":false,\"hasTokens\":true,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":\"31920194\",\"authorizeUrl\":\"https://a/?x=\\\"1\\\"\"}" },
		{ "not refreshed for too long", CONNECTIONS_PER_USER, &expired, NULL,
		    "{\"connected\":false,\"hasTokens\":true,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":\"31920194\"}" },
		{ "not connected", CONNECTIONS_PER_USER, NULL, "https://a/",
		    "{\"connected\":false,\"hasTokens\":false,\"domain\":null,\"accountId\":null,"
		    "\"authorizeUrl\":\"https://a/\"}" },
		{ "not connected, with a pinned account", CONNECTIONS_SHARED, NULL, NULL,
		    "{\"connected\":false,\"hasTokens\":false,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":null}" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct setup s;
		const char *json;

		setup_open(&s, *state, table[i].connections);
		assert_true(connection_status_json(
		    &s.ctx, &s.cfg, table[i].connection, table[i].url, &json));
		same_text(table[i].label, json, table[i].expected);
		setup_close(&s);
	}
}

static void
names_the_state(void **state)
{
	static const struct {
		const char *label;
		enum connection_state state;
		long age_s; /* of the newest token pair */
		const char *expected;
	} table[] = {
		{ "new", CONNECTION_ACTIVE, 0, "active" },
		{ "a minute before it expires", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S - 60,
		    "active" },
		{ "when it expires", CONNECTION_ACTIVE, REFRESH_TOKEN_LIFE_S, "expired" },
		{ "revoked", CONNECTION_REVOKED, 0, "revoked" },
		{ "revoked and expired", CONNECTION_REVOKED, REFRESH_TOKEN_LIFE_S, "revoked" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct connection connection = { .state = table[i].state,
			.refreshed_at = time(NULL) - table[i].age_s };

		same_text(table[i].label, connection_state_name(&connection), table[i].expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(writes_the_status_for_the_app),
		cmocka_unit_test(names_the_state),
	};

	return cmocka_run_group_tests_name("connection status", tests, NULL, NULL);
}
