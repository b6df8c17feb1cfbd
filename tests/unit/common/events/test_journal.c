/* test_journal.c - appended events are read back complete and in order, across segments and next to
 * the torn lines of killed writers. */
#include "../../folder.h"
#include "../../skipping_clock.h"

#include "base/strbuf.h"
#include "events/journal.h"

#define SEGMENT_MAX 100 /* bytes; small, for several segments in a test */

/* The events that a reader has visited, joined by '|', and the position after each. */
struct visited {
	struct strbuf text;
	struct ctx ctx;
	int count;
	int stop_at; /* the number of the visit that is false; 0: none */
	struct journal_position next[64];
};

static void
open_visited(struct visited *visited)
{
	memset(visited, 0, sizeof *visited);
	open_ctx(&visited->ctx);
	strbuf_init(&visited->ctx, &visited->text);
}

static bool
note_visit(struct ctx *ctx, void *arg, const char *event, const struct journal_position *next)
{
	struct visited *visited = arg;

	(void)ctx;
	if (visited->count + 1 == visited->stop_at)
		return false;
	strbuf_addstr(&visited->text, visited->count == 0 ? "" : "|");
	strbuf_addstr(&visited->text, event);
	if (visited->count < 64)
		visited->next[visited->count] = *next;
	visited->count++;
	return true;
}

static const char *
visited_text(struct visited *visited)
{
	const char *s;

	assert_true(strbuf_finish(&visited->text, &s));
	return s;
}

/* Compares the events after the position, and moves the position with them. */
static void
reads(const char *label, const struct journal *journal, struct journal_position *position,
    const char *expected, int64_t expected_torn)
{
	int64_t torn = 0;
	struct visited visited;
	struct ctx ctx;

	open_ctx(&ctx);
	open_visited(&visited);
	same_fault(label, &ctx, journal_each(&ctx, journal, position, note_visit, &visited, &torn),
	    FAULT_NONE);
	same_text(label, visited_text(&visited), expected);
	same_number(label, torn, expected_torn);
	same_number(label, (long long)ctx.used, 0);
	ctx_close(&visited.ctx);
	ctx_close(&ctx);
}

static void
reads_all(const char *label, const struct journal *journal, const char *expected, int64_t torn)
{
	struct journal_position start = { 0 };

	reads(label, journal, &start, expected, torn);
}

static void
append(const struct journal *journal, const char *event)
{
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(event, &ctx, journal_append(&ctx, journal, event), FAULT_NONE);
	ctx_close(&ctx);
}

/* {"n":1} */
static void
append_number(const struct journal *journal, int n)
{
	char event[32];

	snprintf(event, sizeof event, "{\"n\":%d}", n);
	append(journal, event);
}

static const char *
segment(const struct journal *journal, int number)
{
	static char path[PATH_SIZE];

	assert_true(snprintf(path, sizeof path, "%s/events/%010d.ndjson", journal->path, number)
	    < PATH_SIZE);
	return path;
}

/* Appends bytes to a segment, such as a killed writer leaves. */
static void
append_bytes(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void
set_time(const char *path, time_t at)
{
	struct timespec times[2] = { { .tv_sec = at }, { .tv_sec = at } };

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void
keeps_events_in_order(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };
	char path[PATH_SIZE];
	struct stat st;

	reads("before the first", &journal, &position, "", 0);
	append(&journal, "{\"n\":1}");
	append(&journal, "{\"n\":2}");
	file_holds("as lines", segment(&journal, 1), "{\"n\":1}\n{\"n\":2}\n");
	reads("both events", &journal, &position, "{\"n\":1}|{\"n\":2}", 0);
	reads("no event twice", &journal, &position, "", 0);
	append(&journal, "{\"n\":3}");
	reads("the new event only", &journal, &position, "{\"n\":3}", 0);

	path_in(*state, "events", path);
	assert_int_equal(stat(path, &st), 0);
	same_number("the directory's mode", st.st_mode & 07777, 0700);
	assert_int_equal(stat(segment(&journal, 1), &st), 0);
	same_number("a segment's mode", st.st_mode & 07777, 0600);
}

static void
is_in_the_directory_of_the_store(void **state)
{
	struct store_config store = { .path = *state };
	struct journal journal = journal_of(&store);

	same_text("path", journal.path, *state);
	same_number("segment", journal.segment_max, 67108864);
}

/* Each event takes 7 bytes and a newline. */
static void
starts_a_segment_when_one_is_full(void **state)
{
	struct journal journal = { *state, 24, 0, 0 };
	struct stat st;

	for (int i = 0; i < 7; i++)
		append_number(&journal, i);

	file_holds(
	    "full to the last byte", segment(&journal, 1), "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\n");
	file_holds("the second", segment(&journal, 2), "{\"n\":3}\n{\"n\":4}\n{\"n\":5}\n");
	file_holds("the third", segment(&journal, 3), "{\"n\":6}\n");
	reads_all("across segments", &journal,
	    "{\"n\":0}|{\"n\":1}|{\"n\":2}|{\"n\":3}|{\"n\":4}|{\"n\":5}|{\"n\":6}", 0);

	append(&journal, "{\"n\":\"larger than a segment\"}");
	append(&journal, "{\"n\":8}");
	file_holds("a larger event has a segment of its own", segment(&journal, 4),
	    "{\"n\":\"larger than a segment\"}\n");
	file_holds("the next event starts another segment", segment(&journal, 5), "{\"n\":8}\n");
	assert_int_equal(stat(segment(&journal, 6), &st), -1);
}

static void
skips_and_counts_torn_lines(void **state)
{
	static const struct {
		const char *label, *bytes;
		size_t len;
		const char *expected;
		int64_t torn;
	} table[] = {
		{ "the beginning of an event", "{\"n\":1", 6, "{\"n\":0}|{\"n\":2}", 1 },
		{ "a single byte", "{", 1, "{\"n\":0}|{\"n\":2}", 1 },
		{ "an event without its newline", "{\"n\":1}", 7, "{\"n\":0}|{\"n\":1}|{\"n\":2}",
		    0 },
		{ "an incomplete event that ends in braces", "{\"a\":{\"b\":{\"c\":1}}", 18,
		    "{\"n\":0}|{\"n\":2}", 1 },
		{ "the end of an event", "\"n\":1}", 6, "{\"n\":0}|{\"n\":2}", 1 },
		{ "two torn lines", "{\"n\n{\"n", 7, "{\"n\":0}|{\"n\":2}", 2 },
		{ "a torn line before a complete one", "{\"n\n{\"n\":1}\n", 12,
		    "{\"n\":0}|{\"n\":1}|{\"n\":2}", 1 },
		{ "NULs, as a power failure may leave them", "\0\0\0\0\0\0\0", 7,
		    "{\"n\":0}|{\"n\":2}", 1 },
		{ "NULs inside an event", "{\"n\"\0\0\0}", 8, "{\"n\":0}|{\"n\":2}", 1 },
		{ "an empty line", "\n", 1, "{\"n\":0}|{\"n\":2}", 1 },
		{ "not UTF-8", "{\"n\":\"\xff\"}\n", 10, "{\"n\":0}|{\"n\":2}", 1 },
		{ "not an object", "[1]\n", 4, "{\"n\":0}|{\"n\":2}", 1 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };

		append(&journal, "{\"n\":0}");
		append_bytes(segment(&journal, 1), table[i].bytes, table[i].len);
		append(&journal, "{\"n\":2}");
		reads_all(table[i].label, &journal, table[i].expected, table[i].torn);
		assert_int_equal(unlink(segment(&journal, 1)), 0);
	}
}

/* The last line may be an event that a writer is just appending. */
static void
waits_for_the_end_of_the_last_line(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };

	append(&journal, "{\"n\":0}");
	append_bytes(segment(&journal, 1), "{\"n\":", 5);
	reads("the complete line", &journal, &position, "{\"n\":0}", 0);
	reads("still waiting", &journal, &position, "", 0);
	append_bytes(segment(&journal, 1), "1}", 2);
	reads("the newline is missing", &journal, &position, "", 0);
	append_bytes(segment(&journal, 1), "\n", 1);
	reads("the line is complete", &journal, &position, "{\"n\":1}", 0);
}

/* Writers append to the newest segment only. */
static void
does_not_wait_in_an_older_segment(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };

	append(&journal, "{\"n\":0}");
	append_bytes(segment(&journal, 1), "{\"n\":", 5);
	reads("while it is the newest", &journal, &position, "{\"n\":0}", 0);
	append_bytes(segment(&journal, 2), "{\"n\":2}\n", 8);
	reads("when there is a newer one", &journal, &position, "{\"n\":2}", 1);
	reads("counted once", &journal, &position, "", 0);
	append(&journal, "{\"n\":3}");
	file_holds("the older segment is unchanged", segment(&journal, 1), "{\"n\":0}\n{\"n\":");
	reads("in the newest", &journal, &position, "{\"n\":3}", 0);
}

/* A writer that is killed may have created a segment and written nothing to it. */
static void
uses_an_empty_segment(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };

	append(&journal, "{\"n\":0}");
	append_bytes(segment(&journal, 2), "", 0);
	append(&journal, "{\"n\":1}");
	file_holds("the empty segment", segment(&journal, 2), "{\"n\":1}\n");
	reads_all("both events", &journal, "{\"n\":0}|{\"n\":1}", 0);

	journal.segment_max = 4;
	append_bytes(segment(&journal, 3), "", 0);
	append(&journal, "{\"n\":2}");
	file_holds("an event larger than any segment", segment(&journal, 3), "{\"n\":2}\n");
}

/* What the lock file caches of the newest segment; segment.h. */
struct hint {
	int64_t number;
	int64_t inode;
	int64_t older;
};

static int64_t
inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (int64_t)st.st_ino : 0;
}

/* The lock file's hint of the newest segment may be out of date or corrupt. */
static void
finds_the_newest_segment_despite_a_wrong_hint(void **state)
{
	static const struct {
		const char *label;
		int64_t number;
		size_t len;
	} table[] = {
		{ "the right segment", 3, 24 },
		{ "an older segment", 2, 24 },
		{ "a segment that is removed", 1, 24 },
		{ "a segment that never existed", 7, 24 },
		{ "zero", 0, 24 },
		{ "a negative number", -3, 24 },
		{ "a number too large for a file name", INT64_C(9999999999), 24 },
		{ "the largest number", INT64_MAX, 24 },
		{ "a hint that is cut short", 2, 23 },
		{ "a hint of an earlier version", 2, 8 },
		{ "no hint", 0, 0 },
	};
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };
	char path[PATH_SIZE];

	append(&journal, "{\"n\":0}");
	path_in(*state, "events/lock", path);
	assert_int_equal(unlink(segment(&journal, 1)), 0);
	append_bytes(segment(&journal, 2), "{\"n\":2}\n", 8);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct hint hint = { .number = table[i].number };

		assert_int_equal(truncate(path, 0), 0);
		append_bytes(segment(&journal, 3), "", 0);
		hint.inode = inode_of(segment(&journal, (int)table[i].number));
		append_bytes(path, &hint, table[i].len);
		append(&journal, "{\"n\":3}");
		append(&journal, "{\"n\":4}");
		file_holds(table[i].label, segment(&journal, 3), "{\"n\":3}\n{\"n\":4}\n");
		assert_int_equal(unlink(segment(&journal, 3)), 0);
	}
	file_holds("the older segment", segment(&journal, 2), "{\"n\":2}\n");
}

/* Segment 1 was removed when it was old, and is restored from a backup of when it was the newest,
 * together with the lock file: 2 is missing, and 3 is the newest. */
static void
finds_the_newest_segment_behind_a_gap(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };
	struct journal_position end = { .segment = 3, .offset = 8 };
	char kept[PATH_SIZE];

	append(&journal, "{\"n\":0}");
	append(&journal, "{\"n\":1}");   /* leaves the hint */
	path_in(*state, "backup", kept); /* keeps the inode's number in use */
	assert_int_equal(rename(segment(&journal, 1), kept), 0);
	append_bytes(segment(&journal, 1), "{\"n\":0}\n{\"n\":1}\n", 16);
	append_bytes(segment(&journal, 3), "{\"n\":3}\n", 8);
	append(&journal, "{\"n\":4}");
	reads("a reader that has read all", &journal, &end, "{\"n\":4}", 0);
}

/* Nobody can count up to it. */
static void
appends_beside_a_segment_of_a_high_number(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };
	struct journal_position begin = { .segment = 0 };
	char stray[PATH_SIZE];

	append(&journal, "{\"n\":0}");
	path_in(*state, "events/9999999999.ndjson", stray);
	append_bytes(stray, "{\"n\":1}\n", 8);
	append(&journal, "{\"n\":2}");
	reads("all", &journal, &begin, "{\"n\":0}|{\"n\":1}|{\"n\":2}", 0);
}

#define LINE_LEN 8 /* of an event with one digit, with its newline */

static void
same_size(const char *label, const struct journal *journal, int64_t expected)
{
	int64_t size;
	struct ctx ctx;

	open_ctx(&ctx);
	assert_true(journal_size(&ctx, journal, &size));
	same_number(label, size, expected);
	ctx_close(&ctx);
}

static void
append_refused(const char *label, const struct journal *journal)
{
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(label, &ctx, journal_append(&ctx, journal, "{\"n\":9}"), FAULT_STORAGE);
	has_text(label, ctx.reason, "max_journal");
	ctx_close(&ctx);
}

/* The segments are smaller, larger and as large as the whole. */
static void
limits_the_size_of_the_journal_to_the_byte(void **state)
{
	static const struct {
		const char *label;
		int64_t segment_max;
		int64_t size_max;
		int lines; /* that fit */
	} table[] = {
		{ "one segment", SEGMENT_MAX, 5 * LINE_LEN, 5 },
		{ "a byte less", SEGMENT_MAX, 5 * LINE_LEN - 1, 4 },
		{ "a line in each segment", LINE_LEN, 5 * LINE_LEN, 5 },
		{ "a line in each segment, a byte less", LINE_LEN, 5 * LINE_LEN - 1, 4 },
		{ "two lines in each segment", 2 * LINE_LEN, 5 * LINE_LEN, 5 },
		{ "two lines in each segment, a byte less", 2 * LINE_LEN, 6 * LINE_LEN - 1, 5 },
		{ "not even one line", SEGMENT_MAX, LINE_LEN - 1, 0 },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct journal journal = { *state, table[i].segment_max, 0, table[i].size_max };
		char path[PATH_SIZE];

		for (int n = 0; n < table[i].lines; n++)
			append_number(&journal, n);
		for (int again = 0; again < 2; again++)
			append_refused(table[i].label, &journal);
		same_size(table[i].label, &journal, table[i].lines * LINE_LEN);
		path_in(*state, "events", path);
		same_number("no segment for a line that is refused", folder_count(path, ".ndjson"),
		    (table[i].lines * LINE_LEN + table[i].segment_max - 1) / table[i].segment_max
			+ (table[i].lines == 0));
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
}

static void
counts_the_newline_that_ends_a_torn_line(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 3 * LINE_LEN };

	append(&journal, "{\"n\":0}");
	append_bytes(segment(&journal, 1), "{\"n\":1,", 8);
	append_refused("a byte over the limit", &journal);
	journal.size_max++;
	append(&journal, "{\"n\":2}");
	same_size("at the limit", &journal, 3 * LINE_LEN + 1);
}

/* As by `amocrmctl deliver`, or here when the old events are over keep_s. */
static void
has_room_again_when_segments_were_removed(void **state)
{
	struct journal journal = { *state, 2 * LINE_LEN, 0, 6 * LINE_LEN };

	for (int n = 0; n < 6; n++)
		append_number(&journal, n);
	append_refused("full", &journal);
	assert_int_equal(unlink(segment(&journal, 1)), 0);
	append_number(&journal, 6);
	append_number(&journal, 7);
	append_refused("full again", &journal);
	set_time(segment(&journal, 2), 1000);
	append_refused("nothing is removed without keep_s", &journal);
	journal.keep_s = 3600;
	append_number(&journal, 8);
	same_size("at the limit but one line", &journal, 5 * LINE_LEN);
	append_number(&journal, 9);
	append_refused("no more is old", &journal);
}

static void
finds_a_writer_that_hangs(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };
	struct stale_lock stale;
	char path[PATH_SIZE];
	struct ctx ctx;
	struct lock held;

	path_in(*state, "events/lock", path);
	open_ctx(&ctx);
	assert_true(journal_find_stale_lock(&ctx, &journal, &stale));
	assert_null(stale.path);
	append(&journal, "{\"n\":0}");
	assert_true(journal_find_stale_lock(&ctx, &journal, &stale));
	assert_null(stale.path);
	assert_true(lock_acquire(&ctx, path, 0, 0, &held));
	skipping_clock.skips = true;
	assert_true(journal_find_stale_lock(&ctx, &journal, &stale));
	assert_non_null(stale.path);
	same_text("the lock's file", stale.path, path);
	skipping_clock.skips = false;
	lock_release(&held);
	ctx_close(&ctx);
}

static void
ignores_files_that_are_not_segments(void **state)
{
	static const char *const names[] = { "cursor", "1.ndjson", "0000000009.ndjson.bak",
		"0000000009.json", "0000000009.nd.son", "000000009.ndjson", "00000000009.ndjson",
		"0000000000.ndjson", "+000000009.ndjson", " 000000009.ndjson", "000000000x.ndjson",
		".ndjson" };
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };

	append(&journal, "{\"n\":0}");
	for (size_t i = 0; i < ROWS(names); i++) {
		char name[64];
		char path[PATH_SIZE];

		snprintf(name, sizeof name, "events/%s", names[i]);
		path_in(*state, name, path);
		file_write_text(path, "{\"n\":9}\n");
	}
	append(&journal, "{\"n\":1}");
	file_holds("the first segment is still the newest", segment(&journal, 1),
	    "{\"n\":0}\n{\"n\":1}\n");
	reads_all("only the journal's segments", &journal, "{\"n\":0}|{\"n\":1}", 0);
}

static void
continues_from_any_position(void **state)
{
	struct journal journal = { *state, 24, 0, 0 };
	struct journal_position start = { 0 };
	int64_t torn = 0;
	struct visited visited;
	struct ctx ctx;

	for (int i = 0; i < 8; i++)
		append_number(&journal, i);

	open_ctx(&ctx);
	open_visited(&visited);
	assert_true(journal_each(&ctx, &journal, &start, note_visit, &visited, &torn));
	same_number("all events", visited.count, 8);
	same_bytes("the last position", &start, &visited.next[7], sizeof start);
	for (int i = 0; i < 8; i++) {
		struct journal_position kept = visited.next[i];
		int64_t torn_after = 0;
		struct visited rest;

		open_visited(&rest);
		assert_true(journal_each(&ctx, &journal, &kept, note_visit, &rest, &torn_after));
		same_number("events after it", rest.count, 7 - i);
		ctx_close(&rest.ctx);
	}
	ctx_close(&visited.ctx);
	ctx_close(&ctx);
}

static void
stops_before_the_event_of_a_false_visit(void **state)
{
	struct journal journal = { *state, 16, 0, 0 };
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct visited visited;
	struct ctx ctx;

	for (int i = 0; i < 5; i++)
		append_number(&journal, i);

	open_ctx(&ctx);
	open_visited(&visited);
	visited.stop_at = 4;
	assert_false(journal_each(&ctx, &journal, &position, note_visit, &visited, &torn));
	same_number("no fault", ctx.kind, FAULT_NONE);
	same_text(
	    "before the false visit", visited_text(&visited), "{\"n\":0}|{\"n\":1}|{\"n\":2}");
	reads("from the false visit on", &journal, &position, "{\"n\":3}|{\"n\":4}", 0);
	ctx_close(&visited.ctx);
	ctx_close(&ctx);
}

static void
continues_where_segments_were_removed(void **state)
{
	struct journal journal = { *state, 8, 0, 0 };
	struct journal_position after_first = { .segment = 1, .offset = 8 };
	struct journal_position of_earlier = { .segment = 57, .offset = 1234 };

	for (int i = 1; i <= 4; i++)
		append_number(&journal, i);

	assert_int_equal(unlink(segment(&journal, 1)), 0);
	assert_int_equal(unlink(segment(&journal, 2)), 0);
	reads_all("from the beginning", &journal, "{\"n\":3}|{\"n\":4}", 0);
	reads("from a segment that is removed", &journal, &after_first, "{\"n\":3}|{\"n\":4}", 0);
	reads("from a position of an earlier journal", &journal, &of_earlier, "{\"n\":3}|{\"n\":4}",
	    0);
	append(&journal, "{\"n\":5}");
	file_holds("the segment numbers continue", segment(&journal, 5), "{\"n\":5}\n");
}

static void
seeks_a_position_before_a_time(void **state)
{
	static const struct {
		const char *label;
		time_t since;
		const char *expected;
	} table[] = {
		{ "the epoch", 0, "{\"n\":1}|{\"n\":2}|{\"n\":3}" },
		{ "before all segments", 500, "{\"n\":1}|{\"n\":2}|{\"n\":3}" },
		{ "when the first ended", 1000, "{\"n\":1}|{\"n\":2}|{\"n\":3}" },
		{ "a second later, as clocks differ", 1001, "{\"n\":1}|{\"n\":2}|{\"n\":3}" },
		{ "after the first", 1500, "{\"n\":2}|{\"n\":3}" },
		{ "after the second", 2500, "{\"n\":3}" },
		{ "after all: the newest may still grow", 9999, "{\"n\":3}" },
	};
	struct journal journal = { *state, 8, 0, 0 };
	struct journal_position position = { .segment = 7 };
	struct ctx ctx;

	open_ctx(&ctx);
	assert_true(journal_seek(&ctx, &journal, 100, &position));
	same_number("without events", position.segment, 0);
	for (int i = 1; i <= 3; i++) {
		append_number(&journal, i);
		set_time(segment(&journal, i), i * 1000);
	}
	for (size_t i = 0; i < ROWS(table); i++) {
		assert_true(journal_seek(&ctx, &journal, table[i].since, &position));
		reads(table[i].label, &journal, &position, table[i].expected, 0);
	}
	ctx_close(&ctx);
}

static void
prunes_old_segments_before_the_position(void **state)
{
	static const struct {
		const char *label;
		struct journal_position before;
		time_t since;
		int64_t pruned;
		const char *left;
	} table[] = {
		{ "the position is before all segments", { .segment = 0 }, 9999, 0,
		    "{\"n\":1}|{\"n\":2}|{\"n\":3}|{\"n\":4}" },
		{ "no segment is old", { .segment = 9 }, 500, 0,
		    "{\"n\":1}|{\"n\":2}|{\"n\":3}|{\"n\":4}" },
		{ "at the time of the first segment", { .segment = 9 }, 1000, 0,
		    "{\"n\":1}|{\"n\":2}|{\"n\":3}|{\"n\":4}" },
		{ "a second after the first segment", { .segment = 9 }, 1001, 1,
		    "{\"n\":2}|{\"n\":3}|{\"n\":4}" },
		{ "the position is in the second", { .segment = 2, .offset = 8 }, 9999, 1,
		    "{\"n\":2}|{\"n\":3}|{\"n\":4}" },
		{ "the position is in the third", { .segment = 3 }, 9999, 2,
		    "{\"n\":3}|{\"n\":4}" },
		{ "never the newest", { .segment = 9 }, 9999, 3, "{\"n\":4}" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct journal journal = { *state, 8, 0, 0 };
		int64_t pruned = 0;
		char path[PATH_SIZE];
		struct ctx ctx;

		for (int n = 1; n <= 4; n++) {
			append_number(&journal, n);
			set_time(segment(&journal, n), n * 1000);
		}
		open_ctx(&ctx);
		same_fault(table[i].label, &ctx,
		    journal_prune(&ctx, &journal, &table[i].before, table[i].since, &pruned),
		    FAULT_NONE);
		same_number(table[i].label, pruned, table[i].pruned);
		reads_all(table[i].label, &journal, table[i].left, 0);
		ctx_close(&ctx);
		path_in(*state, "events", path);
		assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
	}
}

/* As after an I/O error: its time is not known. */
static void
keeps_a_segment_whose_time_cannot_be_read(void **state)
{
	struct journal journal = { *state, 8, 0, 0 };
	struct journal_position before = { .segment = 9 };
	int64_t pruned = 0;
	struct ctx ctx;
	struct stat st;

	for (int n = 1; n <= 3; n++)
		append_number(&journal, n);
	assert_int_equal(unlink(segment(&journal, 1)), 0);
	assert_int_equal(symlink("0000000001.ndjson", segment(&journal, 1)), 0);
	open_ctx(&ctx);
	same_fault("a link to itself", &ctx, journal_prune(&ctx, &journal, &before, 9999, &pruned),
	    FAULT_STORAGE);
	same_number("removed", pruned, 0);
	assert_int_equal(lstat(segment(&journal, 1), &st), 0);
	ctx_close(&ctx);
}

static void
prunes_nothing_from_an_empty_journal(void **state)
{
	struct journal journal = { *state, 8, 0, 0 };
	struct journal_position before = { .segment = 9 };
	int64_t pruned = 0;
	struct ctx ctx;

	open_ctx(&ctx);
	assert_true(journal_prune(&ctx, &journal, &before, 9999, &pruned));
	same_number("segments", pruned, 0);
	ctx_close(&ctx);
}

/* Lengths around the number of bytes that are read at once. */
static void
reads_lines_of_any_length(void **state)
{
	static const int lengths[] = { 7, 65527, 65528, 65529, 65535, 65536, 65537, 131072, 1000000,
		8 };
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct visited visited;
	struct ctx ctx;
	size_t len = 0;

	assert_true(ctx_open(&ctx, (size_t)8 << 20));
	for (size_t i = 0; i < ROWS(lengths); i++) {
		struct strbuf sb;
		const char *event;

		strbuf_init(&ctx, &sb);
		strbuf_addstr(&sb, "{\"");
		while (sb.len < (size_t)lengths[i] - 4)
			strbuf_addch(&sb, (char)('a' + i));
		strbuf_addstr(&sb, "\":1}");
		assert_true(strbuf_finish(&sb, &event));
		append(&journal, event);
		len += strlen(event) + (i > 0);
	}
	open_visited(&visited);
	assert_true(journal_each(&ctx, &journal, &position, note_visit, &visited, &torn));
	same_number("events", visited.count, ROWS(lengths));
	same_number("torn", torn, 0);
	same_number("bytes", (long long)visited.text.len, (long long)len);
	ctx_close(&visited.ctx);
	ctx_close(&ctx);
}

static void
skips_a_line_over_the_limit_in_a_small_arena(void **state)
{
	struct journal journal = { *state, (int64_t)1 << 40, 0, 0 };
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct visited visited;
	struct ctx ctx;

	append(&journal, "{\"n\":0}");
	assert_int_equal(truncate(segment(&journal, 1), JOURNAL_EVENT_MAX * INT64_C(4)), 0);
	append(&journal, "{\"n\":1}");
	assert_true(ctx_open(&ctx, JOURNAL_EVENT_MAX + 65536));
	open_visited(&visited);
	same_fault("a line of NULs over the limit", &ctx,
	    journal_each(&ctx, &journal, &position, note_visit, &visited, &torn), FAULT_NONE);
	same_text("the events around it", visited_text(&visited), "{\"n\":0}|{\"n\":1}");
	same_number("torn", torn, 1);
	ctx_close(&visited.ctx);
	ctx_close(&ctx);
}

static void
limits_the_size_of_an_event(void **state)
{
	struct journal journal = { *state, JOURNAL_SEGMENT_MAX, 0, 0 };
	char *event = malloc(JOURNAL_EVENT_MAX + 2);
	struct journal_position position = { 0 };
	int64_t torn = 0;
	struct visited visited = { .stop_at = 1 };
	struct ctx ctx;

	assert_non_null(event);
	memset(event, ' ', JOURNAL_EVENT_MAX + 1);
	memcpy(event, "{\"a\":\"", 6);
	memcpy(event + JOURNAL_EVENT_MAX - 2, "\"}", 3);
	assert_true(ctx_open(&ctx, (size_t)64 << 20));
	same_fault(
	    "an event at the limit", &ctx, journal_append(&ctx, &journal, event), FAULT_NONE);
	assert_false(journal_each(&ctx, &journal, &position, note_visit, &visited, &torn));
	same_number("it is visited", ctx.kind, FAULT_NONE);
	same_number("it is not torn", torn, 0);

	memcpy(event + JOURNAL_EVENT_MAX - 2, " \"}", 4);
	same_fault("an event a byte over the limit", &ctx, journal_append(&ctx, &journal, event),
	    FAULT_TOO_LARGE);
	ctx_close(&ctx);
	free(event);
}

static void
refuses_events_that_are_not_one_line(void **state)
{
	static const struct {
		const char *label, *event;
	} table[] = {
		{ "an empty event", "" },
		{ "two lines", "{}\n{}" },
		{ "a newline at the end", "{}\n" },
	};
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };

	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		same_fault(table[i].label, &ctx, journal_append(&ctx, &journal, table[i].event),
		    FAULT_SERVER);
		ctx_close(&ctx);
	}
}

static bool
append_step(struct ctx *ctx, void *arg)
{
	return journal_append(ctx, arg, "{\"n\":1}");
}

static bool
read_step(struct ctx *ctx, void *arg)
{
	struct journal_position position = { 0 };
	struct visited visited;
	int64_t torn = 0;
	bool ok;

	open_visited(&visited);
	ok = journal_each(ctx, arg, &position, note_visit, &visited, &torn);
	if (ok)
		same_number("read in the smallest arena", visited.count, 1);
	ctx_close(&visited.ctx);
	return ok;
}

static bool
seek_step(struct ctx *ctx, void *arg)
{
	struct journal_position position;

	return journal_seek(ctx, arg, 1, &position);
}

static void
reports_a_full_arena(void **state)
{
	struct journal journal = { *state, SEGMENT_MAX, 0, 0 };

	try_small_arenas("append", append_step, &journal);
	reads_all("appended exactly once", &journal, "{\"n\":1}", 0);
	try_small_arenas("read", read_step, &journal);
	try_small_arenas("seek", seek_step, &journal);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(keeps_events_in_order),
		IN_FOLDER(is_in_the_directory_of_the_store),
		IN_FOLDER(starts_a_segment_when_one_is_full),
		IN_FOLDER(skips_and_counts_torn_lines),
		IN_FOLDER(waits_for_the_end_of_the_last_line),
		IN_FOLDER(does_not_wait_in_an_older_segment),
		IN_FOLDER(uses_an_empty_segment),
		IN_FOLDER(finds_the_newest_segment_despite_a_wrong_hint),
		IN_FOLDER(finds_the_newest_segment_behind_a_gap),
		IN_FOLDER(appends_beside_a_segment_of_a_high_number),
		IN_FOLDER(limits_the_size_of_the_journal_to_the_byte),
		IN_FOLDER(counts_the_newline_that_ends_a_torn_line),
		IN_FOLDER(has_room_again_when_segments_were_removed),
		IN_FOLDER(finds_a_writer_that_hangs),
		IN_FOLDER(ignores_files_that_are_not_segments),
		IN_FOLDER(continues_from_any_position),
		IN_FOLDER(stops_before_the_event_of_a_false_visit),
		IN_FOLDER(continues_where_segments_were_removed),
		IN_FOLDER(seeks_a_position_before_a_time),
		IN_FOLDER(prunes_old_segments_before_the_position),
		IN_FOLDER(keeps_a_segment_whose_time_cannot_be_read),
		IN_FOLDER(prunes_nothing_from_an_empty_journal),
		IN_FOLDER(reads_lines_of_any_length),
		IN_FOLDER(skips_a_line_over_the_limit_in_a_small_arena),
		IN_FOLDER(limits_the_size_of_an_event),
		IN_FOLDER(refuses_events_that_are_not_one_line),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
