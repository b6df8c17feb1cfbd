/* test_journal_kill.c - concurrent writers and readers, and writers that are killed: acknowledged
 * events are there exactly as they were written, and the events of other writers are not
 * affected. */
#include "../../child.h"
#include "../../folder.h"

#include "events/journal.h"
#include "text/json_slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define EVENT_SIZE   300000 /* bytes; the longest event is slightly shorter */
#define WRITERS      4
#define EVENTS_MAX   4096 /* of one writer in one round */
#define ROUNDS       200
#define KILLED_AFTER 4    /* more than the events that were acknowledged when a writer is killed, */
#define LATER_US     4000 /* so much later at most */

struct event_name {
	int round;
	int writer;
	int number;
};

/* An event's text, which depends on its name only: most are short, some take many pages. */
static void
compose(const struct event_name *name, char event[EVENT_SIZE])
{
	unsigned hash =
	    ((unsigned)name->round * 131 + (unsigned)name->writer) * 131 + (unsigned)name->number;
	int fill = (int)(hash * 2654435761u >> 14);
	int len =
	    snprintf(event, EVENT_SIZE, "{\"round\":%d,\"writer\":%d,\"number\":%d,\"fill\":\"",
		name->round, name->writer, name->number);

	fill = hash % 4 == 0 ? fill % 250000 : fill % 300;
	memset(event + len, 'a' + name->number % 26, (size_t)fill);
	memcpy(event + len + fill, "\"}", 3);
}

/* Shared with the child processes: how many events of each writer were acknowledged, and how many
 * each may append. */
struct progress {
	volatile long acknowledged[WRITERS];
	int events_max;
};

static struct progress *
share_progress(void)
{
	struct progress *progress =
	    mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(progress, MAP_FAILED);
	return progress;
}

struct writing {
	const struct journal *journal;
	struct progress *progress;
	int round;
	int writer;
};

static bool
write_events(void *arg)
{
	const struct writing *writing = arg;
	struct event_name name = { writing->round, writing->writer, 0 };
	static char event[EVENT_SIZE];
	struct ctx ctx;

	if (!ctx_open(&ctx, 65536))
		return false;
	for (; name.number < writing->progress->events_max; name.number++) {
		compose(&name, event);
		if (!journal_append(&ctx, writing->journal, event)) {
			fprintf(stderr, "%s\n", ctx.reason);
			return false;
		}
		ctx_wipe(&ctx);
		writing->progress->acknowledged[writing->writer] = name.number + 1;
	}
	return true;
}

static pid_t
start_writer(const struct journal *journal, struct progress *progress, int round, int writer)
{
	struct writing writing = { journal, progress, round, writer };

	return child_start(write_events, &writing);
}

/* The state of a reader in a round. */
struct reading {
	int round;
	int next[WRITERS]; /* the number of each writer's next event */
	const char *wrong;
	struct event_name where;
};

static bool
read_number(const char *event, const char *name, int *number)
{
	struct json_slice value;

	if (!json_slice_get(json_slice_of(event), name, &value))
		return false;
	*number = (int)strtol(value.at, NULL, 10);
	return true;
}

static bool
check_event(struct ctx *ctx, void *arg, const char *event, const struct journal_position *next)
{
	struct reading *reading = arg;
	struct event_name *name = &reading->where;
	static char expected[EVENT_SIZE];

	(void)ctx;
	(void)next;
	if (!read_number(event, "round", &name->round)
	    || !read_number(event, "writer", &name->writer)
	    || !read_number(event, "number", &name->number))
		reading->wrong = "not an event of this test";
	else if (name->round != reading->round || name->writer < 0 || name->writer >= WRITERS)
		reading->wrong = "of another round";
	else if (name->number != reading->next[name->writer])
		reading->wrong = "not in order";
	if (reading->wrong != NULL)
		return false;
	compose(name, expected);
	if (strcmp(event, expected) != 0)
		reading->wrong = "not as written";
	reading->next[name->writer]++;
	return reading->wrong == NULL;
}

static void
read_on(const struct journal *journal, struct journal_position *position, struct reading *reading,
    int64_t *torn)
{
	struct ctx ctx;

	assert_true(ctx_open(&ctx, (size_t)1 << 20));
	if (!journal_each(&ctx, journal, position, check_event, reading, torn))
		fail_msg("round %d, writer %d, event %d: %s %s", reading->where.round,
		    reading->where.writer, reading->where.number,
		    reading->wrong == NULL ? "" : reading->wrong, ctx.reason);
	ctx_close(&ctx);
}

static void
remove_segments_before(const struct journal *journal, int64_t number)
{
	char path[PATH_SIZE];

	do
		snprintf(path, sizeof path, "%s/events/%010lld.ndjson", journal->path,
		    (long long)--number);
	while (number > 0 && unlink(path) == 0);
}

static void
appends_and_reads_concurrently(void **state)
{
	struct journal journal = { *state, 1 << 20, 0, 0 };
	struct journal_position position = { 0 };
	struct reading reading = { 0 };
	struct progress *progress = share_progress();
	pid_t writers[WRITERS];
	int64_t torn = 0;
	int running = WRITERS;

	progress->events_max = 100;
	for (int i = 0; i < WRITERS; i++)
		writers[i] = start_writer(&journal, progress, 0, i);
	while (running > 0) {
		int status;

		read_on(&journal, &position, &reading, &torn);
		for (int i = 0; i < WRITERS; i++)
			if (writers[i] != 0
			    && waitpid(writers[i], &status, WNOHANG) == writers[i]) {
				child_says_true("a writer", status);
				writers[i] = 0;
				running--;
			}
	}
	read_on(&journal, &position, &reading, &torn);
	for (int i = 0; i < WRITERS; i++)
		same_number("events of a writer", reading.next[i], 100);
	same_number("torn", torn, 0);
	assert_true(position.segment > 5);
	munmap(progress, sizeof *progress);
}

static void
concurrent_first_writers_use_one_segment(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
		struct journal_position position = { 0 };
		struct reading reading = { .round = round };
		struct progress *progress = share_progress();
		pid_t writers[WRITERS];
		char path[PATH_SIZE];
		int64_t torn = 0;

		progress->events_max = 1;
		for (int i = 0; i < WRITERS; i++)
			writers[i] = start_writer(&journal, progress, round, i);
		for (int i = 0; i < WRITERS; i++)
			child_says_true("a writer", child_status(writers[i]));
		read_on(&journal, &position, &reading, &torn);
		for (int i = 0; i < WRITERS; i++)
			same_number("events of a writer", reading.next[i], 1);
		path_in(*state, "events", path);
		same_number("segments", folder_count(path, ".ndjson"), 1);
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
		munmap(progress, sizeof *progress);
	}
}

static void
keeps_acknowledged_events_of_killed_writers(void **state)
{
	struct journal journal = { *state, 4 << 20, 0, 0 };
	struct journal_position position = { 0 };
	struct progress *progress = share_progress();
	int64_t torn = 0;
	long acknowledged = 0;
	unsigned seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		struct reading reading = { .round = round };
		pid_t writers[WRITERS];

		memset(progress, 0, sizeof *progress);
		progress->events_max = EVENTS_MAX;
		for (int i = 0; i < WRITERS; i++)
			writers[i] = start_writer(&journal, progress, round, i);
		for (int i = 0; i < WRITERS; i++) {
			seed = seed * 1103515245 + 12345;
			child_counts("an event is acknowledged", &progress->acknowledged[i],
			    (seed >> 16) % KILLED_AFTER, (seed >> 20) % LATER_US);
			kill(writers[i], SIGKILL);
		}
		for (int i = 0; i < WRITERS; i++)
			assert_true(WIFSIGNALED(child_status(writers[i])));
		read_on(&journal, &position, &reading, &torn);
		for (int i = 0; i < WRITERS; i++) {
			acknowledged += progress->acknowledged[i];
			if (reading.next[i] < progress->acknowledged[i]
			    || reading.next[i] > progress->acknowledged[i] + 1)
				fail_msg(
				    "round %d, writer %d: %ld events acknowledged, %d are there",
				    round, i, progress->acknowledged[i], reading.next[i]);
		}
		remove_segments_before(&journal, position.segment);
	}
	print_message("%ld events acknowledged, %lld torn\n", acknowledged, (long long)torn);
	assert_true(acknowledged > ROUNDS);
	munmap(progress, sizeof *progress);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(appends_and_reads_concurrently),
		IN_FOLDER(concurrent_first_writers_use_one_segment),
		IN_FOLDER(keeps_acknowledged_events_of_killed_writers),
	};

	return cmocka_run_group_tests_name("journal, killed writers", tests, NULL, NULL);
}
