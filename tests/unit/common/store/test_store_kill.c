/* test_store_kill.c - writers that are killed at any moment: acknowledged changes are not lost. */
#include "../../child.h"
#include "../../folder.h"

#include "store/store.h"
#include "store/store_paths.h"

#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#define ROUNDS    150
#define WRITERS   2 /* concurrent, each with its own records in the same shards */
#define RECORDS   6
#define BEGUN_MAX 3    /* changes that the first writer has begun when both are killed, */
#define LATER_US  2000 /* so much later at most; a change takes about 2 ms */

/* The last value of each record that was begun, and that was acknowledged, in memory that outlives
 * the writers. */
struct ledger {
	volatile long begun[WRITERS][RECORDS];
	volatile long ok[WRITERS][RECORDS];
	volatile long changes[WRITERS]; /* that were begun, of all records */
	volatile long failed;
};

struct writer {
	const struct store_config *store;
	struct ledger *ledger;
	int number;
	unsigned random;
};

/* Every second record is in the same shard, for all writers; the others may be in any. */
static void
key_of(int writer, int record, char key[32])
{
	int user = record * 1000000;
	struct ctx ctx;
	int shard;

	open_ctx(&ctx);
	do {
		snprintf(key, 32, "connection:%d:%d", writer, user++);
		assert_true(store_paths_shard(&ctx, key, &shard));
	} while (record % 2 == 0 && shard != 0x5a);
	ctx_close(&ctx);
}

static unsigned
below(unsigned *random, unsigned limit)
{
	*random = *random * 1103515245 + 12345;
	return (*random >> 8) % limit;
}

/* Writes until it is killed; false: a change failed. */
static bool
write_until_killed(void *arg)
{
	struct writer *writer = arg;
	struct ctx ctx;
	char key[32];

	if (!ctx_open(&ctx, 1 << 20))
		return false;
	for (;;) {
		int record = (int)below(&writer->random, RECORDS);
		long value = ++writer->ledger->begun[writer->number][record];
		const char *text;

		writer->ledger->changes[writer->number]++;
		key_of(writer->number, record, key);
		if (!ctx_printf(
			&ctx, &text, "%ld %0*d", value, (int)below(&writer->random, 5000), 0)
		    || !store_put(&ctx, writer->store, key, text, 0)) {
			writer->ledger->failed++;
			return false;
		}
		writer->ledger->ok[writer->number][record] = value;
		ctx_wipe(&ctx);
	}
}

static void
check_record(const struct store_config *store, struct ledger *ledger, int writer, int record)
{
	long begun = ledger->begun[writer][record];
	long ok = ledger->ok[writer][record];
	char key[32];
	const char *text;
	struct ctx ctx;
	long value;

	key_of(writer, record, key);
	open_ctx(&ctx);
	if (!store_get(&ctx, store, key, &text))
		fail_msg("%s: %s", key, ctx.reason);
	value = text == NULL ? 0 : strtol(text, NULL, 10);
	if (value < ok || value > begun)
		fail_msg("%s is %ld; %ld was acknowledged, %ld begun", key, value, ok, begun);
	/* the last change was made or not; from now on the record must keep the value it has */
	ledger->begun[writer][record] = value;
	ledger->ok[writer][record] = value;
	ctx_close(&ctx);
}

static bool
count_visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	(void)ctx;
	(void)key;
	(void)value;
	++*(int *)arg;
	return true;
}

static void
keeps_acknowledged_changes_of_killed_writers(void **state)
{
	struct store_config store = { .path = *state };
	struct ledger *ledger =
	    mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned random = 1;
	struct ctx ctx;
	char path[PATH_SIZE];
	long sum = 0;
	int count = 0;

	assert_true(ledger != MAP_FAILED);
	for (int round = 0; round < ROUNDS; round++) {
		long begun = ledger->changes[0];
		pid_t pids[WRITERS];

		for (int i = 0; i < WRITERS; i++) {
			struct writer writer = { &store, ledger, i, random + (unsigned)i };

			pids[i] = child_start(write_until_killed, &writer);
		}
		child_counts("a change begins", &ledger->changes[0],
		    begun + below(&random, BEGUN_MAX), below(&random, LATER_US));
		for (int i = 0; i < WRITERS; i++)
			kill(pids[i], SIGKILL);
		for (int i = 0; i < WRITERS; i++)
			child_status(pids[i]);
		assert_int_equal(ledger->failed, 0);
		for (int i = 0; i < WRITERS; i++)
			for (int j = 0; j < RECORDS; j++)
				check_record(&store, ledger, i, j);
	}

	for (int i = 0; i < WRITERS; i++)
		for (int j = 0; j < RECORDS; j++)
			sum += ledger->ok[i][j];
	assert_true(sum > ROUNDS / 10); /* not all writers were killed before their first change */
	open_ctx(&ctx);
	assert_true(store_each(&ctx, &store, "connection:", count_visit, &count));
	assert_in_range(count, 1, WRITERS * RECORDS);

	/* the next change of a shard removes the copy that a killed writer left */
	for (int i = 0; i < WRITERS; i++)
		for (int j = 0; j < RECORDS; j++) {
			char key[32];

			key_of(i, j, key);
			assert_true(store_put(&ctx, &store, key, "0", 0));
		}
	path_in(*state, "connections", path);
	assert_int_equal(folder_count(path, ".new"), 0);
	ctx_close(&ctx);
	munmap(ledger, sizeof *ledger);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(keeps_acknowledged_changes_of_killed_writers),
	};

	return cmocka_run_group_tests_name("store, killed writers", tests, NULL, NULL);
}
