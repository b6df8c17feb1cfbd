/* test_budget.c - the turns of calls and the shares of exchanges, by a clock that skips its sleeps.
 */
#include "../../child.h"
#include "../../setup.h"
#include "../../skipping_clock.h"

#include "amocrm/budget.h"

#include <stdlib.h>

#define A "a.amocrm.ru"
#define B "b.amocrm.ru" /* has another entry than A */

static int
admitted(struct setup *s, const char *host, enum budget_share share, int tries)
{
	int count = 0;

	while (tries-- > 0) {
		count += budget_admit(&s->ctx, &s->cfg, host, share);
		if (s->ctx.kind != FAULT_NONE) {
			same_fault("beyond the budget", &s->ctx, false, FAULT_UNAVAILABLE);
			assert_in_range(s->ctx.retry_after_s, 1, 60);
		}
		ctx_clear_fault(&s->ctx);
	}
	return count;
}

static void
admits_a_burst_and_then_a_rate(void **state)
{
	static const enum budget_share shares[] = { BUDGET_STRANGER, BUDGET_INSTALL, BUDGET_APP };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (size_t i = 0; i < ROWS(shares); i++)
		assert_in_range(admitted(&s, A, shares[i], 30), 10, 12);
	assert_in_range(admitted(&s, B, BUDGET_STRANGER, 30), 10, 12);
	clock_sleep(2000);
	assert_in_range(admitted(&s, A, BUDGET_STRANGER, 30), 4, 6);
	assert_int_equal(admitted(&s, A, BUDGET_OWN_STATE, 30), 30);
	setup_close(&s);
}

/* A stranger can name as many hosts as they like. */
static void
limits_all_hosts_together(void **state)
{
	struct setup s;
	int count = 0;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (int i = 0; i < 500; i++) {
		const char *host;

		assert_true(ctx_printf(&s.ctx, &host, "h%d.amocrm.ru", i));
		count += admitted(&s, host, BUDGET_STRANGER, 1);
	}
	assert_in_range(count, 20, 26);
	setup_close(&s);
}

/* A call that begins now, and ends so much later. */
static bool
call(
    struct setup *s, const char *host, enum budget_share share, int64_t within_ms, int64_t takes_ms)
{
	struct budget_turn turn;

	if (!budget_begin(&s->ctx, &s->cfg, host, share, clock_ms() + within_ms, &turn))
		return false;
	clock_sleep(takes_ms);
	budget_end(&s->ctx, &s->cfg, &turn);
	return true;
}

/* Whenever within a call its request reaches amoCRM, no second has more than the budget. */
static void
spreads_the_calls(void **state)
{
	static const int takes_ms[] = { 0, 20, 300, 990 };
	enum { CALLS = 40 };
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (size_t row = 0; row < ROWS(takes_ms); row++) {
		int64_t end[CALLS];

		clock_sleep(5000);
		for (int i = 0; i < CALLS; i++) {
			if (!call(&s, A, BUDGET_OWN_STATE, 5000, takes_ms[row]))
				fail_msg("call %d: %s", i, s.ctx.reason);
			end[i] = clock_ms();
			if (i >= 7 && end[i] - takes_ms[row] - end[i - 7] < 1000)
				fail_msg("8 calls of %d ms in %d ms", takes_ms[row],
				    (int)(end[i] - takes_ms[row] - end[i - 7]));
		}
	}
	setup_close(&s);
}

/* A turn that is not given back, because its process was killed, is free two seconds later. */
static void
frees_the_turns_of_the_killed(void **state)
{
	struct setup s;
	struct budget_turn turn;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (int i = 0; i < 7; i++)
		assert_true(
		    budget_begin(&s.ctx, &s.cfg, A, BUDGET_OWN_STATE, clock_ms() + 500, &turn));
	same_fault("the eighth", &s.ctx, call(&s, A, BUDGET_OWN_STATE, 1500, 0), FAULT_UNAVAILABLE);
	ctx_clear_fault(&s.ctx);
	clock_sleep(2000);
	assert_true(call(&s, A, BUDGET_OWN_STATE, 500, 0));
	setup_close(&s);
}

/* What ends a turn must not end the turn of another call that has taken its place since. */
static void
ends_its_own_turn_alone(void **state)
{
	struct setup s;
	struct budget_turn late;
	struct budget_turn turn;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.amocrm.budget = (struct call_budget){ 1, 1 };
	skipping_clock.skips = true;
	assert_true(budget_begin(&s.ctx, &s.cfg, A, BUDGET_OWN_STATE, clock_ms() + 500, &late));
	clock_sleep(3000);
	assert_true(budget_begin(&s.ctx, &s.cfg, A, BUDGET_OWN_STATE, clock_ms() + 500, &turn));
	budget_end(&s.ctx, &s.cfg, &late);
	clock_sleep(1500);
	assert_false(call(&s, A, BUDGET_OWN_STATE, 200, 0));
	setup_close(&s);
}

static void
keeps_turns_from_strangers(void **state)
{
	static const struct {
		const char *label;
		struct call_budget budget;
		int strangers;
		int others;
	} table[] = {
		{ "the default", { 7, 2 }, 5, 2 },
		{ "all may be exchanges", { 2, 2 }, 1, 1 },
		{ "one call", { 1, 1 }, 1, 0 },
		{ "the largest", { BUDGET_CALLS_MAX, 1 }, BUDGET_CALLS_MAX - 1, 1 },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (size_t i = 0; i < ROWS(table); i++) {
		int count[] = { 0, 0 };

		s.cfg.amocrm.budget = table[i].budget;
		clock_sleep(5000);
		while (call(&s, A, BUDGET_STRANGER, 100, 0) || call(&s, A, BUDGET_INSTALL, 100, 0))
			count[0]++;
		ctx_clear_fault(&s.ctx);
		while (call(&s, A, BUDGET_OWN_STATE, 100, 0))
			count[1]++;
		ctx_clear_fault(&s.ctx);
		same_number(table[i].label, count[0], table[i].strangers);
		same_number(table[i].label, count[1], table[i].others);
	}
	setup_close(&s);
}

static void
gives_no_turn_after_the_deadline(void **state)
{
	struct setup s;
	int64_t before;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (int i = 0; i < 7; i++)
		assert_true(call(&s, A, BUDGET_OWN_STATE, 500, 0));
	before = skipping_clock.skipped_ms;
	same_fault(
	    "the eighth call", &s.ctx, call(&s, A, BUDGET_OWN_STATE, 500, 0), FAULT_UNAVAILABLE);
	assert_int_equal(s.ctx.retry_after_s, 1);
	assert_int_equal(skipping_clock.skipped_ms, before); /* did not wait for nothing */
	ctx_clear_fault(&s.ctx);
	assert_true(call(&s, B, BUDGET_OWN_STATE, 500, 0));
	assert_true(call(&s, A, BUDGET_OWN_STATE, 5000, 0));
	setup_close(&s);
}

/* A call that has no time left for its reply could lose a token: such a turn is not given. */
static void
leaves_a_call_time_after_waiting(void **state)
{
	static const struct {
		const char *label;
		bool ends; /* the call before; otherwise its turn is free after 2 s */
		int within_ms;
		bool given;
	} table[] = {
		{ "free after a second, and less than that left", true, 1900, false },
		{ "free after a second, and more than that left", true, 2100, true },
		{ "free after two seconds, and 1.4 left", false, 3400, false },
		{ "free after two seconds, and 1.6 left", false, 3600, true },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.amocrm.budget = (struct call_budget){ 1, 1 };
	skipping_clock.skips = true;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct budget_turn turn;

		clock_sleep(5000);
		assert_true(
		    budget_begin(&s.ctx, &s.cfg, A, BUDGET_OWN_STATE, clock_ms() + 500, &turn));
		if (table[i].ends)
			budget_end(&s.ctx, &s.cfg, &turn);
		same_number(table[i].label, call(&s, A, BUDGET_OWN_STATE, table[i].within_ms, 0),
		    table[i].given);
		ctx_clear_fault(&s.ctx);
	}
	setup_close(&s);
}

static void
counts_the_calls_of_all_processes(void **state)
{
	enum { PROCESSES = 5, EACH = 4 };
	struct setup s;
	pid_t pids[PROCESSES];
	int64_t began = clock_ms();
	int total = 0;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.amocrm.budget = (struct call_budget){ 50, 1 };
	skipping_clock.skips = false;
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct ctx ctx;

			s.ctx = ctx_open(&ctx, ARENA_SIZE) ? ctx : s.ctx;
			_exit(admitted(&s, A, BUDGET_STRANGER, EACH));
		}
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = child_status(pids[i]);

		assert_true(WIFEXITED(status));
		total += WEXITSTATUS(status);
	}
	assert_in_range(total, 5, 6 + (clock_ms() - began) / 1000);
	setup_close(&s);
}

/* Whatever the file contains, the budget is at most empty for a moment, and never stuck. */
static void
recovers_from_a_damaged_file(void **state)
{
	static const unsigned char fillings[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct setup s;
	char path[PATH_SIZE];
	char bytes[65536];

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	path_in(*state, "budget", path);
	for (size_t i = 0; i < ROWS(fillings); i++) {
		FILE *file = fopen(path, "w");

		memset(bytes, fillings[i], sizeof bytes);
		assert_non_null(file);
		assert_int_equal(fwrite(bytes, 1, i == 1 ? 100 : sizeof bytes, file),
		    i == 1 ? 100 : sizeof bytes);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(admitted(&s, A, BUDGET_STRANGER, 5), 5);
		assert_true(call(&s, A, BUDGET_OWN_STATE, 100, 0));
	}
	setup_close(&s);
}

/* After a reboot the monotonic clock begins anew, and the file is from before. */
static void
forgets_what_was_before_a_reboot(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	skipping_clock.skipped_ms += 30000;
	for (int i = 0; i < 7; i++)
		assert_true(call(&s, A, BUDGET_OWN_STATE, 5000, 0));
	skipping_clock.skipped_ms -= 30000;
	assert_true(call(&s, A, BUDGET_OWN_STATE, 500, 0));
	setup_close(&s);
}

static void
limits_nothing_without_its_file(void **state)
{
	struct setup s;
	char path[PATH_SIZE];

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	path_in(*state, "nowhere", path);
	s.cfg.store.path = path;
	assert_true(call(&s, A, BUDGET_OWN_STATE, 500, 0));
	has_text("the log", s.ctx.notes, "nowhere/budget");
	assert_int_equal(admitted(&s, A, BUDGET_STRANGER, 30), 30);
	setup_close(&s);
}

/* Nothing listens on that port. */
static void
limits_nothing_without_its_database(void **state)
{
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = false;
	s.cfg.store.engine = ENGINE_POSTGRESQL;
	s.cfg.store.database = "host=127.0.0.1 port=1 dbname=none user=none";
	assert_true(call(&s, A, BUDGET_OWN_STATE, 5000, 0));
	has_text("the log", s.ctx.notes, "budget=");
	assert_true(budget_admit(&s.ctx, &s.cfg, A, BUDGET_STRANGER));
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(admits_a_burst_and_then_a_rate),
		IN_FOLDER(limits_all_hosts_together),
		IN_FOLDER(spreads_the_calls),
		IN_FOLDER(frees_the_turns_of_the_killed),
		IN_FOLDER(ends_its_own_turn_alone),
		IN_FOLDER(keeps_turns_from_strangers),
		IN_FOLDER(gives_no_turn_after_the_deadline),
		IN_FOLDER(leaves_a_call_time_after_waiting),
		IN_FOLDER(counts_the_calls_of_all_processes),
		IN_FOLDER(recovers_from_a_damaged_file),
		IN_FOLDER(forgets_what_was_before_a_reboot),
		IN_FOLDER(limits_nothing_without_its_file),
		IN_FOLDER(limits_nothing_without_its_database),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
