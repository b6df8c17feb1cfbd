/* test_refresh.c - when tokens are renewed, what is asked where, and what each answer does to them.
 *
 * amoCRM is played by the two functions of amocrm.h that refresh.c calls; what else happens at that
 * moment, the play may do too.
 */
#include "../../setup.h"

#include "amocrm/amocrm.h"
#include "connection/connection_internal.h"
#include "connection/refresh.h"

#include <stdlib.h>

#define KEY     "connection:31920194:1"
#define HOST    "reforyou.amocrm.ru"
#define RENAMED "renamed.amocrm.ru"
#define DAY     86400
#define AGO     100000 /* seconds since the connection was made */
#define CALLS   6

/* What amoCRM says. */
#define OK   FAULT_NONE
#define LOST FAULT_REPLY_LOST
#define NO   FAULT_REFUSED

struct setup;
typedef void meanwhile(struct setup *s);

static const struct tokens old_pair = { "access-old", "refresh-old", 0 };
static const struct tokens newest_pair = { "access-newest", "refresh-newest", 4102444800 };
static const struct authorization unknown = { NULL, NULL };

/* What amoCRM is going to say, and what it was asked. */
static struct play {
	struct setup *s;
	enum fault_kind says[CALLS]; /* FAULT_NONE: a new pair */
	const char *new_host;        /* NULL: nobody tells */
	meanwhile *happens;          /* during the first call */
	int calls;
	int questions; /* for the new host */
	const char *hosts[CALLS];
} play;

bool
amocrm_refresh(struct ctx *ctx, const struct amocrm_config *cfg, const char *host,
    const char *refresh_token, int64_t deadline_ms, struct tokens *tokens)
{
	int call = play.calls++;

	(void)cfg;
	assert_true(call < CALLS && deadline_ms > 0);
	same_text("the token that is refreshed", refresh_token, "refresh-old");
	assert_true(ctx_strndup(&play.s->ctx, host, strlen(host), &play.hosts[call]));
	if (call == 0 && play.happens != NULL)
		play.happens(play.s);
	if (play.says[call] != FAULT_NONE)
		return fault(ctx, play.says[call], "amoCRM says %d", play.says[call]);
	*tokens = (struct tokens){ "access-new", "refresh-new", time(NULL) + DAY };
	return true;
}

bool
amocrm_current_host(struct ctx *ctx, const struct amocrm_config *cfg, const struct tokens *tokens,
    int64_t deadline_ms, const char **host)
{
	(void)cfg;
	play.questions++;
	assert_true(deadline_ms > 0);
	same_text("the token the account is known by", tokens->refresh_token, "refresh-old");
	*host = play.new_host;
	return play.new_host != NULL || fault(ctx, FAULT_MOVED, "nobody tells where it is");
}

/* A connection made AGO, whose access token lasts for left_s seconds more. */
static void
begin(struct setup *s, const char *folder, int connections, long left_s)
{
	struct connection connection = {
		.account_id = 31920194,
		.amocrm_user_id = 1,
		.host = HOST,
		.connected_at = time(NULL) - AGO,
		.refreshed_at = time(NULL) - AGO,
		.expires_at = time(NULL) + left_s,
	};
	struct tokens tokens = old_pair;
	const char *value;
	bool ok;

	setup_open(s, folder, connections);
	play = (struct play){ .s = s };
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

/* What is stored now; the fault that refresh left is over. */
static struct connection
now_stored(const char *label, struct setup *s, struct tokens *tokens)
{
	struct connection connection;
	bool found;

	ctx_clear_fault(&s->ctx);
	if (!connection_find(&s->ctx, &s->cfg, KEY, &found, &connection) || !found
	    || !record_tokens(&s->ctx, s->ring, &connection, tokens))
		fail_msg("%s: not stored any more: %s", label, s->ctx.reason);
	return connection;
}

static int
notices(const char *folder, const char *action)
{
	char path[PATH_SIZE];
	uint8_t *bytes;
	size_t len;
	int count = 0;

	path_in(folder, "events/0000000001.ndjson", path);
	if (access(path, R_OK) != 0)
		return 0;
	bytes = file_read(path, &len);
	bytes[len] = '\0';
	for (const char *at = (const char *)bytes; (at = strstr(at, action)) != NULL; at++)
		count++;
	free(bytes);
	return count;
}

static void
asks_only_when_little_is_left(void **state)
{
	static const struct {
		const char *label;
		long left_s;
		int calls;
	} table[] = {
		{ "much is left", DAY, 0 },
		{ "a minute more than is wanted", 360, 0 },
		{ "a minute less", 240, 1 },
		{ "it is over", -5, 1 },
		{ "it has been for long", -30 * DAY, 1 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct tokens tokens;
		struct setup s;

		begin(&s, *state, CONNECTIONS_PER_USER, table[i].left_s);
		same_fault(table[i].label, &s.ctx, refresh(&s, &tokens), FAULT_NONE);
		same_number(table[i].label, play.calls, table[i].calls);
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
		{ "a minute less", REFRESH_LEFT_MIN_S - 60, 1 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct connection connection = { .account_id = 31920194,
			.amocrm_user_id = 1 };
		struct tokens tokens;
		struct setup s;

		begin(&s, *state, CONNECTIONS_PER_USER, table[i].left_s);
		same_fault(table[i].label, &s.ctx,
		    refresh_usable_tokens(&s.ctx, &s.cfg, &connection, &tokens), FAULT_NONE);
		same_number(table[i].label, play.calls, table[i].calls);
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

/* Each answer, or two or more, one after the other. */
static void
keeps_tokens_by_what_amocrm_says(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind says[CALLS];
		const char *new_host;
		enum fault_kind told; /* by refresh_tokens */
		int calls;
		int questions;
		enum connection_state state;
		bool renewed;
		const char *notice; /* NULL: none */
	} table[] = {
		{ "a new pair", { OK }, NULL, FAULT_NONE, 1, 0, CONNECTION_ACTIVE, true, NULL },
		{ "refused", { NO }, NULL, FAULT_REFUSED, 1, 0, CONNECTION_REVOKED, false,
		    "revoked" },
		{ "not now", { FAULT_UNAVAILABLE }, NULL, FAULT_UNAVAILABLE, 1, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "a wrong set-up", { FAULT_CLIENT }, NULL, FAULT_CLIENT, 1, 1, CONNECTION_ACTIVE,
		    false, "refresh_failed" },
		{ "ours is wrong", { FAULT_CONFIG }, NULL, FAULT_CONFIG, 1, 0, CONNECTION_ACTIVE,
		    false, "refresh_failed" },
		{ "no arena", { FAULT_SERVER }, NULL, FAULT_SERVER, 1, 0, CONNECTION_ACTIVE, false,
		    "refresh_failed" },
		{ "lost, then a new pair", { LOST, OK }, NULL, FAULT_NONE, 2, 0, CONNECTION_ACTIVE,
		    true, NULL },
		{ "lost, then refused", { LOST, NO }, NULL, FAULT_REFUSED, 2, 0, CONNECTION_REVOKED,
		    false, "revoked" },
		{ "lost twice", { LOST, LOST }, NULL, FAULT_REPLY_LOST, 2, 0, CONNECTION_ACTIVE,
		    false, "refresh_failed" },
		{ "lost, then not now", { LOST, FAULT_UNAVAILABLE }, NULL, FAULT_UNAVAILABLE, 2, 0,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, nobody tells where", { FAULT_MOVED }, NULL, FAULT_MOVED, 1, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, but to where it was", { FAULT_MOVED }, HOST, FAULT_MOVED, 1, 1,
		    CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, and there a new pair", { FAULT_MOVED, OK }, RENAMED, FAULT_NONE, 2, 1,
		    CONNECTION_ACTIVE, true, NULL },
		{ "no such account there, and elsewhere a new pair", { FAULT_CLIENT, OK }, RENAMED,
		    FAULT_NONE, 2, 1, CONNECTION_ACTIVE, true, NULL },
		{ "moved, and there refused", { FAULT_MOVED, NO }, RENAMED, FAULT_REFUSED, 2, 1,
		    CONNECTION_REVOKED, false, "revoked" },
		{ "moved, and there not now", { FAULT_MOVED, FAULT_UNAVAILABLE }, RENAMED,
		    FAULT_UNAVAILABLE, 2, 1, CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, and moved again", { FAULT_MOVED, FAULT_MOVED }, RENAMED, FAULT_MOVED, 2,
		    1, CONNECTION_ACTIVE, false, "refresh_failed" },
		{ "moved, and there lost and a new pair", { FAULT_MOVED, LOST, OK }, RENAMED,
		    FAULT_NONE, 3, 1, CONNECTION_ACTIVE, true, NULL },
		{ "lost, moved, lost, a new pair", { LOST, FAULT_MOVED, LOST, OK }, RENAMED,
		    FAULT_NONE, 4, 1, CONNECTION_ACTIVE, true, NULL },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct connection connection;
		struct tokens tokens;
		struct tokens kept;
		struct setup s;
		int before[2] = { notices(*state, "\"connection.revoked\""),
			notices(*state, "\"connection.refresh_failed\"") };

		begin(&s, *state, CONNECTIONS_PER_USER, 60);
		memcpy(play.says, table[i].says, sizeof play.says);
		play.new_host = table[i].new_host;
		same_fault(label, &s.ctx, refresh(&s, &tokens), table[i].told);
		if (table[i].told != FAULT_NONE && table[i].told != FAULT_REFUSED)
			has_text(label, s.ctx.reason, "amoCRM says");

		connection = now_stored(label, &s, &kept);
		same_number(label, play.calls, table[i].calls);
		same_number(label, play.questions, table[i].questions);
		same_number(label, connection.state, table[i].state);
		same_text(
		    label, kept.refresh_token, table[i].renewed ? "refresh-new" : "refresh-old");
		same_text(label, connection.host,
		    table[i].renewed && table[i].new_host != NULL ? table[i].new_host : HOST);
		DEMAND(label, (connection.refreshed_at > time(NULL) - AGO / 2) == table[i].renewed);
		DEMAND(label, connection.connected_at < time(NULL) - AGO / 2);
		if (table[i].renewed) {
			same_text(label, tokens.access_token, "access-new");
			same_number(label, connection.expires_at, kept.expires_at);
		}
		same_number(label, notices(*state, "\"connection.revoked\"") - before[0],
		    table[i].notice != NULL && strcmp(table[i].notice, "revoked") == 0);
		same_number(label, notices(*state, "\"connection.refresh_failed\"") - before[1],
		    table[i].notice != NULL && strcmp(table[i].notice, "refresh_failed") == 0);
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

/* What others do while amoCRM is asked. */

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
is_authorized_anew(struct setup *s)
{
	const struct identity identity = { 31920194, 1, HOST };
	const struct claim later = { CLAIM_LATER, NULL };

	assert_true(
	    connection_save(&s->ctx, &s->cfg, s->ring, &identity, &newest_pair, &later, &unknown));
}

static void
is_sealed_anew(struct setup *s)
{
	bool ok;

	file_write_text(s->keys, "k2 " SETUP_KEY "\nk1 " SETUP_KEY "\n");
	assert_true(keyring_read(&s->ctx, s->keys, &s->ring));
	assert_true(connection_reseal(&s->ctx, &s->cfg, s->ring, KEY, &ok) && ok);
	file_write_text(s->keys, "k2 " SETUP_KEY "\n");
	assert_true(keyring_read(&s->ctx, s->keys, &s->ring));
}

static void
has_no_key_ring(struct setup *s)
{
	assert_int_equal(unlink(s->keys), 0);
}

static void
leaves_alone_what_others_did_meanwhile(void **state)
{
	static const struct {
		const char *label;
		meanwhile *happens;
		enum fault_kind says;
		bool there;
		enum connection_state state;
		const char *refresh_token;
		const char *app_user;
	} table[] = {
		{ "nothing", NULL, FAULT_NONE, true, CONNECTION_ACTIVE, "refresh-new", NULL },
		{ "erased, renewed", is_erased, FAULT_NONE, false, CONNECTION_ACTIVE, NULL, NULL },
		{ "erased, refused", is_erased, FAULT_REFUSED, false, CONNECTION_ACTIVE, NULL,
		    NULL },
		{ "revoked, renewed", is_revoked, FAULT_NONE, true, CONNECTION_REVOKED,
		    "refresh-new", NULL },
		{ "revoked, not now", is_revoked, FAULT_UNAVAILABLE, true, CONNECTION_REVOKED,
		    "refresh-old", NULL },
		{ "claimed, renewed", is_claimed, FAULT_NONE, true, CONNECTION_ACTIVE,
		    "refresh-new", "olena" },
		{ "claimed, refused", is_claimed, FAULT_REFUSED, true, CONNECTION_ACTIVE,
		    "refresh-old", "olena" },
		{ "authorized anew, renewed", is_authorized_anew, FAULT_NONE, true,
		    CONNECTION_ACTIVE, "refresh-newest", NULL },
		{ "authorized anew, refused", is_authorized_anew, FAULT_REFUSED, true,
		    CONNECTION_ACTIVE, "refresh-newest", NULL },
		{ "the key ring is gone, renewed", has_no_key_ring, FAULT_NONE, true,
		    CONNECTION_ACTIVE, "refresh-new", NULL },
		{ "sealed anew, renewed", is_sealed_anew, FAULT_NONE, true, CONNECTION_ACTIVE,
		    "refresh-new", NULL },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection;
		struct tokens tokens;
		struct setup s;
		bool found;

		begin(&s, *state, CONNECTIONS_PER_USER, 60);
		play.happens = table[i].happens;
		play.says[0] = table[i].says;
		same_fault(table[i].label, &s.ctx, refresh(&s, &tokens), table[i].says);
		ctx_clear_fault(&s.ctx);
		assert_true(connection_find(&s.ctx, &s.cfg, KEY, &found, &connection));
		same_number(table[i].label, found, table[i].there);
		if (found) {
			connection = now_stored(table[i].label, &s, &tokens);
			same_number(table[i].label, connection.state, table[i].state);
			same_text(table[i].label, tokens.refresh_token, table[i].refresh_token);
			same_text(table[i].label, connection.app_user, table[i].app_user);
		}
		assert_true(connection_erase(&s.ctx, &s.cfg, 31920194, 1));
		setup_close(&s);
	}
}

static void
asks_nobody_when_it_makes_no_sense(void **state)
{
	struct tokens tokens;
	struct setup s;

	begin(&s, *state, CONNECTIONS_PER_USER, 60);
	s.cfg.amocrm.account_domains = "kommo.com amocrm.ru.evil.com ru";
	same_fault("a host that is allowed no more", &s.ctx, refresh(&s, &tokens), FAULT_CONFIG);
	has_text("which", s.ctx.reason, HOST);
	s.cfg.amocrm.account_domains = "amocrm.ru";
	ctx_clear_fault(&s.ctx);

	is_revoked(&s);
	same_fault("it is revoked", &s.ctx, refresh(&s, &tokens), FAULT_REFUSED);
	ctx_clear_fault(&s.ctx);
	is_erased(&s);
	same_fault("it is gone", &s.ctx, refresh(&s, &tokens), FAULT_REFUSED);
	same_number("calls", play.calls, 0);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(asks_only_when_little_is_left),
		IN_FOLDER(gives_usable_tokens),
		IN_FOLDER(keeps_tokens_by_what_amocrm_says),
		IN_FOLDER(leaves_alone_what_others_did_meanwhile),
		IN_FOLDER(asks_nobody_when_it_makes_no_sense),
	};

	return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
