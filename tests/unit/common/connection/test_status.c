/* test_status.c - what the app is told of its user's connection. */
#include "../../setup.h"

#include "connection/status.h"

static void
tells_the_app(void **state)
{
	time_t now = time(NULL);
	const struct connection works = {
		.account_id = 31920194, .host = "reforyou.amocrm.ru", .refreshed_at = now
	};
	const struct connection revoked = { .account_id = 31920194,
		.host = "reforyou.amocrm.ru",
		.refreshed_at = now,
		.state = CONNECTION_REVOKED };
	const struct connection over = { .account_id = 31920194,
		.host = "reforyou.amocrm.ru",
		.refreshed_at = now - REFRESH_TOKEN_LIFE_S };
	const struct {
		const char *label;
		int connections;
		const struct connection *connection;
		const char *url, *expected;
	} table[] = {
		{ "connected", CONNECTIONS_PER_USER, &works, NULL,
		    "{\"connected\":true,\"hasTokens\":true,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":\"31920194\"}" },
		{ "revoked", CONNECTIONS_PER_USER, &revoked, "https://a/?x=\"1\"",
		    "{\"connected\":false,\"hasTokens\":true,\"domain\":\"reforyou.amocrm.ru\","
		    "\"accountId\":\"31920194\",\"authorizeUrl\":\"https://a/?x=\\\"1\\\"\"}" },
		{ "not refreshed for too long", CONNECTIONS_PER_USER, &over, NULL,
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
		const char *data;

		setup_open(&s, *state, table[i].connections);
		assert_true(status_data(&s.ctx, &s.cfg, table[i].connection, table[i].url, &data));
		same_text(table[i].label, data, table[i].expected);
		setup_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(tells_the_app),
	};

	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
