/* test_retry.c - the backoff of retries, and the file of dead letters. */
#include "event_lines.h"

#include "events/retry.h"

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>

#define ROUNDS 1000 /* of random jitter */

static void
follows_the_schedule(void **state)
{
	static const long schedule_s[RETRIES] = { 5, 300, 1800, 7200, 18000, 36000, 50400, 72000,
		86400 };

	(void)state;
	for (int attempt = 1; attempt <= RETRIES; attempt++) {
		long wait_s = schedule_s[attempt - 1];

		for (int i = 0; i < ROUNDS; i++) {
			long got = retry_wait_s(attempt, 0);

			if (got < wait_s - wait_s / 10 || got > wait_s + wait_s / 10 + 1
			    || got > RETRY_WAIT_MAX_S)
				fail_msg("attempt %d: %ld s", attempt, got);
		}
	}
}

static void
spreads_retries(void **state)
{
	long min = retry_wait_s(RETRIES, 0);
	long max = min;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		long got = retry_wait_s(RETRIES, 0);

		min = got < min ? got : min;
		max = got > max ? got : max;
	}
	DEMAND("waits are spread over most of the jitter", max - min > 86400 / 10);
}

static void
lets_retry_after_lengthen_the_wait_up_to_a_day(void **state)
{
	static const struct {
		const char *label;
		long retry_after_s, expected;
	} table[] = {
		{ "an hour", 3600, 3600 },
		{ "a second less than a day", 86399, 86399 },
		{ "a day", 86400, 86400 },
		{ "a second more than a day", 86401, 86400 },
		{ "the longest time", LONG_MAX, 86400 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		same_number(
		    table[i].label, retry_wait_s(1, table[i].retry_after_s), table[i].expected);
	for (int attempt = 1; attempt <= RETRIES; attempt++)
		DEMAND("a second does not shorten it",
		    retry_wait_s(attempt, 1) >= 4
			&& (attempt == 1 || retry_wait_s(attempt, 1) > 200));
}

static void
retries_a_rejected_event_within_a_minute(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		long sum_s = 0;

		for (int rejection = 1; rejection < REJECTIONS; rejection++)
			sum_s += retry_rejected_wait_s(rejection);
		DEMAND("within a minute, and not at once", sum_s > 30 && sum_s < 60);
	}
}

static void
appends_and_counts_dead_letters(void **state)
{
	struct store_config store = { .path = *state };
	char path[PATH_SIZE];
	struct ctx ctx;
	struct stat st;
	uint8_t *bytes;
	size_t count;
	size_t len;

	open_ctx(&ctx);
	assert_true(dead_letter_count(&ctx, &store, &count));
	same_number("without a file", (long long)count, 0);
	events_path(*state, "dead.ndjson", path);
	assert_true(dead_letter_append(&ctx, &store, "{\"n\":1}"));
	assert_true(dead_letter_append(&ctx, &store, "{\"n\":2}"));
	assert_true(dead_letter_count(&ctx, &store, &count));
	same_number("after two", (long long)count, 2);
	bytes = file_read(path, &len);
	same_number("bytes", (long long)len, 16);
	same_bytes("lines", bytes, "{\"n\":1}\n{\"n\":2}\n", len);
	free(bytes);
	assert_int_equal(stat(path, &st), 0);
	same_number("the mode", st.st_mode & 0777, 0600);
	ctx_close(&ctx);
}

/* Its writer was killed. */
static void
ends_a_torn_dead_letter(void **state)
{
	struct store_config store = { .path = *state };
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "dead.ndjson", path);
	file_write_text(path, "{\"n\":1}\n{\"n\"");
	open_ctx(&ctx);
	assert_true(dead_letter_append(&ctx, &store, "{\"n\":3}"));
	file_holds("the next one is a line of its own", path, "{\"n\":1}\n{\"n\"\n{\"n\":3}\n");
	ctx_close(&ctx);
}

static void
leaves_no_part_of_a_dead_letter_on_a_full_disk(void **state)
{
	struct store_config store = { .path = *state };
	struct rlimit before;
	struct rlimit full;
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "dead.ndjson", path);
	open_ctx(&ctx);
	assert_true(dead_letter_append(&ctx, &store, "{\"n\":1}"));
	assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	full = (struct rlimit){ .rlim_cur = 11, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	same_fault("no space", &ctx, dead_letter_append(&ctx, &store, "{\"n\":2}"), FAULT_STORAGE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	file_holds("as before", path, "{\"n\":1}\n");
	ctx_close(&ctx);
}

static void
reports_dead_letters_that_cannot_be_written(void **state)
{
	struct store_config store = { .path = *state };
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "dead.ndjson", path);
	assert_int_equal(mkdir(path, 0700), 0); /* a directory cannot be written */
	open_ctx(&ctx);
	same_fault(
	    "a directory", &ctx, dead_letter_append(&ctx, &store, "{\"n\":1}"), FAULT_STORAGE);
	has_text("its path", ctx.reason, "dead.ndjson");
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_the_schedule),
		cmocka_unit_test(spreads_retries),
		cmocka_unit_test(lets_retry_after_lengthen_the_wait_up_to_a_day),
		cmocka_unit_test(retries_a_rejected_event_within_a_minute),
		IN_FOLDER(appends_and_counts_dead_letters),
		IN_FOLDER(ends_a_torn_dead_letter),
		IN_FOLDER(leaves_no_part_of_a_dead_letter_on_a_full_disk),
		IN_FOLDER(reports_dead_letters_that_cannot_be_written),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
