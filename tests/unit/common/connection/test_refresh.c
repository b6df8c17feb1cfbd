/* test_refresh.c - when tokens are refreshed, which host is called, and what each result does to
 * the stored connection.
 *
 * The two functions of amocrm.h that refresh.c calls are mocked.  The mock can also change the
 * store during the call.
 */
#include "../../setup.h"

#include "amocrm/amocrm.h"
#include "connection/authorized.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"
#include "connection/refresh.h"
#include "events/event_log.h"
#include "store/escrow.h"

#include <stdlib.h>

#define KEY     "connection:31920194:1"
#define HOST    "reforyou.amocrm.ru"
#define RENAMED "renamed.amocrm.ru"
#define DAY     86400
#define AGE_S   100000 /* since the connection was made */
#define CALLS   6

/* Results of a call to amoCRM. */
#define OK      FAULT_NONE
#define LOST    FAULT_REPLY_LOST
#define REFUSED FAULT_REFUSED

struct setup;
typedef void change(struct setup *s);

static const struct tokens old_pair = { "access-old", "refresh-old", 0 };
static const struct tokens newest_pair = { "access-newest", "refresh-newest", 4102444800 };
static const struct authorization unknown = { .id = NULL };

/* What amoCRM replies, and how it was called. */
static struct mock {
	struct setup *s;
	enum fault_kind results[CALLS]; /* FAULT_NONE: a new pair */
	const char *new_host;           /* NULL: not known */
	change *meanwhile;              /* during the first call */
	int calls;
	int host_calls; /* for the new host */
	bool knows;     /* the access token tells whose it is */
	const char *hosts[CALLS];
} mock;

bool
amocrm_refresh(struct ctx *ctx, const struct config *cfg, const char *host,
    const char *refresh_token, int64_t deadline_ms, struct tokens *tokens, struct budget_turn *turn)
{
	int call = mock.calls++;

	(void)cfg;
	assert_true(call < CALLS && deadline_ms > 0);
	turn->taken = false;
	same_text("the token that is refreshed", refresh_token, "refresh-old");
	assert_true(ctx_strndup(&mock.s->ctx, host, strlen(host), &mock.hosts[call]));
	if (call == 0 && mock.meanwhile != NULL)
		mock.meanwhile(mock.s);
	if (mock.results[call] != FAULT_NONE)
		return fault(ctx, mock.results[call], "amoCRM says %d", mock.results[call]);
	*tokens = (struct tokens){ "access-new", "refresh-new", time(NULL) + DAY };
	return true;
}

bool
amocrm_current_host(struct ctx *ctx, const struct config *cfg, const struct tokens *tokens,
    int64_t deadline_ms, const char **host)
{
	(void)cfg;
	mock.host_calls++;
	assert_true(deadline_ms > 0);
	same_text("the token that finds the account", tokens->refresh_token, "refresh-old");
	*host = mock.new_host;
	return mock.new_host != NULL || fault(ctx, FAULT_MOVED, "the new host is not known");
}

bool
amocrm_identity_from_token(
    struct ctx *ctx, const char *host, const struct tokens *tokens, struct identity *identity)
{
	(void)ctx;
	(void)tokens;
	*identity = (struct identity){ 31920194, 1, host };
	return mock.knows;
}

bool
amocrm_identity_from_api(struct ctx *ctx, const struct config *cfg, const char *host,
    const struct tokens *tokens, enum budget_share share, int64_t deadline_ms,
    struct identity *identity)
{
	(void)cfg;
	(void)host;
	(void)tokens;
	(void)share;
	(void)deadline_ms;
	(void)identity;
	return fault(ctx, FAULT_UNAVAILABLE, "not expected");
}

/* Stores a connection made AGE_S ago, whose access token expires in left_s seconds. */
static void
open_connected(struct setup *s, const char *folder, int connections, long left_s)
{
	struct connection connection = {
		.account_id = 31920194,
		.amocrm_user_id = 1,
		.host = HOST,
		.connected_at = time(NULL) - AGE_S,
		.refreshed_at = time(NULL) - AGE_S,
		.expires_at = time(NULL) + left_s,
	};
	struct tokens tokens = old_pair;
	const char *value;
	bool ok;

	setup_open(s, folder, connections);
	mock = (struct mock){ .s = s };
	tokens.expires_at = connection.expires_at;
	if (!record_write(&s->ctx, s->ring, &connection, &tokens, &value)
	    || !connection_restore(&s->ctx, &s->cfg, s->ring, KEY, value, NULL, &ok) || !ok)
		fail_msg("no connection: %s", s->ctx.reason);
}

static bool
refresh(struct setup *s, struct tokens *tokens)
{
	return refresh_tokens(&s->ctx, &s->cfg, s->ring, KEY, time(NULL) + 300, tokens);
}

/* Clears the fault of the refresh, and reads what is stored now. */
static struct connection
read_stored(const char *label, struct setup *s, struct tokens *tokens)
{
	struct connection connection;
	bool found;

	ctx_clear_fault(&s->ctx);
	if (!connection_find(&s->ctx, &s->cfg, KEY, &found, &connection) || !found
	    || !record_tokens(&s->ctx, s->ring, &connection, tokens))
		fail_msg("%s: not stored any more: %s", label, s->ctx.reason);
	return connection;
}

struct event_count {
	const char *action;
	int count;
};

static bool
count_event(struct ctx *ctx, void *arg, const char *line)
{
	struct event_count *events = arg;

	(void)ctx;
	events->count += strstr(line, events->action) != NULL;
	return true;
}

static int
count_events(struct setup *s, const char *action)
{
	struct event_log log = event_log_of(&s->cfg);
	struct event_count events = { action, 0 };
	struct event_position position;
	int64_t torn = 0;

	if (!event_log_seek(&s->ctx, &log, 0, &position)
	    || !event_log_each(&s->ctx, &log, &position, count_event, &events, &torn))
		fail_msg("%s", s->ctx.reason);
	return events.count;
}

static void
refreshes_only_if_due(void **state)
{
	static const struct {
		const char *label;
		long left_s;
		int calls;
	} table[] = {
		{ "valid for a day", DAY, 0 },
		{ "valid for a minute more than required", 360, 0 },
		{ "valid for a minute less than required", 240, 1 },
		{ "expired", -5, 1 },
		{ "expired a month ago", -30 * DAY, 1 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct tokens tokens;
		struct setup s;

		open_connected(&s, *state, CONNECTIONS_PER_USER, table[i].left_s);
		same_fault(table[i].label, &s.ctx, refresh(&s, &tokens), FAULT_NONE);
		same_number(table[i].label, mock.calls, table[i].calls);
		same_text(table[i].label, tokens.access_token,
		    table[i].calls > 0 ? "access-new" : "access-old");
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

static void
gives_usable_tokens(void **state)
{
	static const struct {
		const char *label;
		long left_s;
		int calls;
	} table[] = {
		{ "a minute more than the limit", REFRESH_LEFT_MIN_S + 60, 0 },
		{ "a minute less than the limit", REFRESH_LEFT_MIN_S - 60, 1 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct connection connection = { .account_id = 31920194,
			.amocrm_user_id = 1 };
		struct tokens tokens;
		struct setup s;

		open_connected(&s, *state, CONNECTIONS_PER_USER, table[i].left_s);
		same_fault(table[i].label, &s.ctx,
		    refresh_usable_tokens(&s.ctx, &s.cfg, &connection, &tokens), FAULT_NONE);
		same_number(table[i].label, mock.calls, table[i].calls);
		same_text(table[i].label, tokens.access_token,
		    table[i].calls > 0 ? "access-new" : "access-old");
		assert_true(unlink(s.keys) == 0);
		same_fault("without a key ring", &s.ctx,
		    refresh_usable_tokens(&s.ctx, &s.cfg, &connection, &tokens), FAULT_CONFIG);
		ctx_clear_fault(&s.ctx);
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

/* Each result of a call, and sequences of them. */
static void
updates_the_connection_by_each_result(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind results[CALLS];
		const char *new_host;
		enum fault_kind expected; /* of refresh_tokens */
		int calls;
		int host_calls;
		enum connection_state state;
		bool refreshed;
		const char *event; /* NULL: none */
	} table[] = {
		{ "a new pair", { OK }, NULL, FAULT_NONE, 1, 0, CONNECTION_ACTIVE, true, NULL },
		{ "refused", { REFUSED }, NULL, FAULT_REFUSED, 1, 0, CONNECTION_REVOKED, false,
		    "revoked" },
		{ "not available now", { FAULT_UNAVAILABLE }, NULL, FAULT_UNAVAILABLE, 1, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "the client is refused", { FAULT_CLIENT }, NULL, FAULT_CLIENT, 1, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "a wrong configuration", { FAULT_CONFIG }, NULL, FAULT_CONFIG, 1, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "the arena is full", { FAULT_SERVER }, NULL, FAULT_SERVER, 1, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "reply lost, then a new pair", { LOST, OK }, NULL, FAULT_NONE, 2, 0,
		    CONNECTION_ACTIVE, true, NULL },
		{ "reply lost, then refused", { LOST, REFUSED }, NULL, FAULT_REFUSED, 2, 0,
		    CONNECTION_REVOKED, false, "revoked" },
		{ "reply lost twice", { LOST, LOST }, NULL, FAULT_REPLY_LOST, 2, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "reply lost, then not available now", { LOST, FAULT_UNAVAILABLE }, NULL,
		    FAULT_UNAVAILABLE, 2, 0, CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, the new host is not known", { FAULT_MOVED }, NULL, FAULT_MOVED, 1, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, but the host is the same", { FAULT_MOVED }, HOST, FAULT_MOVED, 1, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, a new pair from the new host", { FAULT_MOVED, OK }, RENAMED, FAULT_NONE,
		    2, 1, CONNECTION_ACTIVE, true, NULL },
		{ "no such account, a new pair from the new host", { FAULT_CLIENT, OK }, RENAMED,
		    FAULT_NONE, 2, 1, CONNECTION_ACTIVE, true, NULL },
		{ "moved, refused by the new host", { FAULT_MOVED, REFUSED }, RENAMED,
		    FAULT_REFUSED, 2, 1, CONNECTION_REVOKED, false, "revoked" },
		{ "moved, new host not available now", { FAULT_MOVED, FAULT_UNAVAILABLE }, RENAMED,
		    FAULT_UNAVAILABLE, 2, 1, CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved twice", { FAULT_MOVED, FAULT_MOVED }, RENAMED, FAULT_MOVED, 2, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, then reply lost, then a new pair", { FAULT_MOVED, LOST, OK }, RENAMED,
		    FAULT_NONE, 3, 1, CONNECTION_ACTIVE, true, NULL },
		{ "reply lost, moved, reply lost, then a new pair", { LOST, FAULT_MOVED, LOST, OK },
		    RENAMED, FAULT_NONE, 4, 1, CONNECTION_ACTIVE, true, NULL },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct connection connection;
		struct tokens tokens;
		struct tokens kept;
		struct setup s;
		int before[2];

		open_connected(&s, *state, CONNECTIONS_PER_USER, 60);
		before[0] = count_events(&s, "\"connection.revoked\"");
		before[1] = count_events(&s, "\"connection.refresh_failed\"");
		memcpy(mock.results, table[i].results, sizeof mock.results);
		mock.new_host = table[i].new_host;
		same_fault(label, &s.ctx, refresh(&s, &tokens), table[i].expected);
		if (table[i].expected != FAULT_NONE && table[i].expected != FAULT_REFUSED)
			has_text(label, s.ctx.reason, "amoCRM says");

		connection = read_stored(label, &s, &kept);
		same_number(label, mock.calls, table[i].calls);
		same_number(label, mock.host_calls, table[i].host_calls);
		same_number(label, connection.state, table[i].state);
		same_text(
		    label, kept.refresh_token, table[i].refreshed ? "refresh-new" : "refresh-old");
		same_text(label, connection.host,
		    table[i].refreshed && table[i].new_host != NULL ? table[i].new_host : HOST);
		DEMAND(label,
		    (connection.refreshed_at > time(NULL) - AGE_S / 2) == table[i].refreshed);
		DEMAND(label, connection.connected_at < time(NULL) - AGE_S / 2);
		if (table[i].refreshed) {
			same_text(label, tokens.access_token, "access-new");
			same_number(label, connection.expires_at, kept.expires_at);
		}
		same_number(label, count_events(&s, "\"connection.revoked\"") - before[0],
		    table[i].event != NULL && strcmp(table[i].event, "revoked") == 0);
		same_number(label, count_events(&s, "\"connection.refresh_failed\"") - before[1],
		    table[i].event != NULL && strcmp(table[i].event, "refresh_failed") == 0);
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

/* Changes by other processes during the call to amoCRM. */

static void
is_erased(struct setup *s)
{
	assert_true(connection_erase(&s->ctx, &s->cfg, 31920194, 1));
}

static void
is_revoked(struct setup *s)
{
	assert_true(connection_revoke_account(&s->ctx, &s->cfg, 31920194));
}

static void
is_claimed(struct setup *s)
{
	const struct claim claim = { CLAIM_USER, "olena" };
	bool found;

	assert_true(
	    connection_claim(&s->ctx, &s->cfg, s->ring, KEY, &claim, &unknown, &found) && found);
}

static void
is_authorized_again(struct setup *s)
{
	const struct identity identity = { 31920194, 1, HOST };
	const struct claim later = { CLAIM_LATER, NULL };

	assert_true(
	    connection_save(&s->ctx, &s->cfg, s->ring, &identity, &newest_pair, &later, &unknown));
}

static void
is_resealed(struct setup *s)
{
	bool ok;

	file_write_text(s->keys, "k2 " SETUP_KEY "\nk1 " SETUP_KEY "\n");
	assert_true(keyring_read(&s->ctx, s->keys, &s->ring));
	assert_true(connection_reseal(&s->ctx, &s->cfg, s->ring, KEY, &ok) && ok);
	file_write_text(s->keys, "k2 " SETUP_KEY "\n");
	assert_true(keyring_read(&s->ctx, s->keys, &s->ring));
}

static void
loses_its_key_ring(struct setup *s)
{
	assert_int_equal(unlink(s->keys), 0);
}

static void
keeps_changes_made_during_the_call(void **state)
{
	static const struct {
		const char *label;
		change *meanwhile;
		enum fault_kind result;
		bool exists;
		enum connection_state state;
		const char *refresh_token;
		const char *app_user;
	} table[] = {
		{ "no change", NULL, FAULT_NONE, true, CONNECTION_ACTIVE, "refresh-new", NULL },
		{ "erased, refreshed", is_erased, FAULT_NONE, false, CONNECTION_ACTIVE, NULL,
		    NULL },
		{ "erased, refused", is_erased, FAULT_REFUSED, false, CONNECTION_ACTIVE, NULL,
		    NULL },
		{ "revoked, refreshed", is_revoked, FAULT_NONE, true, CONNECTION_REVOKED,
		    "refresh-new", NULL },
		{ "revoked, not available now", is_revoked, FAULT_UNAVAILABLE, true,
		    CONNECTION_REVOKED, "refresh-old", NULL },
		{ "claimed, refreshed", is_claimed, FAULT_NONE, true, CONNECTION_ACTIVE,
		    "refresh-new", "olena" },
		{ "claimed, refused", is_claimed, FAULT_REFUSED, true, CONNECTION_ACTIVE,
		    "refresh-old", "olena" },
		{ "authorized again, refreshed", is_authorized_again, FAULT_NONE, true,
		    CONNECTION_ACTIVE, "refresh-newest", NULL },
		{ "authorized again, refused", is_authorized_again, FAULT_REFUSED, true,
		    CONNECTION_ACTIVE, "refresh-newest", NULL },
		{ "the key ring is missing, refreshed", loses_its_key_ring, FAULT_NONE, true,
		    CONNECTION_ACTIVE, "refresh-new", NULL },
		{ "resealed, refreshed", is_resealed, FAULT_NONE, true, CONNECTION_ACTIVE,
		    "refresh-new", NULL },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection;
		struct tokens tokens;
		struct setup s;
		bool found;

		open_connected(&s, *state, CONNECTIONS_PER_USER, 60);
		mock.meanwhile = table[i].meanwhile;
		mock.results[0] = table[i].result;
		same_fault(table[i].label, &s.ctx, refresh(&s, &tokens), table[i].result);
		ctx_clear_fault(&s.ctx);
		assert_true(connection_find(&s.ctx, &s.cfg, KEY, &found, &connection));
		same_number(table[i].label, found, table[i].exists);
		if (found) {
			connection = read_stored(table[i].label, &s, &tokens);
			same_number(table[i].label, connection.state, table[i].state);
			same_text(table[i].label, tokens.refresh_token, table[i].refresh_token);
			same_text(table[i].label, connection.app_user, table[i].app_user);
		}
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

/* The same amoCRM user has authorized again, and the store failed then. */
static void
uses_a_newer_authorization_that_waits(void **state)
{
	const struct grant grant = { .host = HOST };
	const struct authorized authorized = {
		.record = "code:aaaa", .grant = &grant, .tokens = &newest_pair, .at = time(NULL)
	};
	struct escrow_entry entry = { .authorized = &authorized };
	struct tokens tokens;
	struct lock slot;
	struct setup s;

	open_connected(&s, *state, CONNECTIONS_PER_USER, 60);
	mock.knows = true;
	entry.cfg = &s.cfg;
	entry.ring = s.ring;
	entry.slot = &slot;
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot));
	connection_escrow_note(&s.ctx, &entry);
	escrow_release(&slot);
	same_fault("the refresh", &s.ctx, refresh(&s, &tokens), FAULT_NONE);
	same_number("calls", mock.calls, 0);
	same_text("the tokens", tokens.refresh_token, "refresh-newest");
	setup_close(&s);
}

static void
makes_no_call_that_cannot_succeed(void **state)
{
	struct tokens tokens;
	struct setup s;

	open_connected(&s, *state, CONNECTIONS_PER_USER, 60);
	s.cfg.amocrm.account_domains = "kommo.com amocrm.ru.evil.com ru";
	same_fault(
	    "a host that is not allowed any more", &s.ctx, refresh(&s, &tokens), FAULT_CONFIG);
	has_text("the host is named", s.ctx.reason, HOST);
	s.cfg.amocrm.account_domains = "amocrm.ru";
	ctx_clear_fault(&s.ctx);

	is_revoked(&s);
	same_fault("a revoked connection", &s.ctx, refresh(&s, &tokens), FAULT_REFUSED);
	ctx_clear_fault(&s.ctx);
	is_erased(&s);
	same_fault("an erased connection", &s.ctx, refresh(&s, &tokens), FAULT_REFUSED);
	same_number("calls", mock.calls, 0);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(refreshes_only_if_due),
		IN_STORE(gives_usable_tokens),
		IN_STORE(updates_the_connection_by_each_result),
		IN_STORE(keeps_changes_made_during_the_call),
		IN_STORE(uses_a_newer_authorization_that_waits),
		IN_STORE(makes_no_call_that_cannot_succeed),
	};

	return run_engine_tests("refresh", tests);
}
