/* test_journal_kill.c - many writers at once, a reader beside them,
 * and writers that are killed: what was answered true is there exactly as written, and nobody
 * else's event is touched. */
#include "../../child.h"
#include "../../folder.h"

#include "events/journal.h"
#include "text/json_slice.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define EVENT_SIZE 300000 /* bytes; the longest one is a bit shorter */
#define WRITERS    4
#define EVENTS_MAX 4096 /* of one writer in one round */
#define ROUNDS     200

struct event_name {
	int round;
	int writer;
	int number;
};

/* An event's text, made of its name alone: most are short, some take many pages. */
static void
compose(const struct event_name *name, char event[EVENT_SIZE])
{
	unsigned mixed =
	    ((unsigned)name->round * 131 + (unsigned)name->writer) * 131 + (unsigned)name->number;
	int fill = (int)(mixed * 2654435761u >> 14);
	int len =
	    snprintf(event, EVENT_SIZE, "{\"round\":%d,\"writer\":%d,\"number\":%d,\"fill\":\"",
		name->round, name->writer, name->number);

	fill = mixed % 4 == 0 ? fill % 250000 : fill % 300;
	memset(event + len, 'a' + name->number % 26, (size_t)fill);
	memcpy(event + len + fill, "\"}", 3);
}

/* Shared with the children: how many events each was told are on disk,
 * and may begin no more than. */
struct told {
	int acknowledged[WRITERS];
	int events_max;
};

static struct told *
share(void)
{
	struct told *told =
	    mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(told, MAP_FAILED);
	return told;
}

struct writing {
	const struct journal *journal;
	struct told *told;
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
	for (; name.number < writing->told->events_max; name.number++) {
		compose(&name, event);
		if (!journal_append(&ctx, writing->journal, event)) {
			fprintf(stderr, "%s\n", ctx.reason);
			return false;
		}
		ctx_wipe(&ctx);
		writing->told->acknowledged[writing->writer] = name.number + 1;
	}
	return true;
}

static pid_t
start_writer(const struct journal *journal, struct told *told, int round, int writer)
{
	struct writing writing = { journal, told, round, writer };

	return child_start(write_events, &writing);
}

/* What a reader knows of the round it is in. */
struct reading {
	int round;
	int next[WRITERS]; /* each writer's events come in their order */
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
		reading->wrong = "not one of ours";
	else if (name->round != reading->round || name->writer < 0 || name->writer >= WRITERS)
		reading->wrong = "of another round";
	else if (name->number != reading->next[name->writer])
		reading->wrong = "not the next one";
	if (reading->wrong != NULL)
		return false;
	compose(name, expected);
	if (strcmp(event, expected) != 0)
		reading->wrong = "not as it was written";
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
forget_segments_before(const struct journal *journal, int64_t number)
{
	char path[PATH_SIZE];

	do
		snprintf(path, sizeof path, "%s/events/%010lld.ndjson", journal->path,
		    (long long)--number);
	while (number > 0 && unlink(path) == 0);
}

static void
writers_and_a_reader_at_once(void **state)
{
	struct journal journal = { *state, 1 << 20, 0 };
	struct journal_position position = { 0 };
	struct reading reading = { 0 };
	struct told *told = share();
	pid_t writers[WRITERS];
	int64_t torn = 0;
	int running = WRITERS;

	told->events_max = 100;
	for (int i = 0; i < WRITERS; i++)
		writers[i] = start_writer(&journal, told, 0, i);
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
	munmap(told, sizeof *told);
}

static void
beginners_at_once_use_one_segment(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0 };
		struct journal_position position = { 0 };
		struct reading reading = { .round = round };
		struct told *told = share();
		pid_t writers[WRITERS];
		char path[PATH_SIZE];
		int64_t torn = 0;

		told->events_max = 1;
		for (int i = 0; i < WRITERS; i++)
			writers[i] = start_writer(&journal, told, round, i);
		for (int i = 0; i < WRITERS; i++)
			child_says_true("a writer", child_status(writers[i]));
		read_on(&journal, &position, &reading, &torn);
		for (int i = 0; i < WRITERS; i++)
			same_number("events of a writer", reading.next[i], 1);
		path_in(*state, "events", path);
		same_number("segments", folder_count(path, ".ndjson"), 1);
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
		munmap(told, sizeof *told);
	}
}

static void
pause_us(long us)
{
	struct timespec t = { .tv_nsec = us * 1000 };

	nanosleep(&t, NULL);
}

static void
acknowledged_events_outlive_their_writers(void **state)
{
	struct journal journal = { *state, 4 << 20, 0 };
	struct journal_position position = { 0 };
	struct told *told = share();
	int64_t torn = 0;
	long acknowledged = 0;
	unsigned seed = 1;

	for (int round = 0; round < ROUNDS; round++) {
		struct reading reading = { .round = round };
		pid_t writers[WRITERS];

		memset(told, 0, sizeof *told);
		told->events_max = EVENTS_MAX;
		for (int i = 0; i < WRITERS; i++)
			writers[i] = start_writer(&journal, told, round, i);
		for (int i = 0; i < WRITERS; i++) {
			seed = seed * 1103515245 + 12345;
			pause_us((long)(seed >> 16) % 8000);
			kill(writers[i], SIGKILL);
		}
		for (int i = 0; i < WRITERS; i++)
			assert_true(WIFSIGNALED(child_status(writers[i])));
		read_on(&journal, &position, &reading, &torn);
		for (int i = 0; i < WRITERS; i++) {
			acknowledged += told->acknowledged[i];
			if (reading.next[i] < told->acknowledged[i]
			    || reading.next[i] > told->acknowledged[i] + 1)
				fail_msg("round %d, writer %d: told of %d events, %d are there",
				    round, i, told->acknowledged[i], reading.next[i]);
		}
		forget_segments_before(&journal, position.segment);
	}
	print_message("%ld events acknowledged, %lld torn\n", acknowledged, (long long)torn);
	assert_true(acknowledged > ROUNDS);
	munmap(told, sizeof *told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(writers_and_a_reader_at_once),
		IN_FOLDER(beginners_at_once_use_one_segment),
		IN_FOLDER(acknowledged_events_outlive_their_writers),
	};

	return cmocka_run_group_tests_name("journal kill", tests, NULL, NULL);
}
