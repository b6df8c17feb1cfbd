/* escrow.c - see escrow.h.  A slot holds: 8 bytes magic, zero while it is free · 4 bytes length,
 * big-endian · the SHA-256 of the text · the text. */
#include "store/escrow.h"

#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/first_reason.h"
#include "base/sha2.h"
#include "store/store_paths.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC      "amoescr1"
#define MAGIC_SIZE 8
#define LEN_AT     MAGIC_SIZE
#define DIGEST_AT  (LEN_AT + 4)
#define HEAD_SIZE  (DIGEST_AT + SHA256_SIZE)
#define SLOT_SIZE  (ESCROW_TEXT_MAX + 4096) /* bytes, allocated; whole blocks */
#define TRIES      4                        /* of writing, after an error that may pass */
#define PAUSE_MS   20
#define NAME_LEN   3 /* hex digits */

static bool
slot_path(struct ctx *ctx, const struct store_config *store, int number, const char **path)
{
	return ctx_printf(ctx, path, "%s/escrow/%0*x", store->path, NAME_LEN, (unsigned)number);
}

static bool
read_at(int fd, void *bytes, size_t len, off_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, at + (off_t)done);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		done += n < 0 ? 0 : (size_t)n;
	}
	return true;
}

static bool
write_at_start(int fd, const void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)done);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		done += n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* Writes the whole again after a failed sync, which may have dropped the written pages. */
static bool
write_durably(int fd, const void *bytes, size_t len)
{
	for (int i = 0; i < TRIES; i++) {
		if (write_at_start(fd, bytes, len) && fdatasync(fd) == 0)
			return true;
		if (errno != EINTR)
			clock_sleep(PAUSE_MS);
	}
	return false;
}

static size_t
get_len(const uint8_t *head)
{
	size_t len = 0;

	for (int i = 0; i < 4; i++)
		len = len << 8 | head[LEN_AT + i];
	return len;
}

/* *text is NULL if the slot is free.  So is one that a killed writer has written in part. */
static bool
read_slot(struct ctx *ctx, int fd, const char **text)
{
	uint8_t head[HEAD_SIZE];
	uint8_t digest[SHA256_SIZE];
	char *bytes;
	size_t len;

	*text = NULL;
	if (!read_at(fd, head, sizeof head, 0) || memcmp(head, MAGIC, MAGIC_SIZE) != 0
	    || (len = get_len(head)) > ESCROW_TEXT_MAX)
		return true;
	if (!ctx_alloc(ctx, len + 1, &bytes))
		return false;
	if (!read_at(fd, bytes, len, HEAD_SIZE))
		return true;
	sha256(bytes, len, digest);
	if (memcmp(digest, head + DIGEST_AT, sizeof digest) == 0 && strlen(bytes) == len)
		*text = bytes;
	return true;
}

/* A new slot is made durable with its name; then the length of the file never changes. */
static bool
allocate(struct ctx *ctx, int fd, const char *directory, const char *path)
{
	struct stat st;
	int error;

	if (fstat(fd, &st) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return fault(ctx, FAULT_STORAGE, "%s: is not a regular file", path);
	if (st.st_size >= SLOT_SIZE && st.st_blocks * 512 >= SLOT_SIZE)
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

	if (!lock_acquire(ctx, path, 0, 0, slot)) {
		if (ctx->kind == FAULT_UNAVAILABLE)
			ctx_clear_fault(ctx);
		return false;
	}
	if (read_slot(ctx, slot->fd, &text) && text == NULL
	    && allocate(ctx, slot->fd, directory, path))
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
			first_reason_add(&unusable, ctx->reason);
		ctx_clear_fault(ctx);
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
	size_t len = strlen(text);
	uint8_t *bytes;

	if (len > ESCROW_TEXT_MAX)
		return fault(ctx, FAULT_SERVER, "a text is over %d bytes", ESCROW_TEXT_MAX);
	if (!ctx_alloc(ctx, HEAD_SIZE + len, &bytes))
		return false;
	memcpy(bytes, MAGIC, MAGIC_SIZE);
	for (int i = 0; i < 4; i++)
		bytes[LEN_AT + i] = (uint8_t)(len >> (8 * (3 - i)));
	sha256(text, len, bytes + DIGEST_AT);
	memcpy(bytes + HEAD_SIZE, text, len);
	return (sync ? write_durably(slot->fd, bytes, HEAD_SIZE + len)
		     : write_at_start(slot->fd, bytes, HEAD_SIZE + len))
	    || fault(ctx, FAULT_STORAGE, "the escrow cannot be written: %s", strerror(errno));
}

void
escrow_erase(const struct lock *slot)
{
	static const uint8_t zeros[HEAD_SIZE];

	(void)write_at_start(slot->fd, zeros, sizeof zeros);
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

static bool
visit_slot(
    struct ctx *ctx, const struct store_config *store, int number, escrow_visit *visit, void *arg)
{
	const char *text = NULL;
	const char *path;
	bool ok;
	int fd;

	if (!slot_path(ctx, store, number, &path))
		return false;
	fd = file_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return true;
	ok = read_slot(ctx, fd, &text);
	close(fd);
	return ok && (text == NULL || visit(ctx, arg, number, text));
}

bool
escrow_each(struct ctx *ctx, const struct store_config *store, escrow_visit *visit, void *arg)
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
	while (ok && (entry = readdir(directory)) != NULL) {
		size_t mark = arena_mark(ctx);
		int number = slot_number(entry->d_name);

		ok = number < 0 || visit_slot(ctx, store, number, visit, arg);
		arena_rewind(ctx, mark);
	}
	closedir(directory);
	return ok;
}

/* Overwrites the whole text: it holds secrets, if sealed ones. */
static bool
free_slot(struct ctx *ctx, int fd, size_t len)
{
	uint8_t *zeros;

	return ctx_alloc(ctx, HEAD_SIZE + len, &zeros)
	    && (write_durably(fd, zeros, HEAD_SIZE + len)
		|| fault(ctx, FAULT_STORAGE, "the escrow cannot be freed: %s", strerror(errno)));
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
	ok = read_slot(ctx, slot.fd, &text)
	    && (text == NULL || (use(ctx, arg, text) && free_slot(ctx, slot.fd, strlen(text))));
	lock_release(&slot);
	return ok;
}
