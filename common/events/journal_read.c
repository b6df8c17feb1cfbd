/* journal_read.c - reading the journal that journal.c writes. */
#include "events/journal.h"

#include "base/file.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "events/segment.h"
#include "text/json_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE     65536 /* bytes per read */
#define MTIME_MARGIN_S 1     /* the file system's clock is coarser than ours */
/* For events that were appended while another was being visited, or on a file server whose clock
 * differs from ours. */
#define SAVED_MARGIN_S 3600
#define CHECKED_SIZE   128 /* bytes of a line: an event's id and the time of its receipt */

bool
journal_seek(
    struct ctx *ctx, const struct journal *journal, time_t since, struct journal_position *position)
{
	int64_t number = 0;
	int64_t newest;
	const char *path;
	struct stat st;

	do
		if (!segment_find(ctx, journal, number + 1, &number, &newest)
		    || !segment_path(ctx, journal, number, &path))
			return false;
	while (number < newest && stat(path, &st) == 0 && st.st_mtime + MTIME_MARGIN_S < since);
	*position = (struct journal_position){ .segment = number };
	return true;
}

struct reader {
	struct ctx *ctx;
	struct journal_position *position; /* of the line that is being read */
	journal_visit *visit;
	void *arg;
	int64_t *torn;

	size_t mark;        /* of the arena, before the line */
	struct strbuf line; /* what was read of it; not what exceeds JOURNAL_EVENT_MAX */
	int64_t len;        /* bytes that were read of it */
};

static void
begin_line(struct reader *reader)
{
	arena_rewind(reader->ctx, reader->mark);
	strbuf_init(reader->ctx, &reader->line);
	reader->len = 0;
}

static void
add_to_line(struct reader *reader, const char *bytes, size_t len)
{
	reader->len += (int64_t)len;
	if (reader->len <= JOURNAL_EVENT_MAX)
		strbuf_add(&reader->line, bytes, len);
}

/* Of the first CHECKED_SIZE bytes of a line, or of all of a shorter one. */
static int64_t
checksum_of(const char *line, int64_t len)
{
	uint8_t hash[SHA256_SIZE];
	uint32_t first;

	sha256(line, len < CHECKED_SIZE ? (size_t)len : CHECKED_SIZE, hash);
	memcpy(&first, hash, sizeof first);
	return (int64_t)first + 1;
}

/* At the newline: visits the event and begins the next line. */
static bool
end_line(struct reader *reader)
{
	struct journal_position next = *reader->position;
	const char *line;

	if (!strbuf_finish(&reader->line, &line))
		return false;
	next.line = next.offset;
	next.checksum = checksum_of(line, reader->len);
	next.offset += reader->len + 1;
	if (reader->len > JOURNAL_EVENT_MAX || !json_compact_complete(line, (size_t)reader->len))
		++*reader->torn;
	else if (!reader->visit(reader->ctx, reader->arg, line, &next))
		return false;
	*reader->position = next;
	begin_line(reader);
	return true;
}

static bool
split_chunk(struct reader *reader, const char *chunk, size_t len)
{
	while (len > 0) {
		const char *newline = memchr(chunk, '\n', len);
		size_t part = newline == NULL ? len : (size_t)(newline - chunk);

		add_to_line(reader, chunk, part);
		if (newline == NULL)
			return true;
		if (!end_line(reader))
			return false;
		chunk += part + 1;
		len -= part + 1;
	}
	return true;
}

/* Reads from the position to the end of an open segment. */
static bool
read_lines(struct reader *reader, int fd, const char *path)
{
	char chunk[CHUNK_SIZE];
	int64_t offset = reader->position->offset;
	ssize_t n;

	reader->mark = arena_mark(reader->ctx);
	begin_line(reader);
	while ((n = pread(fd, chunk, sizeof chunk, offset)) > 0) {
		if (!split_chunk(reader, chunk, (size_t)n))
			return false;
		offset += n;
	}
	return n == 0 || segment_fault(reader->ctx, path);
}

/* complete: not the newest segment, so a line without a newline at its end is torn; in the newest
 * it may still be completed. */
static bool
read_segment(struct reader *reader, const char *path, bool complete)
{
	int fd = file_open_regular(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return errno == ENOENT || segment_fault(reader->ctx, path);
	ok = read_lines(reader, fd, path);
	close(fd);
	if (ok && complete && reader->len > 0)
		++*reader->torn;
	return ok;
}

/* Bytes that an I/O error keeps from being read are taken for the same: they were read before, and
 * what follows them may still be readable. */
static bool
follows_newline(int fd, int64_t offset)
{
	char before = '\n';

	return offset == 0 || (pread(fd, &before, 1, offset - 1) != 0 && before == '\n');
}

static bool
follows_same_line(int fd, const struct journal_position *position)
{
	int64_t len = position->offset - 1 - position->line;
	size_t part = len < CHECKED_SIZE ? (size_t)len : CHECKED_SIZE;
	char line[CHECKED_SIZE];
	ssize_t n;

	if (position->checksum == 0)
		return true;
	n = pread(fd, line, part, position->line);
	return n < 0 || (n == (ssize_t)part && checksum_of(line, len) == position->checksum);
}

/* A segment that does not exist was removed if a later one exists. */
static bool
has_missing(struct ctx *ctx, const struct journal *journal, int64_t number, bool *has)
{
	int64_t later;
	int64_t newest;

	if (!segment_find(ctx, journal, number, &later, &newest))
		return false;
	*has = later > 0;
	return true;
}

bool
journal_has(struct ctx *ctx, const struct journal *journal, const struct journal_position *position,
    bool *has)
{
	const char *path;
	int fd;

	*has = true;
	if (position->segment == 0)
		return true;
	if (!segment_path(ctx, journal, position->segment, &path))
		return false;
	fd = file_open_regular(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? has_missing(ctx, journal, position->segment, has)
				       : segment_fault(ctx, path);
	*has = follows_newline(fd, position->offset) && follows_same_line(fd, position);
	close(fd);
	return true;
}

/* What was appended after the position was saved was not visited, and all that is left of the
 * journal from before that time was.  A time in the future was saved before the clock was set
 * back. */
bool
journal_fit(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    time_t saved_at, bool *fits)
{
	struct journal_position since;

	if (!journal_has(ctx, journal, position, fits))
		return false;
	if (*fits)
		return true;
	if (saved_at > time(NULL))
		saved_at = 0;
	if (!journal_seek(ctx, journal, saved_at - SAVED_MARGIN_S, &since))
		return false;
	if (position->segment < since.segment)
		since.segment = position->segment;
	*position = since;
	return true;
}

/* Moves a position whose segment was removed to the next one that exists; and one that the journal
 * does not have because it is beyond the newest segment to before all segments. */
static bool
skip_missing_segments(struct ctx *ctx, const struct journal *journal,
    struct journal_position *position, int64_t *newest)
{
	int64_t first;

	if (!segment_find(ctx, journal, position->segment, &first, newest))
		return false;
	if (first != position->segment)
		*position = (struct journal_position){ .segment = first };
	return true;
}

/* Reads the rest of the position's segment.  Finds out first whether it is the newest, because a
 * writer may begin a newer one meanwhile. */
static bool
read_rest(struct reader *reader, const struct journal *journal, bool *newest_read)
{
	struct ctx *ctx = reader->ctx;
	int64_t newest;
	const char *path;

	if (!skip_missing_segments(ctx, journal, reader->position, &newest)
	    || !segment_path(ctx, journal, reader->position->segment, &path))
		return false;
	*newest_read = reader->position->segment == newest;
	if (newest == 0)
		return true;
	if (!read_segment(reader, path, !*newest_read))
		return false;
	if (!*newest_read)
		*reader->position =
		    (struct journal_position){ .segment = reader->position->segment + 1 };
	return true;
}

bool
journal_each(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    journal_visit *visit, void *arg, int64_t *torn)
{
	struct reader reader = {
		.ctx = ctx, .position = position, .visit = visit, .arg = arg, .torn = torn
	};
	size_t mark = arena_mark(ctx);
	bool all = false;

	while (!all) {
		if (!read_rest(&reader, journal, &all))
			return false;
		arena_rewind(ctx, mark);
	}
	return true;
}
