/* test_budget.c - turns of calls and shares of exchanges, by a clock that skips its sleeps. */
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
	assert_in_range(count, 50, 60);
	setup_close(&s);
}

/* No second, wherever it begins, has more calls than the budget. */
static void
spreads_the_calls(void **state)
{
	enum { CALLS = 40 };
	int64_t at[CALLS];
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	skipping_clock.skips = true;
	for (int i = 0; i < CALLS; i++) {
		if (!budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 5000))
			fail_msg("call %d: %s", i, s.ctx.reason);
		at[i] = clock_ms();
		if (i >= 7 && at[i] - at[i - 7] < 1000)
			fail_msg("8 calls in %d ms", (int)(at[i] - at[i - 7]));
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
		assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 500));
	before = skipping_clock.skipped_ms;
	same_fault("the eighth call", &s.ctx, budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 500),
	    FAULT_UNAVAILABLE);
	assert_int_equal(skipping_clock.skipped_ms, before); /* did not wait for nothing */
	ctx_clear_fault(&s.ctx);
	assert_true(budget_wait_turn(&s.ctx, &s.cfg, B, clock_ms() + 500));
	assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 5000));
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
		assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 100));
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
		assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 5000));
	skipping_clock.skipped_ms -= 30000;
	assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 500));
	setup_close(&s);
}

static void
does_not_hold_a_call_up_without_its_file(void **state)
{
	struct setup s;
	char path[PATH_SIZE];

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	path_in(*state, "nowhere", path);
	s.cfg.store.path = path;
	assert_true(budget_wait_turn(&s.ctx, &s.cfg, A, clock_ms() + 500));
	has_text("the log", s.ctx.notes, "nowhere/budget");
	same_fault(
	    "a stranger", &s.ctx, budget_admit(&s.ctx, &s.cfg, A, BUDGET_STRANGER), FAULT_STORAGE);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(admits_a_burst_and_then_a_rate),
		IN_FOLDER(limits_all_hosts_together),
		IN_FOLDER(spreads_the_calls),
		IN_FOLDER(gives_no_turn_after_the_deadline),
		IN_FOLDER(counts_the_calls_of_all_processes),
		IN_FOLDER(recovers_from_a_damaged_file),
		IN_FOLDER(forgets_what_was_before_a_reboot),
		IN_FOLDER(does_not_hold_a_call_up_without_its_file),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
