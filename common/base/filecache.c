/* filecache.c - see filecache.h. */
#include "base/filecache.h"

#include <string.h>
#include <time.h>

bool
kept_open(struct work *w, struct kept *kept)
{
	memset(kept, 0, sizeof *kept);
	for (int i = 0; i < KEPT_FILES; i++)
		if (!work_open(&kept->files[i].room, KEPT_ROOM_SIZE)) {
			while (i-- > 0)
				work_close(&kept->files[i].room);
			return fault(w, FAULT_SERVER, "no memory for what is kept");
		}
	w->kept = kept;
	return true;
}

void
kept_close(struct work *w)
{
	for (int i = 0; w->kept != NULL && i < KEPT_FILES; i++)
		work_close(&w->kept->files[i].room);
	w->kept = NULL;
}

void
kept_look_again(struct work *w)
{
	for (int i = 0; w->kept != NULL && i < KEPT_FILES; i++)
		w->kept->files[i].current = false;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size
	    && same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static bool
is_settled(const struct stat *seen)
{
	struct timespec now;

	return clock_gettime(CLOCK_REALTIME, &now) == 0
	    && now.tv_sec - seen->st_ctim.tv_sec > KEPT_SETTLED_S;
}

/* Parsed anew, into a room that holds nothing else.  The file was looked at before it is opened:
 * one that is changed in between is newer than what was seen, and differs from it the next time. */
static bool
read_anew(struct work *w, struct kept_file *file, const char *path, kept_parse *parse)
{
	struct work *room = &file->room;

	work_wipe(room);
	file->parsed = NULL;
	file->sound = work_copy(room, path, strlen(path), &file->path)
	    && parse(room, file->path, &file->parsed);
	return file->sound || fault(w, room->kind, "%s", room->reason);
}

bool
kept_read(
    struct work *w, enum kept_what what, const char *path, kept_parse *parse, const void **parsed)
{
	struct kept_file *file = w->kept == NULL ? NULL : &w->kept->files[what];
	struct stat seen = { 0 };
	bool same;
	bool settled;
	bool done = true;

	if (file == NULL)
		return parse(w, path, parsed);
	same = file->sound && strcmp(file->path, path) == 0;
	if (!same || !file->current) {
		settled = stat(path, &seen) == 0 && is_settled(&seen);
		if (!same || !file->settled || !same_file(&seen, &file->seen)) {
			done = read_anew(w, file, path, parse);
			file->seen = seen;
			file->settled = settled;
		}
		file->current = true;
	}
	*parsed = file->parsed;
	return done;
}
