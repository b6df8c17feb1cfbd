/* test_connection_escrow.c - tokens that could not be stored wait, and are folded in unless the
 * connection has become another one meanwhile. */
#include "../../child.h"
#include "../../setup.h"

#include "base/clock.h"
#include "connection/auth_code.h"
#include "connection/authorized.h"
#include "connection/connection_escrow.h"
#include "store/escrow.h"
#include "store/store_paths.h"

#include <dirent.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OTHER_KEY "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define KEY       "connection:1:7"
#define AGE_S     1000

static const struct tokens old_pair = { "access-old", "refresh-old", 4102444800 };
static const struct tokens new_pair = { "access-new", "refresh-new", 4102444801 };
static const struct tokens other_pair = { "access-other", "refresh-other", 4102444802 };

static struct mock {
	bool opaque;    /* the access token does not tell whose it is */
	int questions;  /* how often amoCRM was asked */
	int64_t latest; /* the deadline of the last question */
} mock;

/* Whose the tokens of a code are. */
bool
amocrm_identity_from_token(
    struct ctx *ctx, const char *host, const struct tokens *tokens, struct identity *identity)
{
	(void)ctx;
	(void)tokens;
	*identity = (struct identity){ 1, 7, host };
	return !mock.opaque;
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
	(void)identity;
	if (mock.questions++ > 0)
		same_number("one deadline for all", deadline_ms, mock.latest);
	mock.latest = deadline_ms;
	return fault(ctx, FAULT_UNAVAILABLE, "amoCRM is not available");
}

static int syncs;

/* Counts instead of the C library's. */
int
fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
}

static struct connection
connected(void)
{
	return (struct connection){
		.account_id = 1,
		.amocrm_user_id = 7,
		.host = "reforyou.amocrm.ru",
		.connected_at = time(NULL) - 2 * AGE_S,
		.refreshed_at = time(NULL) - AGE_S,
		.authorization = "0123456789abcdef",
	};
}

static void
put(struct setup *s, const struct connection *connection, const struct tokens *tokens)
{
	const char *value;

	if (!record_write(&s->ctx, s->ring, connection, tokens, &value)
	    || !store_put(&s->ctx, &s->cfg.store, KEY, value, 0))
		fail_msg("%s", s->ctx.reason);
}

static void
stored_is(const char *label, struct setup *s, const char *expected)
{
	struct connection connection;
	struct tokens tokens = { .refresh_token = NULL };
	bool found;

	ctx_clear_fault(&s->ctx);
	if (!connection_find(&s->ctx, &s->cfg, KEY, &found, &connection)
	    || (found && !record_tokens(&s->ctx, s->ring, &connection, &tokens)))
		fail_msg("%s: %s", label, s->ctx.reason);
	same_text(label, tokens.refresh_token, expected);
}

static size_t
waiting(struct setup *s)
{
	char first[STORE_KEY_MAX + 1];
	size_t count;

	assert_true(connection_waiting(&s->ctx, &s->cfg, &count, first));
	if (count > 0)
		same_text("whose tokens wait", first, KEY);
	return count;
}

static void
note_in_escrow(
    struct setup *s, const struct refreshed *refreshed, const struct authorized *authorized)
{
	struct lock slot;
	struct escrow_entry entry = { &s->cfg, s->ring, &slot, refreshed, authorized, NULL };

	if (!escrow_reserve(&s->ctx, &s->cfg.store, ESCROW_SLOTS, &slot))
		fail_msg("%s", s->ctx.reason);
	connection_escrow_note(&s->ctx, &entry);
	assert_non_null(entry.text);
	escrow_release(&slot);
}

static void
keep_in_escrow(struct setup *s, const struct connection *before)
{
	const struct refreshed refreshed = { KEY, before, &new_pair, time(NULL) };

	note_in_escrow(s, &refreshed, NULL);
}

/* What happens between the refresh and the fold. */
typedef void meanwhile(struct setup *s);

static void
nothing(struct setup *s)
{
	(void)s;
}

static void
erased(struct setup *s)
{
	assert_true(store_erase(&s->ctx, &s->cfg.store, KEY));
}

static void
connected_again(struct setup *s)
{
	struct connection now = connected();

	now.connected_at = now.refreshed_at = time(NULL);
	now.authorization = "fedcba9876543210";
	put(s, &now, &other_pair);
}

static void
connected_again_in_the_same_second(struct setup *s)
{
	struct connection now = connected();

	now.authorization = "fedcba9876543210";
	put(s, &now, &other_pair);
}

static void
refreshed_again(struct setup *s)
{
	struct connection now = connected();

	now.refreshed_at += 1;
	put(s, &now, &other_pair);
}

static void
saved_in_part(struct setup *s)
{
	struct connection now = connected();

	now.refreshed_at = time(NULL);
	put(s, &now, &new_pair);
}

static void
folds_unless_there_is_something_newer(void **state)
{
	static const struct {
		const char *label;
		meanwhile *meanwhile;
		const char *expected; /* the refresh token; NULL: no record */
	} table[] = {
		{ "nothing else happened", nothing, "refresh-new" },
		{ "the connection was erased", erased, NULL },
		{ "it was authorized again", connected_again, "refresh-other" },
		{ "it was authorized again at once", connected_again_in_the_same_second,
		    "refresh-other" },
		{ "it was refreshed again", refreshed_again, "refresh-other" },
		{ "the pair was saved already", saved_in_part, "refresh-new" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct connection before = connected();
		struct setup s;

		setup_open(&s, *state, CONNECTIONS_SHARED);
		put(&s, &before, &old_pair);
		keep_in_escrow(&s, &before);
		table[i].meanwhile(&s);
		same_number(table[i].label, (long long)waiting(&s), 1);
		assert_true(connection_fold(&s.ctx, &s.cfg, "connection:1:8"));
		same_number("another connection's fold", (long long)waiting(&s), 1);
		if (!connection_fold(&s.ctx, &s.cfg, KEY))
			fail_msg("%s: %s", table[i].label, s.ctx.reason);
		stored_is(table[i].label, &s, table[i].expected);
		same_number(table[i].label, (long long)waiting(&s), 0);
		assert_true(connection_fold(&s.ctx, &s.cfg, NULL));
		stored_is(table[i].label, &s, table[i].expected);
		setup_close(&s);
	}
}

static void
keeps_what_was_changed_meanwhile(void **state)
{
	struct connection before = connected();
	struct connection now = connected();
	struct setup s;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	before.host = "renamed.amocrm.ru"; /* as amoCRM told at the refresh */
	keep_in_escrow(&s, &before);
	now.app_user = "olena";
	now.state = CONNECTION_REVOKED;
	put(&s, &now, &old_pair);
	assert_true(connection_fold(&s.ctx, &s.cfg, NULL));
	stored_is("the new pair", &s, "refresh-new");
	assert_true(connection_find(&s.ctx, &s.cfg, KEY, &found, &now) && found);
	same_text("the host", now.host, "renamed.amocrm.ru");
	same_text("the user who has claimed it", now.app_user, "olena");
	same_number("its state", now.state, CONNECTION_REVOKED);
	setup_close(&s);
}

/* The key that is used was chosen before amoCRM was asked, and may be taken out since. */
static void
seals_with_the_first_key_of_now(void **state)
{
	const struct connection before = connected();
	const struct refreshed refreshed = { KEY, &before, &new_pair, time(NULL) };
	char reason[CTX_REASON_MAX];
	struct lock slot;
	struct setup s;
	struct escrow_entry entry = { &s.cfg, NULL, &slot, &refreshed, NULL, NULL };

	setup_open(&s, *state, CONNECTIONS_SHARED);
	put(&s, &before, &old_pair);
	entry.ring = s.ring;
	assert_true(escrow_reserve(&s.ctx, &s.cfg.store, ESCROW_SLOTS, &slot));
	connection_escrow_note(&s.ctx, &entry);
	file_write_text(s.keys, "k2 " OTHER_KEY "\nk1 " SETUP_KEY "\n");
	assert_true(connection_escrow_leave(&s.ctx, &entry, reason));
	escrow_release(&slot);
	file_write_text(s.keys, "k2 " OTHER_KEY "\n");
	if (!connection_fold(&s.ctx, &s.cfg, KEY))
		fail_msg("%s", s.ctx.reason);
	same_number("texts that wait", (long long)waiting(&s), 0);
	setup_close(&s);
}

#define CODE "code:aaaabbbbccccddddeeeeffff"
#define ID   "aaaabbbbccccdddd" /* of the authorization */

static time_t authorized_at; /* by the code whose tokens are in the escrow */

static void
keep_code_in_escrow(struct setup *s, const struct grant *grant)
{
	struct authorized authorized = { .record = CODE, .grant = grant, .tokens = &new_pair };

	authorized.at = authorized_at = time(NULL) - AGE_S / 2;
	note_in_escrow(s, NULL, &authorized);
}

static void
keep_new_code(struct setup *s, const struct grant *grant)
{
	assert_true(store_erase(&s->ctx, &s->cfg.store, CODE));
	keep_code_in_escrow(s, grant);
}

static void
older_connection(struct setup *s)
{
	const struct connection before = connected();

	put(s, &before, &old_pair);
}

/* The clock was ahead, and has been set back. */
static void
connected_in_the_future(struct setup *s)
{
	struct connection before = connected();

	before.connected_at = before.refreshed_at = time(NULL) + AGE_S;
	put(s, &before, &old_pair);
}

static void
refreshed_since(struct setup *s)
{
	struct connection now = connected();

	now.authorization = ID;
	now.connected_at = authorized_at;
	now.refreshed_at = time(NULL);
	put(s, &now, &other_pair);
}

static void
saved_code_in_part(struct setup *s)
{
	struct connection now = connected();

	now.authorization = ID;
	now.connected_at = now.refreshed_at = authorized_at;
	put(s, &now, &new_pair);
}

static void
put_code(struct setup *s, const char *record, const char *claimed_by)
{
	const struct auth_code code = { .connection = KEY, .claimed_by = claimed_by };
	struct store_op op;

	if (!auth_code_op(&s->ctx, record, &code, &op)
	    || !store_commit(&s->ctx, &s->cfg.store, &op, 1))
		fail_msg("%s", s->ctx.reason);
}

static void
claimed_since(struct setup *s)
{
	refreshed_since(s);
	put_code(s, CODE, "ivan");
}

/* The code's record has the connection, and can be claimed by that user. */
static void
code_is(const char *label, struct setup *s, const char *claimed_by)
{
	struct auth_code code;
	bool known;

	if (!auth_code_find(&s->ctx, &s->cfg.store, CODE, &known, &code))
		fail_msg("%s: %s", label, s->ctx.reason);
	DEMAND(label, known);
	same_text(label, code.connection, KEY);
	same_text(label, code.claimed_by, claimed_by);
	if (claimed_by == NULL)
		same_text(label, code.reserved_for, "olena");
}

static void
folds_a_code_unless_there_is_something_newer(void **state)
{
	static const struct {
		const char *label;
		meanwhile *meanwhile;
		const char *expected; /* the refresh token */
		const char *claimed_by;
	} table[] = {
		{ "no connection yet", nothing, "refresh-new", "olena" },
		{ "an older authorization", older_connection, "refresh-new", "olena" },
		{ "an authorization of the future", connected_in_the_future, "refresh-new",
		    "olena" },
		{ "a newer authorization", connected_again, "refresh-other", NULL },
		{ "it was stored, and refreshed since", refreshed_since, "refresh-other", NULL },
		{ "the connection was stored already", saved_code_in_part, "refresh-new", "olena" },
		{ "all was stored, and claimed since", claimed_since, "refresh-other", "ivan" },
	};
	const struct grant grant = { .host = "reforyou.amocrm.ru", .claimant = "olena" };

	for (size_t i = 0; i < ROWS(table); i++) {
		struct connection connection;
		struct setup s;
		bool found;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(store_erase(&s.ctx, &s.cfg.store, KEY));
		keep_new_code(&s, &grant);
		table[i].meanwhile(&s);
		assert_true(connection_fold(&s.ctx, &s.cfg, KEY));
		same_text("another filter leaves it", s.ctx.reason, "");
		syncs = 0;
		if (!connection_fold(&s.ctx, &s.cfg, CODE))
			fail_msg("%s: %s", table[i].label, s.ctx.reason);
		if (!engine_is_database())
			DEMAND(table[i].label, syncs > 0); /* before the slot is freed */
		stored_is(table[i].label, &s, table[i].expected);
		code_is(table[i].label, &s, table[i].claimed_by);
		if (strcmp(table[i].expected, "refresh-new") == 0) {
			assert_true(
			    connection_find_by_user(&s.ctx, &s.cfg, "olena", &found, &connection));
			DEMAND(table[i].label, found);
			same_number("the time of the authorization", connection.connected_at,
			    connection.refreshed_at);
		}
		setup_close(&s);
	}
}

/* Another host refused the code first; or a kill came after its tokens were stored as pending. */
static void
folds_a_code_whose_record_has_no_connection(void **state)
{
	static const struct {
		const char *label;
		struct auth_code code;
	} table[] = {
		{ "refused elsewhere", { .host = "other.amocrm.ru", .refused = FAULT_REFUSED } },
		{ "pending", { .host = "reforyou.amocrm.ru", .tokens = "sealed" } },
	};
	const struct grant grant = { .code = "def50200ccddee", .host = "reforyou.amocrm.ru" };
	struct authorized authorized = {
		.grant = &grant, .tokens = &new_pair, .at = time(NULL) - AGE_S / 2
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct store_op op;
		struct setup s;

		setup_open(&s, *state, CONNECTIONS_PER_USER);
		assert_true(store_erase(&s.ctx, &s.cfg.store, KEY));
		assert_true(auth_code_key(&s.ctx, grant.code, &authorized.record));
		assert_true(auth_code_op(&s.ctx, authorized.record, &table[i].code, &op)
		    && store_commit(&s.ctx, &s.cfg.store, &op, 1));
		note_in_escrow(&s, NULL, &authorized);
		same_fault(
		    table[i].label, &s.ctx, authorize(&s.ctx, &s.cfg, &grant, 1000), FAULT_NONE);
		same_number(table[i].label, (long long)waiting(&s), 0);
		stored_is(table[i].label, &s, "refresh-new");
		setup_close(&s);
	}
}

/* The text in the escrow is older than what its claimant has authorized since, as another user of
 * amoCRM: that connection would be erased. */
static void
does_not_replace_a_newer_connection_of_its_claimant(void **state)
{
	static const enum connections_mode modes[] = { CONNECTIONS_PER_USER, CONNECTIONS_SHARED };
	const struct grant grant = { .host = "reforyou.amocrm.ru", .claimant = "olena" };
	const struct identity other = { 1, 8, "reforyou.amocrm.ru" };
	const struct claim claim = { CLAIM_USER, "olena" };
	const struct authorization authorization = { .id = "fedcba9876543210" };

	for (size_t i = 0; i < ROWS(modes); i++) {
		struct connection connection;
		struct setup s;
		bool found;

		setup_open(&s, *state, modes[i]);
		assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
		keep_new_code(&s, &grant);
		if (!connection_save(
			&s.ctx, &s.cfg, s.ring, &other, &other_pair, &claim, &authorization)
		    || !connection_fold(&s.ctx, &s.cfg, NULL))
			fail_msg("%s", s.ctx.reason);
		assert_true(connection_find_by_user(&s.ctx, &s.cfg, "olena", &found, &connection));
		DEMAND("the newer connection", found);
		same_number("its user", connection.amocrm_user_id, other.user_id);
		stored_is("the older one", &s, NULL);
		code_is("the older code", &s, NULL);
		same_number("texts that wait", (long long)waiting(&s), 0);
		assert_true(connection_erase(&s.ctx, &s.cfg, 1, 8));
		setup_close(&s);
	}
}

static void
is_found_by_who_else_finds_nothing(void **state)
{
	const struct grant grant = { .host = "reforyou.amocrm.ru", .claimant = "olena" };
	struct connection connection;
	struct setup s;
	bool found;
	bool active;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	keep_new_code(&s, &grant);
	assert_true(connection_find_by_user(&s.ctx, &s.cfg, "olena", &found, &connection));
	DEMAND("status", found);
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));
	keep_new_code(&s, &grant);
	assert_true(connection_account_active(&s.ctx, &s.cfg, 1, &active));
	DEMAND("webhook", active);
	assert_true(connection_erase(&s.ctx, &s.cfg, 1, 7));

	keep_new_code(&s, &grant);
	assert_true(connection_erase_by_user(&s.ctx, &s.cfg, "olena"));
	assert_true(connection_find_by_user(&s.ctx, &s.cfg, "olena", &found, &connection));
	DEMAND("an erasure reaches it", !found);

	keep_new_code(&s, &grant);
	assert_true(connection_revoke_account(&s.ctx, &s.cfg, 1));
	assert_true(connection_find(&s.ctx, &s.cfg, KEY, &found, &connection) && found);
	same_number("a revocation reaches it", connection.state, CONNECTION_REVOKED);
	setup_close(&s);
}

/* amoCRM has to be asked whose these tokens are.  A lookup, which anybody can cause, does not. */
static void
asks_amocrm_within_one_deadline(void **state)
{
	const struct grant grant = { .host = "reforyou.amocrm.ru", .claimant = "olena" };
	const struct fold_filter all = { .all = true };
	struct connection connection;
	struct setup s;
	bool found;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	mock = (struct mock){ .opaque = true };
	for (int i = 0; i < 3; i++)
		keep_code_in_escrow(&s, &grant);
	assert_true(connection_find_by_user(&s.ctx, &s.cfg, "olena", &found, &connection));
	DEMAND("nothing was folded in", !found);
	same_number("questions of a lookup", mock.questions, 0);
	same_fault("amoCRM is not available", &s.ctx, connection_fold(&s.ctx, &s.cfg, NULL),
	    FAULT_UNAVAILABLE);
	ctx_clear_fault(&s.ctx);
	same_number("questions of a fold", mock.questions, 3);
	mock = (struct mock){ .opaque = false };
	assert_true(connection_fold_nowait(&s.ctx, &s.cfg, &all));
	stored_is("when the tokens tell", &s, "refresh-new");
	setup_close(&s);
}

/* amoCRM waits three seconds for the reply to an install call. */
static void
folds_within_the_deadline_of_the_request(void **state)
{
	struct grant grant = { .code = "def50200aabbcc", .host = "reforyou.amocrm.ru" };
	struct authorized authorized = {
		.grant = &grant, .tokens = &new_pair, .at = time(NULL) - AGE_S / 2
	};
	char path[PATH_SIZE];
	struct lock slot;
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.amocrm.timeout = 3600;
	grant.deadline_ms = clock_ms() + 600000;
	assert_true(auth_code_key(&s.ctx, grant.code, &authorized.record));
	note_in_escrow(&s, NULL, &authorized);
	mock = (struct mock){ .opaque = true };
	same_fault("amoCRM is not available", &s.ctx, authorize(&s.ctx, &s.cfg, &grant, 1000),
	    FAULT_UNAVAILABLE);
	same_number("questions", mock.questions, 1);
	same_number("the deadline of the question", mock.latest, grant.deadline_ms);
	mock = (struct mock){ .opaque = false };

	ctx_clear_fault(&s.ctx);
	path_in(*state, "escrow/000", path);
	assert_true(lock_acquire(&s.ctx, path, 0, 0, &slot));
	grant.deadline_ms = clock_ms();
	same_fault("another process uses the slot", &s.ctx, authorize(&s.ctx, &s.cfg, &grant, 1000),
	    FAULT_UNAVAILABLE);
	has_text("after the deadline", s.ctx.reason, "locked by another process for 0 ms");
	lock_release(&slot);
	setup_close(&s);
}

static void
frees_slots_when_all_are_taken(void **state)
{
	const struct grant grant = { .host = "reforyou.amocrm.ru", .claimant = "olena" };
	struct lock slot;
	struct setup s;
	size_t mark;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	mark = arena_mark(&s.ctx);
	for (int i = 0; i < ESCROW_SLOTS; i++) {
		keep_code_in_escrow(&s, &grant);
		arena_rewind(&s.ctx, mark);
	}
	mock = (struct mock){ .opaque = true };
	same_fault("nothing can be folded in", &s.ctx,
	    connection_escrow_reserve(&s.ctx, &s.cfg, ESCROW_SLOTS, &slot), FAULT_STORAGE);
	ctx_clear_fault(&s.ctx);
	mock = (struct mock){ .opaque = false };
	if (!connection_escrow_reserve(&s.ctx, &s.cfg, ESCROW_SLOTS_EXCHANGE, &slot))
		fail_msg("%s", s.ctx.reason);
	escrow_release(&slot);
	same_number("texts that wait", (long long)waiting(&s), 0);
	stored_is("the tokens", &s, "refresh-new");
	setup_close(&s);
}

/* Whether a process has opened the slot. */
static bool
has_open(pid_t pid, const char *slot)
{
	char name[64];
	char path[512];
	char target[PATH_SIZE];
	const struct dirent *entry;
	bool has = false;
	DIR *directory;

	snprintf(name, sizeof name, "/proc/%d/fd", (int)pid);
	directory = opendir(name);
	while (directory != NULL && !has && (entry = readdir(directory)) != NULL) {
		ssize_t len;

		snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
		len = readlink(path, target, sizeof target - 1);
		target[len > 0 ? len : 0] = '\0';
		has = strcmp(target, slot) == 0;
	}
	if (directory != NULL)
		closedir(directory);
	return has;
}

struct folding {
	struct setup *s;
	char slot[PATH_SIZE];
	const char *record;
	volatile long *locked; /* shared with the parent */
};

/* Folds the slot in as another program does, while its parent waits for the slot. */
static bool
fold_in_child(void *arg)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	const struct folding *folding = arg;
	struct setup *s = folding->s;
	struct lock lock;

	if (!lock_acquire(&s->ctx, folding->slot, 0, 0, &lock))
		return false;
	*folding->locked = 1;
	while (!has_open(getppid(), folding->slot))
		nanosleep(&pause, NULL);
	put_code(s, folding->record, NULL);
	escrow_erase(&lock);
	escrow_release(&lock);
	return true;
}

/* amoCRM would be asked again otherwise, and refuse the code. */
static void
finds_a_code_that_another_process_has_just_folded_in(void **state)
{
	const struct grant grant = { .code = "def50200aabbcc", .host = "reforyou.amocrm.ru" };
	struct authorized authorized = {
		.grant = &grant, .tokens = &new_pair, .at = time(NULL) - AGE_S / 2
	};
	struct folding folding;
	struct setup s;
	long *locked;
	pid_t pid;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	assert_true(auth_code_key(&s.ctx, grant.code, &authorized.record));
	note_in_escrow(&s, NULL, &authorized);
	folding = (struct folding){ .s = &s, .record = authorized.record };
	path_in(*state, "escrow/000", folding.slot);
	locked =
	    mmap(NULL, sizeof *locked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(locked != MAP_FAILED);
	folding.locked = locked;
	pid = child_start(fold_in_child, &folding);
	child_counts("the slot is locked", folding.locked, 1, 0);
	same_fault("the code", &s.ctx, authorize(&s.ctx, &s.cfg, &grant, 1000), FAULT_NONE);
	child_says_true("the other process", child_status(pid));
	munmap(locked, sizeof *locked);
	setup_close(&s);
}

/* The shard of the record is broken, and repaired later. */
static void
waits_until_the_place_is_repaired(void **state)
{
	const struct connection before = connected();
	char name[64];
	char shard[PATH_SIZE];
	char aside[PATH_SIZE];
	struct setup s;
	int number;

	setup_open(&s, *state, CONNECTIONS_SHARED);
	put(&s, &before, &old_pair);
	keep_in_escrow(&s, &before);
	assert_true(store_paths_shard(&s.ctx, KEY, &number));
	snprintf(name, sizeof name, "connections/%03x.gdbm", (unsigned)number);
	path_in(*state, name, shard);
	path_in(*state, "aside", aside);
	assert_int_equal(rename(shard, aside), 0);
	file_write_text(shard, "");
	for (int i = 0; i < 2; i++) {
		same_fault("while it is broken", &s.ctx, connection_fold(&s.ctx, &s.cfg, KEY),
		    FAULT_STORAGE);
		ctx_clear_fault(&s.ctx);
		same_number("the pair waits", (long long)waiting(&s), 1);
	}
	assert_int_equal(rename(aside, shard), 0);
	assert_true(connection_fold(&s.ctx, &s.cfg, KEY));
	stored_is("after the repair", &s, "refresh-new");
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(folds_unless_there_is_something_newer),
		IN_STORE(keeps_what_was_changed_meanwhile),
		IN_STORE(seals_with_the_first_key_of_now),
		IN_STORE(folds_a_code_unless_there_is_something_newer),
		IN_STORE(folds_a_code_whose_record_has_no_connection),
		IN_STORE(does_not_replace_a_newer_connection_of_its_claimant),
		IN_STORE(is_found_by_who_else_finds_nothing),
		IN_STORE(asks_amocrm_within_one_deadline),
		IN_STORE(folds_within_the_deadline_of_the_request),
		IN_STORE(frees_slots_when_all_are_taken),
		IN_STORE(finds_a_code_that_another_process_has_just_folded_in),
		IN_FOLDER(waits_until_the_place_is_repaired),
	};

	return run_engine_tests("connection escrow", tests);
}
