/* test_connection_race.c - concurrent claims, disconnects and imports, each in its own process. */
#include "../../child.h"
#include "../../setup.h"

#include "connection/account_index.h"
#include "connection/connection_internal.h"
#include "store/store_files.h"

#include <stdio.h>
#include <stdlib.h>

#define ROUNDS    12
#define PROCESSES 4
#define TURNS     40
#define USERS     2
#define ACCOUNTS  3
#define SLEEPS    7 /* of a process that waits for a lock: by then it polls every 50 ms */

static const struct tokens pair = { "access", "refresh", 4102444800 };
static const struct authorization unknown = { .id = NULL };

/* One process: what it does, and to which connection. */
struct actor {
	struct setup *s;
	bool (*act)(struct ctx *ctx, const struct actor *actor);
	int64_t account_id;
	int64_t amocrm_user_id;
	const char *app_user;
	unsigned random;
	int start[2]; /* a pipe: the process starts when all others have closed it; 0: now */
};

static bool
run(void *arg)
{
	const struct actor *actor = arg;
	struct ctx ctx;
	char byte;
	bool ok;

	if (actor->start[1] > 0
	    && (close(actor->start[1]) != 0 || read(actor->start[0], &byte, 1) != 0))
		return false;
	if (!ctx_open(&ctx, ARENA_SIZE))
		return false;
	ok = actor->act(&ctx, actor);
	if (ctx.kind != FAULT_NONE)
		fprintf(stderr, "%s\n", ctx.reason);
	return ok;
}

static bool
save(struct ctx *ctx, const struct actor *actor)
{
	const struct identity identity = { actor->account_id, actor->amocrm_user_id,
		"reforyou.amocrm.ru" };
	const struct claim claim = { actor->app_user == NULL ? CLAIM_LATER : CLAIM_USER,
		actor->app_user };

	return connection_save(
	    ctx, &actor->s->cfg, actor->s->ring, &identity, &pair, &claim, &unknown);
}

static bool
claim_saved(struct ctx *ctx, const struct actor *actor)
{
	const struct claim claim = { CLAIM_USER, actor->app_user };
	const char *key;
	bool found;

	return record_key(ctx, actor->account_id, actor->amocrm_user_id, &key)
	    && connection_claim(ctx, &actor->s->cfg, actor->s->ring, key, &claim, &unknown, &found)
	    && found;
}

static bool
disconnect(struct ctx *ctx, const struct actor *actor)
{
	return connection_erase_by_user(ctx, &actor->s->cfg, actor->app_user);
}

/* Returns whether the pointer to the connection was restored. */
static bool
restore_pointer(struct ctx *ctx, const struct actor *actor)
{
	const char *pointer;
	const char *key;
	bool stored;

	return user_key(ctx, &actor->s->cfg, actor->app_user, &pointer)
	    && record_key(ctx, actor->account_id, actor->amocrm_user_id, &key)
	    && connection_restore_user(ctx, &actor->s->cfg, pointer, key, &stored) && stored;
}

static void
do_now(struct setup *s, bool (*act)(struct ctx *ctx, const struct actor *actor), int64_t account_id,
    int64_t amocrm_user_id, const char *app_user)
{
	struct actor actor = { s, act, account_id, amocrm_user_id, app_user, 0, { 0 } };

	if (!act(&s->ctx, &actor))
		fail_msg("%s", s->ctx.reason);
}

static bool
is_connected(struct setup *s, const char *app_user)
{
	struct connection connection;
	bool found;

	if (!connection_find_by_user(&s->ctx, &s->cfg, app_user, &found, &connection))
		fail_msg("%s", s->ctx.reason);
	return found;
}

/* The number of times a process has slept voluntarily. */
static long
sleeps(pid_t pid)
{
	static const char name[] = "voluntary_ctxt_switches:";
	char path[PATH_SIZE];
	char line[256];
	long count = 0;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	if ((file = fopen(path, "r")) == NULL)
		return 0;
	while (fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, name, sizeof name - 1) == 0)
			count = strtol(line + sizeof name - 1, NULL, 10);
	fclose(file);
	return count;
}

/* Waits until a process waits for a lock or, if it does not, has waited for something else. */
static void
wait_for_sleeps(pid_t pid, long count)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int limit = CHILD_LIMIT_S * 1000;

	while (sleeps(pid) < count && limit-- > 0)
		nanosleep(&pause, NULL);
}

struct tally {
	const char *app_user; /* NULL: any */
	int count;
	struct setup *s;
};

static bool
count_one(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct tally *tally = arg;
	bool indexed;

	if (!connection_indexed(
		ctx, &tally->s->cfg, connection->account_id, connection->amocrm_user_id, &indexed))
		return false;
	DEMAND("the account's index lists the connection", indexed);
	tally->count += tally->app_user == NULL
	    || (connection->app_user != NULL && strcmp(connection->app_user, tally->app_user) == 0);
	return true;
}

static int
count_of(struct setup *s, const char *app_user)
{
	struct tally tally = { app_user, 0, s };

	if (!connection_each(&s->ctx, &s->cfg, count_one, &tally))
		fail_msg("%s", s->ctx.reason);
	return tally.count;
}

/* Holds the account's lock, starts the late actor, which waits for it, and then the quick one,
 * which runs as far as it can.  Releases the lock, and gives the exit statuses of both. */
static void
overtake(
    struct setup *s, struct actor *late, struct actor *quick, int *late_status, int *quick_status)
{
	pid_t pids[2];
	struct lock lock;

	assert_true(store_files_lock(&s->ctx, &s->cfg.store, "account:1", STORE_WAIT_MS, &lock));
	pids[0] = child_start(run, late);
	wait_for_sleeps(pids[0], SLEEPS);
	pids[1] = child_start(run, quick);
	wait_for_sleeps(pids[1], 2);
	lock_release(&lock);
	*late_status = child_status(pids[0]);
	*quick_status = child_status(pids[1]);
}

static void
a_disconnect_keeps_a_connection_that_another_user_claimed(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (int round = 0; round < ROUNDS; round++) {
		struct actor late = { &s, disconnect, 0, 0, "u1", 0, { 0 } };
		struct actor quick = { &s, claim_saved, 1, 7, "u2", 0, { 0 } };
		int disconnect_status;
		int claim_status;

		do_now(&s, save, 1, 7, "u1");
		overtake(&s, &late, &quick, &disconnect_status, &claim_status);
		child_says_true("the disconnect", disconnect_status);
		assert_true(WIFEXITED(claim_status));
		DEMAND("the user whose claim succeeded is connected",
		    is_connected(&s, "u2") == (WEXITSTATUS(claim_status) == CHILD_TRUE));
		DEMAND("the user who disconnected is not connected", !is_connected(&s, "u1"));
	}
	setup_close(&s);
}

static void
a_disconnect_keeps_a_newer_authorization(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	for (int round = 0; round < ROUNDS; round++) {
		struct actor late = { &s, disconnect, 0, 0, "u1", 0, { 0 } };
		struct actor quick = { &s, save, 1, 8, "u2", 0, { 0 } };
		int disconnect_status;
		int save_status;

		do_now(&s, save, 1, 7, "u1");
		overtake(&s, &late, &quick, &disconnect_status, &save_status);
		child_says_true("the disconnect", disconnect_status);
		child_says_true("the authorization", save_status);
		/* the new connection is everybody's, unless it was saved first and then erased */
		DEMAND("every stored connection is everybody's",
		    count_of(&s, NULL) == (is_connected(&s, "u3") ? 1 : 0));
		do_now(&s, disconnect, 0, 0, "u1");
		same_number("connections", count_of(&s, NULL), 0);
	}
	setup_close(&s);
}

/* The claim holds the user's lock and waits for the account's.  The import must wait for the claim,
 * or it would replace the pointer that the claim writes. */
static void
an_import_keeps_the_pointer_that_a_claim_wrote(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (int round = 0; round < ROUNDS; round++) {
		struct actor late = { &s, save, 1, 7, "u1", 0, { 0 } };
		struct actor quick = { &s, restore_pointer, 2, 8, "u1", 0, { 0 } };
		int claim_status;
		int import_status;

		do_now(&s, save, 2, 8, NULL);
		overtake(&s, &late, &quick, &claim_status, &import_status);
		child_says_true("the claim", claim_status);
		assert_true(WIFEXITED(import_status));
		same_number("the import", WEXITSTATUS(import_status), CHILD_FALSE);
		same_number("connections of the user", count_of(&s, "u1"), 1);
		DEMAND("connected", is_connected(&s, "u1"));
		do_now(&s, disconnect, 0, 0, "u1");
	}
	setup_close(&s);
}

static bool
finds_the_connection(struct ctx *ctx, const struct actor *actor)
{
	struct connection connection;
	bool found;

	return connection_find_by_user(ctx, &actor->s->cfg, actor->app_user, &found, &connection)
	    && found;
}

static bool
finds_the_account_active(struct ctx *ctx, const struct actor *actor)
{
	bool active;

	return connection_account_active(ctx, &actor->s->cfg, actor->account_id, &active) && active;
}

static bool
note_user(struct ctx *ctx, void *arg, const struct connection *connection)
{
	(void)ctx;
	*(int64_t *)arg = connection->amocrm_user_id;
	return true;
}

static bool
visits_the_connection(struct ctx *ctx, const struct actor *actor)
{
	int64_t user = 0;

	return connection_each_in_account(ctx, &actor->s->cfg, actor->account_id, note_user, &user)
	    && user == actor->amocrm_user_id;
}

/* Writes what an authorization by user 8 leaves; the caller holds its locks. */
static void
replace_by_user_8(struct setup *s, const char *pointer)
{
	struct connection connection = {
		.account_id = 1,
		.amocrm_user_id = 8,
		.host = "reforyou.amocrm.ru",
		.app_user = s->cfg.app.connections == CONNECTIONS_SHARED ? NULL : "u1",
		.state = CONNECTION_ACTIVE,
		.connected_at = time(NULL),
		.refreshed_at = time(NULL),
		.expires_at = pair.expires_at,
	};

	if (!store_put(&s->ctx, &s->cfg.store, "account:1", "8", 0)
	    || !connection_put(&s->ctx, &s->cfg, s->ring, "connection:1:8", &connection, &pair)
	    || !store_put(&s->ctx, &s->cfg.store, pointer, "connection:1:8", 0))
		fail_msg("%s", s->ctx.reason);
}

/* What a reader meets that has read the pointer, or the index, just before a newer authorization
 * changed it, and reads the record just after that authorization erased it: the record is missing
 * while the writer holds its locks. */
static void
a_reader_finds_a_connection_that_is_being_replaced(void **state)
{
	static const struct {
		const char *label;
		int mode;
		bool (*act)(struct ctx *ctx, const struct actor *actor);
	} rows[] = {
		{ "status, shared", CONNECTIONS_SHARED, finds_the_connection },
		{ "status, per user", CONNECTIONS_PER_USER, finds_the_connection },
		{ "webhook, shared", CONNECTIONS_SHARED, finds_the_account_active },
		{ "token, shared", CONNECTIONS_SHARED, visits_the_connection },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		struct setup s;
		struct actor reader = { &s, rows[i].act, 1, 8, "u1", 0, { 0 } };
		struct lock locks[2];
		const char *pointer;
		int status;
		pid_t pid;

		setup_open(&s, *state, rows[i].mode);
		do_now(&s, save, 1, 7, "u1");
		assert_true(user_key(&s.ctx, &s.cfg, "u1", &pointer));
		assert_true(
		    store_files_lock(&s.ctx, &s.cfg.store, pointer, STORE_WAIT_MS, &locks[0]));
		assert_true(
		    store_files_lock(&s.ctx, &s.cfg.store, "account:1", STORE_WAIT_MS, &locks[1]));
		assert_true(connection_erase_record(&s.ctx, &s.cfg, 1, 7));
		pid = child_start(run, &reader);
		wait_for_sleeps(pid, SLEEPS);
		replace_by_user_8(&s, pointer);
		lock_release(&locks[1]);
		lock_release(&locks[0]);
		status = child_status(pid);
		child_says_true(rows[i].label, status);
		setup_close(&s);
	}
}

static void
run_concurrently(struct actor *actors, size_t count)
{
	pid_t pids[PROCESSES];
	int start[2];

	assert_true(count <= PROCESSES && pipe(start) == 0);
	for (size_t i = 0; i < count; i++) {
		actors[i].start[0] = start[0];
		actors[i].start[1] = start[1];
		pids[i] = child_start(run, &actors[i]);
	}
	close(start[0]);
	close(start[1]);
	for (size_t i = 0; i < count; i++)
		child_says_true("one of the concurrent processes", child_status(pids[i]));
}

static void
two_concurrent_claims_leave_a_user_one_connection(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (int round = 0; round < ROUNDS; round++) {
		struct actor claims[] = {
			{ &s, claim_saved, 1, 7, "u1", 0, { 0 } },
			{ &s, claim_saved, 2, 8, "u1", 0, { 0 } },
		};

		do_now(&s, save, 1, 7, NULL);
		do_now(&s, save, 2, 8, NULL);
		run_concurrently(claims, ROWS(claims));
		DEMAND("connected", is_connected(&s, "u1"));
		same_number("connections of the user", count_of(&s, "u1"), 1);
		do_now(&s, disconnect, 0, 0, "u1");
		same_number("connections after the disconnect", count_of(&s, NULL), 0);
	}
	setup_close(&s);
}

/* In a deadlock, waiting for a lock would time out. */
static bool
change_at_random(struct ctx *ctx, const struct actor *actor)
{
	char name[8];
	struct actor now = *actor;

	for (int turn = 0; turn < TURNS; turn++) {
		now.random = now.random * 1103515245 + 12345;
		now.account_id = 1 + (now.random >> 8) % ACCOUNTS;
		now.amocrm_user_id = now.account_id;
		snprintf(name, sizeof name, "u%u", (now.random >> 12) % USERS);
		now.app_user = name;
		if (!((now.random >> 16) % 4 == 0 ? disconnect : save)(ctx, &now))
			return false;
		ctx_wipe(ctx);
	}
	return true;
}

static void
concurrent_changes_do_not_deadlock(void **state)
{
	struct setup s;

	for (int mode = CONNECTIONS_SHARED; mode <= CONNECTIONS_PER_USER; mode++) {
		struct actor actors[PROCESSES];

		setup_open(&s, *state, mode);
		for (unsigned i = 0; i < PROCESSES; i++)
			actors[i] = (struct actor){ .s = &s, .act = change_at_random, .random = i };
		run_concurrently(actors, PROCESSES);
		if (mode == CONNECTIONS_PER_USER)
			for (int i = 0; i < USERS; i++) {
				char name[8];

				snprintf(name, sizeof name, "u%d", i);
				same_number(name, count_of(&s, name), is_connected(&s, name));
			}
		setup_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(a_disconnect_keeps_a_connection_that_another_user_claimed),
		IN_FOLDER(a_disconnect_keeps_a_newer_authorization),
		IN_FOLDER(an_import_keeps_the_pointer_that_a_claim_wrote),
		IN_FOLDER(a_reader_finds_a_connection_that_is_being_replaced),
		IN_STORE(two_concurrent_claims_leave_a_user_one_connection),
		IN_STORE(concurrent_changes_do_not_deadlock),
	};

	return run_engine_tests("connection race", tests);
}
