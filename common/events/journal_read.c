/* journal_read.c - reading what journal.c has written. */
#include "events/journal.h"

#include "base/strbuf.h"
#include "events/segment.h"
#include "text/json_compact.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK_SIZE    65536 /* bytes read at once */
#define MTIME_SPARE_S 1     /* a file's time is that of a coarser clock */

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
	while (number < newest && stat(path, &st) == 0 && st.st_mtime + MTIME_SPARE_S < since);
	*position = (struct journal_position){ .segment = number };
	return true;
}

struct reader {
	struct ctx *ctx;
	struct journal_position *position; /* the beginning of line */
	journal_visit *visit;
	void *arg;
	int64_t *torn;

	size_t mark;        /* of the arena, before the line */
	struct strbuf line; /* as much of it as was read */
	int64_t len;        /* the same in bytes, even where it is too long to be kept */
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

/* The line is complete, and the newline behind it is passed. */
static bool
end_line(struct reader *reader)
{
	struct journal_position next = *reader->position;
	const char *event;

	next.offset += reader->len + 1;
	if (!strbuf_finish(&reader->line, &event))
		return false;
	if (reader->len > JOURNAL_EVENT_MAX || !json_compact_complete(event, (size_t)reader->len))
		++*reader->torn;
	else if (!reader->visit(reader->ctx, reader->arg, event, &next))
		return false;
	*reader->position = next;
	begin_line(reader);
	return true;
}

static bool
take_chunk(struct reader *reader, const char *chunk, size_t len)
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

/* From the position to the end of an open segment. */
static bool
read_lines(struct reader *reader, int fd, const char *path)
{
	char chunk[CHUNK_SIZE];
	int64_t offset = reader->position->offset;
	ssize_t n;

	reader->mark = arena_mark(reader->ctx);
	begin_line(reader);
	while ((n = pread(fd, chunk, sizeof chunk, offset)) > 0) {
		if (!take_chunk(reader, chunk, (size_t)n))
			return false;
		offset += n;
	}
	return n == 0 || segment_fault(reader->ctx, path);
}

/* A segment that is not the newest any more is complete: what is left at its end is torn. */
static bool
read_segment(struct reader *reader, const char *path, bool complete)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return errno == ENOENT || segment_fault(reader->ctx, path);
	ok = read_lines(reader, fd, path);
	close(fd);
	if (ok && complete && reader->len > 0)
		++*reader->torn;
	return ok;
}

/* Moves a position whose segment is gone to the next one there is;
 * and one of a journal that is gone, when a new one was begun, to before all segments. */
static bool
settle_position(struct ctx *ctx, const struct journal *journal, struct journal_position *position,
    int64_t *newest)
{
	int64_t first;

	if (!segment_find(ctx, journal, position->segment, &first, newest))
		return false;
	if (first != position->segment)
		*position = (struct journal_position){ .segment = first };
	return true;
}

/* Reads on in the segment the position is in.  Whether it is the newest is asked first: what is
 * added after that may be in a newer one. */
static bool
read_on(struct reader *reader, const struct journal *journal, bool *newest_read)
{
	struct ctx *ctx = reader->ctx;
	int64_t newest;
	const char *path;

	if (!settle_position(ctx, journal, reader->position, &newest)
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
		if (!read_on(&reader, journal, &all))
			return false;
		arena_rewind(ctx, mark);
	}
	return true;
}
