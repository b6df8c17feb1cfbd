/* escrow.c - see escrow.h. */
#include "store/escrow.h"

#include "base/file.h"
#include "store/escrow_slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_SIZE (ESCROW_TEXT_MAX + 4096) /* bytes, allocated; whole blocks */
#define NAME_LEN  3                        /* hex digits */

static bool
slot_path(struct ctx *ctx, const struct store_config *store, int number, const char **path)
{
	return ctx_printf(ctx, path, "%s/escrow/%0*x", store->path, NAME_LEN, (unsigned)number);
}

static bool
stat_regular(struct ctx *ctx, int fd, const char *path, struct stat *st)
{
	if (fstat(fd, st) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	return S_ISREG(st->st_mode) || fault(ctx, FAULT_STORAGE, "%s: is not a regular file", path);
}

/* A new slot is made durable with its name; then the length of the file never changes. */
static bool
allocate(struct ctx *ctx, int fd, const struct stat *st, const char *directory)
{
	int error;

	if (st->st_size >= SLOT_SIZE && st->st_blocks * 512 >= SLOT_SIZE)
		return true;
	error = posix_fallocate(fd, 0, SLOT_SIZE);
	if (error != 0 || fsync(fd) != 0)
		return fault(
		    ctx, FAULT_STORAGE, "%s: %s", directory, strerror(error != 0 ? error : errno));
	return file_sync_directory(ctx, directory);
}

/* False without a fault: the slot is taken. */
static bool
reserve_slot(struct ctx *ctx, const char *directory, const char *path, struct lock *slot)
{
	const char *text;
	struct stat st;

	if (!lock_acquire(ctx, path, 0, 0, slot)) {
		if (ctx->kind == FAULT_UNAVAILABLE)
			ctx_clear_fault(ctx);
		return false;
	}
	if (stat_regular(ctx, slot->fd, path, &st) && escrow_slot_read(ctx, slot->fd, path, &text)
	    && text == NULL && allocate(ctx, slot->fd, &st, directory))
		return true;
	lock_release(slot);
	return false;
}

bool
escrow_reserve(struct ctx *ctx, const struct store_config *store, int slots, struct lock *slot)
{
	struct first_reason unusable = { .count = 0 };
	const char *directory;
	const char *path;

	if (!ctx_printf(ctx, &directory, "%s/escrow", store->path))
		return false;
	if (mkdir(directory, 0700) != 0 && errno != EEXIST)
		return fault(ctx, FAULT_STORAGE, "%s: %s", directory, strerror(errno));
	for (int number = 0; number < slots; number++) {
		size_t mark = arena_mark(ctx);
		bool ok = slot_path(ctx, store, number, &path)
		    && reserve_slot(ctx, directory, path, slot);

		arena_rewind(ctx, mark);
		if (ok)
			return true;
		if (ctx->kind != FAULT_NONE)
			first_reason_take(&unusable, ctx);
	}
	if (unusable.count > 0)
		return fault(ctx, FAULT_STORAGE, "%s", unusable.text);
	return fault(ctx, FAULT_STORAGE,
	    "%s: all %d slots are taken; run amocrmctl check, and correct what it reports",
	    directory, slots);
}

bool
escrow_write(struct ctx *ctx, const struct lock *slot, const char *text, bool sync)
{
	return escrow_slot_write(ctx, slot->fd, text, sync);
}

void
escrow_erase(const struct lock *slot)
{
	(void)escrow_slot_clear(slot->fd);
}

void
escrow_release(struct lock *slot)
{
	lock_release(slot);
}

/* -1: it is not the name of a slot. */
static int
slot_number(const char *name)
{
	char *end;
	long number = strtol(name, &end, 16);

	return strlen(name) == NAME_LEN && *end == '\0' && number >= 0 && number < ESCROW_SLOTS
	    ? (int)number
	    : -1;
}

/* Whether the error of an open means that there is no file to hold a text. */
static bool
is_no_file(int error)
{
	return error == ENOENT || error == EISDIR || error == ENOTSUP || error == ENXIO
	    || error == ELOOP;
}

static bool
open_slot(struct ctx *ctx, const char *path, const char **text)
{
	int fd = file_open_regular(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	*text = NULL;
	if (fd < 0)
		return is_no_file(errno)
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	ok = escrow_slot_read(ctx, fd, path, text);
	close(fd);
	return ok;
}

/* What cannot be read does not stop the walk. */
static bool
leave_out(struct ctx *ctx, struct first_reason *unreadable)
{
	if (ctx->kind != FAULT_STORAGE)
		return false;
	first_reason_take(unreadable, ctx);
	return true;
}

static bool
visit_slot(struct ctx *ctx, const struct store_config *store, int number, escrow_visit *visit,
    void *arg, struct first_reason *unreadable)
{
	const char *text;
	const char *path;

	if (!slot_path(ctx, store, number, &path))
		return false;
	if (open_slot(ctx, path, &text))
		return text == NULL || visit(ctx, arg, number, text);
	return leave_out(ctx, unreadable);
}

/* False: there is no other, or, with errno, the directory cannot be read. */
static bool
next_entry(DIR *directory, const struct dirent **entry)
{
	errno = 0;
	*entry = readdir(directory);
	return *entry != NULL;
}

bool
escrow_each(struct ctx *ctx, const struct store_config *store, escrow_visit *visit, void *arg,
    struct first_reason *unreadable)
{
	const struct dirent *entry;
	const char *path;
	DIR *directory;
	bool ok = true;

	if (!ctx_printf(ctx, &path, "%s/escrow", store->path))
		return false;
	directory = opendir(path);
	if (directory == NULL)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	while (ok && next_entry(directory, &entry)) {
		size_t mark = arena_mark(ctx);
		int number = slot_number(entry->d_name);

		ok = number < 0 || visit_slot(ctx, store, number, visit, arg, unreadable);
		arena_rewind(ctx, mark);
	}
	if (ok && errno != 0)
		ok = fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	closedir(directory);
	return ok;
}

bool
escrow_take(struct ctx *ctx, const struct store_config *store, int number, int64_t wait_ms,
    escrow_use *use, void *arg)
{
	const char *path;
	const char *text;
	struct lock slot;
	bool ok;

	if (!slot_path(ctx, store, number, &path) || !lock_acquire(ctx, path, 0, wait_ms, &slot))
		return false;
	ok = escrow_slot_read(ctx, slot.fd, path, &text)
	    && (text == NULL
		|| (use(ctx, arg, text) && escrow_slot_free(ctx, slot.fd, strlen(text))));
	lock_release(&slot);
	return ok;
}
