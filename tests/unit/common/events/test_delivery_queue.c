/* test_delivery_queue.c - the order of deliveries, retries, dead letters, repetitions, and which
 * segments are removed.  delivery_send is replaced by a receiver in memory: no network is used. */
#include "event_lines.h"

#include "events/cursor.h"
#include "events/delivery.h"
#include "events/delivery_queue.h"
#include "events/retry.h"

#include <utime.h>

#define DAY_S 86400
#define LIST  4096

#define ACCOUNT(id) (1u << (id))

static long ahead_s; /* of the clock */

time_t
time(time_t *at)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
	if (at != NULL)
		*at = now.tv_sec + ahead_s;
	return now.tv_sec + ahead_s;
}

static struct {
	unsigned failing; /* accounts below 32, a bit for each */
	enum delivery_outcome outcome;
	enum fault_kind fault;
	long retry_after_s;
	char attempted[LIST]; /* numbers of events, separated by spaces */
	char accepted[LIST];
} receiver;

static void
receiver_accepts(void)
{
	memset(&receiver, 0, sizeof receiver);
}

static void
receiver_fails(unsigned failing, enum delivery_outcome outcome, enum fault_kind fault)
{
	receiver_accepts();
	receiver.failing = failing;
	receiver.outcome = outcome;
	receiver.fault = fault;
}

static void
add_number(char list[LIST], int number)
{
	size_t len = strlen(list);

	assert_true(snprintf(list + len, LIST - len, "%s%d", len == 0 ? "" : " ", number)
	    < (int)(LIST - len));
}

enum delivery_outcome
delivery_send(struct ctx *ctx, const struct config *cfg, const struct stored_event *event)
{
	assert_non_null(cfg->deliver.url);
	add_number(receiver.attempted, event_number(event));
	if ((receiver.failing & ACCOUNT(event->account_id)) == 0) {
		add_number(receiver.accepted, event_number(event));
		return DELIVERY_ACCEPTED;
	}
	ctx_fault(ctx, receiver.fault, "the receiver replied with 503");
	ctx->retry_after_s = receiver.retry_after_s;
	return receiver.outcome;
}

/* The last failure that was reported, and the number of failures. */
struct reported {
	int count;
	int number;
	int attempt;
	long retry_s;
	char reason[64];
};

static void
note_failure(void *arg, const struct delivery_failure *failure)
{
	struct reported *reported = arg;

	reported->count++;
	reported->number = event_number(failure->event);
	reported->attempt = failure->attempt;
	reported->retry_s = failure->retry_s;
	snprintf(reported->reason, sizeof reported->reason, "%s", failure->reason);
}

static struct config
config_of(const char *store)
{
	struct config cfg = { .file = "amo-crm.conf" };

	cfg.store.path = store;
	cfg.deliver.url = "https://backend.example/events";
	cfg.webhook.keep_days = 90;
	return cfg;
}

/* The result of a process that delivers once. */
struct run {
	enum fault_kind kind;
	char reason[CTX_REASON_MAX];
	struct delivery_totals totals;
	enum cursor_damage damage;     /* when the queue was opened */
	enum cursor_damage damage_run; /* found since */
	struct reported reported;
};

static struct run
run_once(const char *store)
{
	struct config cfg = config_of(store);
	struct run run = { .kind = FAULT_NONE };
	struct delivery_queue *queue;
	struct ctx ctx;
	bool ok;

	receiver.attempted[0] = receiver.accepted[0] = '\0';
	open_ctx(&ctx);
	ok = delivery_queue_open(&ctx, &cfg, note_failure, &run.reported, &queue);
	if (ok) {
		run.damage = delivery_queue_take_damage(queue);
		ok = delivery_queue_run(&ctx, queue, &run.totals);
		run.damage_run = delivery_queue_take_damage(queue);
		delivery_queue_close(queue);
	}
	DEMAND("false with a fault, true without", ok == (ctx.kind == FAULT_NONE));
	run.kind = ctx.kind;
	snprintf(run.reason, sizeof run.reason, "%s", ctx.reason);
	ctx_close(&ctx);
	return run;
}

static void
same_totals(const char *label, const struct run *run, size_t delivered, size_t dead, size_t blocked)
{
	same_number(label, run->kind, FAULT_NONE);
	same_number(label, (long long)run->totals.delivered, (long long)delivered);
	same_number(label, (long long)run->totals.dead, (long long)dead);
	same_number(label, (long long)run->totals.blocked, (long long)blocked);
}

/* The cursor that a run has saved; the caller closes it and ctx. */
static void
open_saved(struct ctx *ctx, const struct store_config *cfg, struct cursor *cursor)
{
	open_ctx(ctx);
	assert_true(cursor_read(ctx, cfg, cursor));
}

static size_t
saved_blocked(const char *store)
{
	struct store_config cfg = { .path = store };
	struct cursor cursor;
	struct ctx ctx;
	size_t count;

	open_saved(&ctx, &cfg, &cursor);
	count = cursor.count;
	cursor_close(&cursor);
	ctx_close(&ctx);
	return count;
}

static struct blocked_account
saved_account(const char *store, int64_t account_id)
{
	struct store_config cfg = { .path = store };
	struct blocked_account *found;
	struct blocked_account copy;
	struct cursor cursor;
	struct ctx ctx;

	open_saved(&ctx, &cfg, &cursor);
	found = cursor_find_blocked(&cursor, account_id);
	assert_non_null(found);
	copy = *found;
	cursor_close(&cursor);
	ctx_close(&ctx);
	return copy;
}

/* Changes the saved time of all retries, and unless it is -1 the number of attempts. */
static void
set_retries(const char *store, time_t next_at, int attempts)
{
	struct store_config cfg = { .path = store };
	struct cursor cursor;
	struct ctx ctx;

	open_saved(&ctx, &cfg, &cursor);
	for (size_t i = 0; i < cursor.count; i++) {
		cursor.blocked[i].next_at = next_at;
		if (attempts >= 0)
			cursor.blocked[i].attempts = attempts;
	}
	assert_true(cursor_write(&ctx, &cfg, &cursor));
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
delivers_each_event_once_and_in_order(void **state)
{
	time_t now = time(NULL);
	struct run run;

	receiver_accepts();
	run = run_once(*state);
	same_totals("no event", &run, 0, 0, 0);
	for (int n = 1; n <= 3; n++)
		append_event(*state, n, 5 + n % 2, now);
	run = run_once(*state);
	same_totals("three events", &run, 3, 0, 0);
	same_text("three events", receiver.accepted, "1 2 3");
	run = run_once(*state);
	same_totals("again", &run, 0, 0, 0);
	append_event(*state, 4, 0, now);
	run = run_once(*state);
	same_text("one more event, without an account", receiver.accepted, "4");
}

static void
blocks_the_account_of_a_failed_event(void **state)
{
	time_t now = time(NULL);
	struct run run;

	for (int n = 1; n <= 9; n++)
		append_event(*state, n, n % 3, now);
	receiver_fails(ACCOUNT(1), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run = run_once(*state);
	same_totals("account 1 fails", &run, 6, 0, 1);
	same_text("one attempt of the blocked account", receiver.attempted, "1 2 3 5 6 8 9");
	same_number("failures", run.reported.count, 1);

	run = run_once(*state);
	same_totals("before the retry is due", &run, 0, 0, 1);
	same_text("before the retry is due", receiver.attempted, "");

	append_event(*state, 10, 1, now);
	append_event(*state, 11, 2, now);
	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_totals("the receiver works again", &run, 5, 0, 0);
	same_text("the blocked account comes first, in order", receiver.accepted, "1 4 7 10 11");
	same_number("blocked accounts in the saved cursor", (long long)saved_blocked(*state), 0);
}

static void
blocks_accounts_independently(void **state)
{
	time_t now = time(NULL);
	struct run run;

	for (int n = 1; n <= 8; n++)
		append_event(*state, n, n % 4, now);
	receiver_fails(ACCOUNT(0) | ACCOUNT(1) | ACCOUNT(2), DELIVERY_FAILED, FAULT_REPLY_LOST);
	run = run_once(*state);
	same_totals("three accounts fail", &run, 2, 0, 3);
	same_text("one attempt of each", receiver.attempted, "1 2 3 4 7");

	set_retries(*state, 0, -1);
	receiver_fails(ACCOUNT(1), DELIVERY_FAILED, FAULT_REPLY_LOST);
	run = run_once(*state);
	same_totals("one account still fails", &run, 4, 0, 1);
	same_number("its second attempt", saved_account(*state, 1).attempts, 2);

	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_totals("none fails", &run, 2, 0, 0);
	same_text("none fails", receiver.accepted, "1 5");
	same_number(
	    "blocked accounts, saved without a new event", (long long)saved_blocked(*state), 0);
}

/* The account's events have waited for long, and are many. */
static void
delivers_new_events_between_those_that_have_waited(void **state)
{
	enum { WAITING = 350, NEW = 999 };
	struct run run;
	char *at;

	for (int n = 1; n <= WAITING; n++)
		append_event(*state, n, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	append_event(*state, NEW, 6, time(NULL));
	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_totals("all in one round", &run, WAITING + 1, 0, 0);
	at = strstr(receiver.accepted, "999");
	assert_non_null(at);
	DEMAND("the new event is among the first",
	    (size_t)(at - receiver.accepted) < strlen(receiver.accepted) / 2);
	memmove(at, at + strlen("999 "), strlen(at + strlen("999 ")) + 1);
	at = receiver.accepted;
	for (int n = 1; n <= WAITING; n++)
		same_number("in order", strtol(at, &at, 10), n);
}

/* As after a backup was restored: the saved position is not in the journal. */
static void
skips_nothing_of_a_journal_that_has_become_shorter(void **state)
{
	static const struct {
		const char *label;
		int kept;  /* of three events, each of account n % 2 */
		int added; /* the number of the event that comes then: longer from 10 on */
		int64_t account;
		int failed; /* accounts whose events could not be delivered before */
		const char *accepted;
	} table[] = {
		{ "the position is beyond the end", 1, 4, 8, 0, "1 4" },
		{ "the position is within a line", 2, 4, 10, 0, "1 2 4" },
		{ "another line ends at the position", 2, 4, 8, 0, "1 2 4" },
		{ "no event is left", 0, 4, 8, 0, "4" },
		{ "an account is blocked", 1, 5, 1, ACCOUNT(1), "1 5" },
		{ "all accounts are blocked", 2, 5, 10, ACCOUNT(0) | ACCOUNT(1), "1 2 5" },
	};
	char path[PATH_SIZE];

	for (size_t i = 0; i < ROWS(table); i++) {
		off_t size = 0;
		struct stat st;
		struct run run;

		events_path(*state, "0000000001.ndjson", path);
		(void)unlink(path);
		events_path(*state, "cursor", path);
		(void)unlink(path);
		events_path(*state, "0000000001.ndjson", path);
		for (int n = 1; n <= 3; n++) {
			append_event(*state, n, n % 2, time(NULL));
			if (n == table[i].kept && stat(path, &st) == 0)
				size = st.st_size;
		}
		receiver_fails((unsigned)table[i].failed, DELIVERY_FAILED, FAULT_UNAVAILABLE);
		run_once(*state);
		assert_int_equal(truncate(path, size), 0);
		append_event(*state, table[i].added, table[i].account, time(NULL));
		receiver_accepts();
		set_retries(*state, 0, -1);
		run = run_once(*state);
		same_text(table[i].label, receiver.accepted, table[i].accepted);
		same_number(table[i].label, run.damage, CURSOR_FROM_SEGMENT);
		run = run_once(*state);
		same_totals(table[i].label, &run, 0, 0, 0);
		same_number(table[i].label, run.damage, CURSOR_WHOLE);
	}
}

static void
counts_attempts_for_each_event(void **state)
{
	struct blocked_account account;
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	for (int attempt = 1; attempt <= 3; attempt++) {
		time_t before = time(NULL);

		run = run_once(*state);
		same_number("reported", run.reported.attempt, attempt);
		same_text("the reason", run.reported.reason, "the receiver replied with 503");
		account = saved_account(*state, 5);
		same_number("saved", account.attempts, attempt);
		DEMAND("the retry is scheduled",
		    account.next_at >= before + run.reported.retry_s
			&& account.next_at <= time(NULL) + run.reported.retry_s);
		set_retries(*state, 0, -1);
	}
}

static void
obeys_retry_after(void **state)
{
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	receiver.retry_after_s = 1234;
	run = run_once(*state);
	same_number("reported", run.reported.retry_s, 1234);
}

static void
gives_up_after_the_last_retry(void **state)
{
	char path[PATH_SIZE];
	char lines[LINE_SIZE];
	struct run run;
	uint8_t *bytes;
	size_t len;

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	event_line(1, 5, time(NULL), lines);
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	set_retries(*state, 0, RETRIES - 1);
	run = run_once(*state);
	same_totals("the attempt before the last", &run, 0, 0, 1);
	DEMAND("the event is retried", run.reported.retry_s > 0);
	set_retries(*state, 0, -1);

	run = run_once(*state);
	same_totals("the last attempt", &run, 0, 1, 1);
	same_text("the next event is attempted too", receiver.attempted, "1 2");
	same_number("attempts of the next event", saved_account(*state, 5).attempts, 1);
	events_path(*state, "dead.ndjson", path);
	bytes = file_read(path, &len);
	same_number("a dead letter", (long long)len, (long long)strlen(lines) + 1);
	same_bytes("its id", bytes, lines, 70);
	free(bytes);

	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_text("a dead letter is not delivered", receiver.accepted, "2");
	same_totals("a dead letter is counted once", &run, 1, 0, 0);
}

static void
reports_an_event_that_is_given_up(void **state)
{
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	set_retries(*state, 0, RETRIES);
	run = run_once(*state);
	same_number("the event", run.reported.number, 1);
	same_number("the attempt", run.reported.attempt, RETRIES + 1);
	same_number("no retry", run.reported.retry_s, 0);
	same_text("the reason", run.reported.reason, "the receiver replied with 503");
}

static void
stops_without_blocking(void **state)
{
	static const struct {
		const char *label;
		enum delivery_outcome outcome;
		enum fault_kind fault;
		bool gone;
	} table[] = {
		{ "410", DELIVERY_GONE, FAULT_UNAVAILABLE, true },
		{ "the configuration is wrong", DELIVERY_FAILED, FAULT_CONFIG, false },
		{ "no memory", DELIVERY_FAILED, FAULT_SERVER, false },
	};

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 6, time(NULL));
	for (size_t i = 0; i < ROWS(table); i++) {
		struct run run;

		receiver_fails(ACCOUNT(5), table[i].outcome, table[i].fault);
		run = run_once(*state);
		same_number(table[i].label, run.kind, table[i].fault);
		same_number(table[i].label, run.totals.gone, table[i].gone);
		same_number(table[i].label, (long long)run.totals.blocked, 0);
		same_number(table[i].label, run.reported.count, 0);
		same_text(table[i].label, receiver.attempted, "1");
	}
	receiver_accepts();
	run_once(*state);
	same_text("no event was lost", receiver.accepted, "1 2");
}

/* The attempt that stops the queue is not counted. */
static void
stops_in_a_retry_without_counting_it(void **state)
{
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	append_event(*state, 2, 6, time(NULL));
	set_retries(*state, 0, 4);
	receiver_fails(ACCOUNT(5), DELIVERY_GONE, FAULT_UNAVAILABLE);
	run = run_once(*state);
	DEMAND("410", run.totals.gone);
	same_text("no other account is attempted", receiver.attempted, "1");
	same_number("attempts", saved_account(*state, 5).attempts, 4);
}

static void
skips_repetitions(void **state)
{
	static const struct {
		const char *label;
		long later_s;
		bool restart;
		const char *accepted;
	} table[] = {
		{ "immediately", 0, false, "1 2" },
		{ "immediately, in another process", 0, true, "2" },
		{ "within a day", DAY_S - 60, false, "1 2" },
		{ "within a day, in another process", DAY_S - 60, true, "2" },
		{ "after a day", DAY_S + 60, false, "1 1 2" },
		{ "after a day, in another process", DAY_S + 60, true, "1 2" },
	};

	receiver_accepts();
	for (size_t i = 0; i < ROWS(table); i++) {
		time_t began = time(NULL) - 2 * DAY_S + 3600;
		char path[PATH_SIZE];

		append_event(*state, 1, 5, began);
		if (table[i].restart)
			run_once(*state);
		append_event(*state, 1, 5, began + table[i].later_s);
		append_event(*state, 2, 5, began + table[i].later_s);
		run_once(*state);
		same_text(table[i].label, receiver.accepted, table[i].accepted);
		path_in(*state, "events", path);
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
}

/* Both events are before the common position, and the first is still undelivered. */
static void
delivers_a_blocked_event_that_was_repeated(void **state)
{
	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 1, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	set_retries(*state, 0, -1);
	receiver_accepts();
	run_once(*state);
	same_text("delivered once", receiver.accepted, "1 2");
}

static void
skips_lines_that_are_not_events(void **state)
{
	char path[PATH_SIZE];
	struct run run;
	int fd;

	append_event(*state, 1, 5, time(NULL));
	append_line(*state, "{\"not\":\"an event\"}");
	append_line(*state, "{\"id\":");
	append_event(*state, 2, 5, time(NULL));
	events_path(*state, "0000000001.ndjson", path);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(
	    write(fd, "{\"id\"", 5), 5); /* the rest of this line may still be written */
	close(fd);
	receiver_accepts();
	run = run_once(*state);
	same_text("the events", receiver.accepted, "1 2");
	same_number("a torn line, and one that is no event", run.totals.torn, 2);
}

static void
retries_when_the_clock_was_set_back(void **state)
{
	static const struct {
		const char *label;
		long ahead_s;
		const char *attempted;
	} table[] = {
		{ "as far ahead as the schedule allows", RETRY_WAIT_MAX_S - 60, "" },
		{ "further ahead than the longest wait", RETRY_WAIT_MAX_S + 60, "1" },
	};

	append_event(*state, 1, 5, time(NULL));
	for (size_t i = 0; i < ROWS(table); i++) {
		receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
		run_once(*state);
		set_retries(*state, time(NULL) + table[i].ahead_s, -1);
		run_once(*state);
		same_text(table[i].label, receiver.attempted, table[i].attempted);
	}
}

/* A segment of one event, last written that many days ago. */
static void
write_segment(const char *store, int number, int64_t account_id, int days)
{
	time_t at = time(NULL) - days * (time_t)DAY_S;
	struct utimbuf times = { at, at };
	char line[LINE_SIZE + 1];
	char path[PATH_SIZE];
	char name[32];

	event_line(number, account_id, at, line);
	strncat(line, "\n", 1);
	snprintf(name, sizeof name, "%010d.ndjson", number);
	events_path(store, name, path);
	file_write_text(path, line);
	assert_int_equal(utime(path, &times), 0);
}

static void
segment_file(const char *store, int number, char path[PATH_SIZE])
{
	char name[32];

	snprintf(name, sizeof name, "%010d.ndjson", number);
	events_path(store, name, path);
}

static bool
segment_exists(const char *store, int number)
{
	char path[PATH_SIZE];

	segment_file(store, number, path);
	return access(path, F_OK) == 0;
}

static void
remove_segment(const char *store, int number)
{
	char path[PATH_SIZE];

	segment_file(store, number, path);
	assert_int_equal(unlink(path), 0);
}

/* As after a backup was restored that is older than the newest segment. */
static void
skips_nothing_of_a_journal_without_the_segment_of_the_position(void **state)
{
	static const struct {
		const char *label;
		int left;     /* of three segments with an event each */
		bool arrives; /* another event, before the next delivery */
		const char *accepted;
	} table[] = {
		{ "a new event follows the segments that are left", 2, true, "1 2 4" },
		{ "no event is new", 2, false, "1 2" },
		{ "no segment is left", 0, true, "4" },
		{ "no event is left", 0, false, "" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		char path[PATH_SIZE];
		struct run run;

		for (int n = 1; n <= 3; n++)
			write_segment(*state, n, 5, 0);
		receiver_accepts();
		run = run_once(*state);
		same_totals(table[i].label, &run, 3, 0, 0);
		for (int n = 3; n > table[i].left; n--)
			remove_segment(*state, n);
		if (table[i].arrives)
			append_event(*state, 4, 5, time(NULL));
		run = run_once(*state);
		same_text(table[i].label, receiver.accepted, table[i].accepted);
		same_number(table[i].label, run.damage, CURSOR_FROM_SEGMENT);
		run = run_once(*state);
		same_totals(table[i].label, &run, 0, 0, 0);
		same_number(table[i].label, run.damage, CURSOR_WHOLE);
		path_in(*state, "events", path);
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
}

static void
write_lines(const char *store, int number, const char *lines)
{
	char path[PATH_SIZE];

	segment_file(store, number, path);
	file_write_text(path, lines);
}

/* The position is in the second segment, and an event has arrived in the first since. */
static void
skips_nothing_that_arrived_in_earlier_segments(void **state)
{
	char lines[2 * LINE_SIZE];
	struct run run;

	write_segment(*state, 1, 5, 0);
	write_segment(*state, 2, 5, 0);
	receiver_accepts();
	run = run_once(*state);
	same_totals("delivered", &run, 2, 0, 0);
	remove_segment(*state, 2);
	append_event(*state, 3, 5, time(NULL));
	event_line(4, 1234567, time(NULL), lines);
	strncat(lines, "\n", 1);
	write_lines(*state, 2, lines);
	run = run_once(*state);
	same_text("from the first segment on", receiver.accepted, "1 3 4");
	same_number("reported", run.damage, CURSOR_FROM_SEGMENT);
}

/* The first line of the first segment was removed; all lines have the same length.  The common
 * position is in a later one. */
static void
skips_no_event_of_a_blocked_account_in_a_changed_segment(void **state)
{
	char path[PATH_SIZE];
	struct run run;
	uint8_t *bytes;
	size_t len;

	append_event(*state, 1, 6, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	append_event(*state, 3, 5, time(NULL));
	write_segment(*state, 4, 6, 0);
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run = run_once(*state);
	same_totals("account 5 fails", &run, 2, 0, 1);
	segment_file(*state, 1, path);
	bytes = file_read(path, &len);
	file_write(path, bytes + len / 3, len - len / 3, 0600);
	free(bytes);
	set_retries(*state, 0, RETRIES);
	run = run_once(*state);
	same_number("reported", run.damage_run, CURSOR_FROM_SEGMENT);
	same_totals("attempts are counted anew", &run, 0, 0, 1);
	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_text("both", receiver.accepted, "2 3");
	same_number("reported once", run.damage_run, CURSOR_WHOLE);
}

/* The third segment is lost.  The others were last appended to a day ago. */
static void
delivers_again_what_arrived_since_the_position_was_saved(void **state)
{
	static const struct {
		const char *label;
		long saved_s; /* after now */
		const char *accepted;
	} table[] = {
		{ "just saved: only the newest segment", 0, "2" },
		{ "saved two days ago", -2L * DAY_S, "1 2" },
		{ "saved within the margin after the last event", -DAY_S + 600, "1 2" },
		{ "saved after the margin", -DAY_S + 7200, "2" },
		{ "saved when the clock was ahead", 600, "1 2" },
		{ "not known when", 0, "1 2" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		char saved_at[64] = "";
		char text[256];
		char path[PATH_SIZE];

		write_segment(*state, 1, 5, 1);
		write_segment(*state, 2, 5, 1);
		if (i + 1 < ROWS(table))
			snprintf(saved_at, sizeof saved_at, "\"saved_at\":%lld,",
			    (long long)time(NULL) + table[i].saved_s);
		snprintf(
		    text, sizeof text, "{\"segment\":3,\"offset\":100,%s\"held_up\":[]}", saved_at);
		events_path(*state, "cursor", path);
		file_write_text(path, text);
		receiver_accepts();
		run_once(*state);
		same_text(table[i].label, receiver.accepted, table[i].accepted);
	}
}

static void
removes_old_segments_that_are_delivered(void **state)
{
	struct run run;

	write_segment(*state, 1, 5, 93);
	write_segment(*state, 2, 5, 92);
	write_segment(*state, 3, 6, 91);
	write_segment(*state, 4, 5, 89);
	write_segment(*state, 5, 5, 91);
	receiver_fails(ACCOUNT(6), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run = run_once(*state);
	same_totals("account 6 fails", &run, 4, 0, 1);
	DEMAND("the first segment is removed", !segment_exists(*state, 1));
	DEMAND("the blocked account's segment is kept", segment_exists(*state, 3));

	set_retries(*state, 0, -1);
	receiver_accepts();
	run_once(*state);
	same_text("the blocked event", receiver.accepted, "3");
	DEMAND("it is removed after its delivery", !segment_exists(*state, 3));
	DEMAND("a newer segment is kept", segment_exists(*state, 4));
	DEMAND("the newest segment is kept", segment_exists(*state, 5));
}

static void
delivers_again_after_a_corrupt_cursor(void **state)
{
	char path[PATH_SIZE];
	char old_path[PATH_SIZE];
	struct run run;

	for (int n = 1; n <= 3; n++)
		append_event(*state, n, 5, time(NULL));
	receiver_accepts();
	run_once(*state);
	events_path(*state, "cursor", path);
	events_path(*state, "cursor.old", old_path);
	file_write_text(path, "{");
	append_event(*state, 4, 5, time(NULL));
	receiver_accepts();
	run = run_once(*state);
	same_number("the damage", run.damage, CURSOR_FROM_PREVIOUS);
	same_text("the last event twice", receiver.accepted, "3 4");

	file_write_text(path, "{");
	file_write_text(old_path, "{");
	receiver_accepts();
	run = run_once(*state);
	same_number("both are damaged", run.damage, CURSOR_FROM_BEGINNING);
	same_text("all events again", receiver.accepted, "1 2 3 4");
	run = run_once(*state);
	same_number("repaired", run.damage, CURSOR_WHOLE);
}

/* One byte of a line of the journal has changed. */
static void
counts_a_line_that_is_no_event(void **state)
{
	char path[PATH_SIZE];
	struct run run;
	char *name;
	uint8_t *bytes;
	size_t len;

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	events_path(*state, "0000000001.ndjson", path);
	bytes = file_read(path, &len);
	name = memmem(bytes, len, "account_id", 10);
	assert_non_null(name);
	*name = 'b';
	file_write(path, bytes, len, 0600);
	free(bytes);
	receiver_accepts();
	run = run_once(*state);
	same_text("the other", receiver.accepted, "2");
	same_number("is reported", run.totals.torn, 1);
}

static void
gives_up_a_rejected_event_after_three_attempts(void **state)
{
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_REJECTED, FAULT_UNAVAILABLE);
	for (int rejection = 1; rejection < REJECTIONS; rejection++) {
		run = run_once(*state);
		same_totals("rejected", &run, 0, 0, 1);
		DEMAND("it is retried within a minute",
		    run.reported.retry_s > 0 && run.reported.retry_s < 60);
		set_retries(*state, 0, -1);
	}
	run = run_once(*state);
	same_totals("the third rejection", &run, 0, 1, 1);
	same_text("the account goes on", receiver.attempted, "1 2");
	same_number("rejections of the next event", saved_account(*state, 5).rejections, 1);
}

/* As counted by a version that asked more often. */
static void
gives_up_an_event_that_was_rejected_more_often(void **state)
{
	struct store_config cfg = { .path = *state };
	struct cursor cursor;
	struct ctx ctx;
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_REJECTED, FAULT_UNAVAILABLE);
	run_once(*state);
	open_ctx(&ctx);
	assert_true(cursor_read(&ctx, &cfg, &cursor));
	cursor.blocked[0].attempts = cursor.blocked[0].rejections = REJECTIONS + 1;
	cursor.blocked[0].next_at = 0;
	assert_true(cursor_write(&ctx, &cfg, &cursor));
	cursor_close(&cursor);
	ctx_close(&ctx);
	run = run_once(*state);
	same_totals("given up", &run, 0, 1, 0);
}

/* A receiver that is being deployed may answer 404 for a moment. */
static void
counts_rejections_in_a_row(void **state)
{
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	for (int round = 0; round < 3; round++) {
		receiver_fails(ACCOUNT(5), DELIVERY_REJECTED, FAULT_UNAVAILABLE);
		for (int rejection = 1; rejection < REJECTIONS; rejection++) {
			run = run_once(*state);
			same_totals("rejected", &run, 0, 0, 1);
			set_retries(*state, 0, -1);
		}
		receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
		run = run_once(*state);
		same_totals("no answer", &run, 0, 0, 1);
		set_retries(*state, 0, -1);
	}
}

/* Both were received within the window, and waited for longer than that. */
static void
recognises_a_repetition_that_waited_for_days(void **state)
{
	time_t now = time(NULL);
	struct run run;

	append_event(*state, 1, 6, now - 4 * DAY_S);
	append_event(*state, 2, 5, now - 4 * DAY_S);
	append_event(*state, 2, 5, now - 4 * DAY_S + 900);
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	set_retries(*state, 0, -1);
	receiver_accepts();
	run = run_once(*state);
	same_totals("delivered once", &run, 1, 0, 0);
	same_text("delivered once", receiver.accepted, "2");
}

static void
counts_a_torn_last_line_once(void **state)
{
	struct config cfg = config_of(*state);
	struct reported reported = { .count = 0 };
	struct delivery_totals totals;
	struct delivery_queue *queue;
	char path[PATH_SIZE];
	struct ctx ctx;
	FILE *file;

	append_event(*state, 1, 5, time(NULL));
	events_path(*state, "0000000001.ndjson", path);
	file = fopen(path, "a");
	assert_non_null(file);
	assert_true(fputs("{\"id\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	receiver_accepts();
	open_ctx(&ctx);
	assert_true(delivery_queue_open(&ctx, &cfg, note_failure, &reported, &queue));
	for (int round = 0; round < 3; round++)
		assert_true(delivery_queue_run(&ctx, queue, &totals));
	same_number("torn lines", totals.torn, 1);
	delivery_queue_close(queue);
	ctx_close(&ctx);
}

static bool
deliver_step(struct ctx *ctx, void *arg)
{
	struct config cfg = config_of(arg);
	struct reported reported = { .count = 0 };
	struct delivery_totals totals;
	struct delivery_queue *queue;
	bool ok;

	if (!delivery_queue_open(ctx, &cfg, note_failure, &reported, &queue))
		return false;
	ok = delivery_queue_run(ctx, queue, &totals);
	delivery_queue_close(queue);
	if (ok)
		DEMAND("not skipped", receiver.accepted[0] == '1');
	return ok;
}

/* There is memory for the line of the event, and for the cursor, but not to read the event. */
static void
skips_no_event_without_memory(void **state)
{
	char line[LINE_SIZE];
	char text[2000];

	event_line(1, 5, time(NULL), line);
	snprintf(text, sizeof text, "%.*s\"%*s\":1}}", (int)strlen(line) - 2, line, 1500, "");
	append_line(*state, text);
	receiver_accepts();
	try_small_arenas("new", deliver_step, *state);
	events_path(*state, "cursor", text);
	assert_int_equal(unlink(text), 0);
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	run_once(*state);
	set_retries(*state, 0, -1);
	receiver_accepts();
	try_small_arenas("blocked", deliver_step, *state);
}

/* In one process: the lost end of the journal had an event that was not delivered, and amoCRM sends
 * it again. */
static void
forgets_what_a_journal_has_lost(void **state)
{
	struct config cfg = config_of(*state);
	struct reported reported = { .count = 0 };
	struct delivery_totals totals;
	struct delivery_queue *queue;
	char path[PATH_SIZE];
	struct ctx ctx;
	struct stat st;

	append_event(*state, 1, 6, time(NULL));
	events_path(*state, "0000000001.ndjson", path);
	assert_int_equal(stat(path, &st), 0);
	append_event(*state, 2, 5, time(NULL));
	append_event(*state, 3, 6, time(NULL));
	receiver_fails(ACCOUNT(5), DELIVERY_FAILED, FAULT_UNAVAILABLE);
	open_ctx(&ctx);
	assert_true(delivery_queue_open(&ctx, &cfg, note_failure, &reported, &queue));
	assert_true(delivery_queue_run(&ctx, queue, &totals));
	same_text("before", receiver.accepted, "1 3");

	assert_int_equal(truncate(path, st.st_size), 0);
	append_event(*state, 4, 6, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	receiver_accepts();
	for (int round = 0; round < 3; round++) {
		assert_true(delivery_queue_run(&ctx, queue, &totals));
		same_number("reported once", delivery_queue_take_damage(queue),
		    round == 0 ? CURSOR_FROM_SEGMENT : CURSOR_WHOLE);
	}
	ahead_s = 60; /* the retry is due */
	assert_true(delivery_queue_run(&ctx, queue, &totals));
	same_text("all that is left or has come", receiver.accepted, "1 4 2");
	ahead_s = 0;
	delivery_queue_close(queue);
	ctx_close(&ctx);
}

static void
stops_when_the_position_cannot_be_saved(void **state)
{
	char path[PATH_SIZE];
	struct run run;

	append_event(*state, 1, 5, time(NULL));
	append_event(*state, 2, 5, time(NULL));
	events_path(*state, "cursor.new", path); /* a directory cannot be written */
	assert_int_equal(mkdir(path, 0700), 0);
	receiver_accepts();
	run = run_once(*state);
	same_number("not saved", run.kind, FAULT_STORAGE);
	same_text("delivery stops", receiver.attempted, "1");
	assert_int_equal(rmdir(path), 0);
	run_once(*state);
	same_text("at least once", receiver.accepted, "1 2");
}

/* A process with --follow runs for months. */
static void
needs_no_more_memory_with_each_run(void **state)
{
	struct config cfg = config_of(*state);
	struct reported reported = { .count = 0 };
	struct delivery_totals totals;
	struct delivery_queue *queue;
	struct ctx ctx;
	size_t used;

	receiver_accepts();
	open_ctx(&ctx);
	assert_true(delivery_queue_open(&ctx, &cfg, note_failure, &reported, &queue));
	used = ctx.used;
	for (int n = 1; n <= 20; n++) {
		append_event(*state, n, n % 3, time(NULL));
		assert_true(delivery_queue_run(&ctx, queue, &totals));
		same_number("bytes of the arena in use", (long long)ctx.used, (long long)used);
		same_number("delivered in total", (long long)totals.delivered, n);
	}
	delivery_queue_close(queue);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(delivers_each_event_once_and_in_order),
		IN_FOLDER(blocks_the_account_of_a_failed_event),
		IN_FOLDER(blocks_accounts_independently),
		IN_FOLDER(delivers_new_events_between_those_that_have_waited),
		IN_FOLDER(skips_nothing_of_a_journal_that_has_become_shorter),
		IN_FOLDER(counts_attempts_for_each_event),
		IN_FOLDER(obeys_retry_after),
		IN_FOLDER(gives_up_after_the_last_retry),
		IN_FOLDER(reports_an_event_that_is_given_up),
		IN_FOLDER(stops_without_blocking),
		IN_FOLDER(stops_in_a_retry_without_counting_it),
		IN_FOLDER(skips_repetitions),
		IN_FOLDER(delivers_a_blocked_event_that_was_repeated),
		IN_FOLDER(skips_lines_that_are_not_events),
		IN_FOLDER(retries_when_the_clock_was_set_back),
		IN_FOLDER(skips_nothing_of_a_journal_without_the_segment_of_the_position),
		IN_FOLDER(skips_nothing_that_arrived_in_earlier_segments),
		IN_FOLDER(skips_no_event_of_a_blocked_account_in_a_changed_segment),
		IN_FOLDER(delivers_again_what_arrived_since_the_position_was_saved),
		IN_FOLDER(removes_old_segments_that_are_delivered),
		IN_FOLDER(delivers_again_after_a_corrupt_cursor),
		IN_FOLDER(counts_a_line_that_is_no_event),
		IN_FOLDER(gives_up_a_rejected_event_after_three_attempts),
		IN_FOLDER(gives_up_an_event_that_was_rejected_more_often),
		IN_FOLDER(counts_rejections_in_a_row),
		IN_FOLDER(recognises_a_repetition_that_waited_for_days),
		IN_FOLDER(counts_a_torn_last_line_once),
		IN_FOLDER(skips_no_event_without_memory),
		IN_FOLDER(forgets_what_a_journal_has_lost),
		IN_FOLDER(stops_when_the_position_cannot_be_saved),
		IN_FOLDER(needs_no_more_memory_with_each_run),
	};

	return cmocka_run_group_tests_name("delivery queue", tests, NULL, NULL);
}
