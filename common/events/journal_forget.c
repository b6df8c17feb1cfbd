/* journal_prune.c - removing what the journal need not keep.
 *
 * Without a turn: nobody adds to a segment that is not the newest, and a reader that has one open
 * goes on reading it.  The oldest goes first, so whatever ends this, no gap is left.
 */
#include "events/journal.h"

#include "events/segment.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

bool
journal_prune(struct ctx *ctx, const struct journal *journal, const struct journal_position *before,
    time_t since, int64_t *pruned)
{
	int64_t number;
	int64_t newest;
	const char *path;
	struct stat st;

	for (;;) {
		if (!segment_find(ctx, journal, 0, &number, &newest))
			return false;
		if (number >= before->segment || number == newest)
			return true;
		if (!segment_path(ctx, journal, number, &path))
			return false;
		if (stat(path, &st) == 0 && st.st_mtime >= since)
			return true;
		if (unlink(path) != 0 && errno != ENOENT)
			return segment_fault(ctx, path);
		++*pruned;
	}
}
