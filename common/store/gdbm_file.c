/* gdbm_file.c - see gdbm_file.h. */
#include "store/gdbm_file.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where to continue after a fatal error of GDBM; nested when a visitor opens a second file. */
struct rescue {
	jmp_buf place;
	struct rescue *outer;
};

/* GDBM does not tell its fatal-error function which file has failed. */
static struct rescue *innermost;

static void
rescue(const char *message)
{
	(void)message;
	longjmp(innermost->place, 1);
}

bool
gdbm_file_fault(struct ctx *ctx, const struct gdbm_file *db, const char *doing)
{
	gdbm_error error = gdbm_errno;

	return fault(ctx, FAULT_STORAGE, "%s: %s: %s%s%s", db->path, doing, gdbm_strerror(error),
	    gdbm_check_syserr(error) ? ": " : "", gdbm_check_syserr(error) ? strerror(errno) : "");
}

datum
gdbm_file_key(const char *key)
{
	return (datum){ .dptr = (char *)(uintptr_t)key, .dsize = (int)strlen(key) };
}

bool
gdbm_file_key_has_prefix(datum key, const char *prefix, size_t prefix_len)
{
	return (size_t)key.dsize >= prefix_len && memcmp(key.dptr, prefix, prefix_len) == 0;
}

void
gdbm_file_free_datum(datum d)
{
	if (d.dptr != NULL) {
		explicit_bzero(d.dptr, (size_t)d.dsize);
		free(d.dptr);
	}
}

/* A link to nothing is not an absent file: somebody meant it to lead somewhere.  A file that has
 * been created since the open was absent then. */
static bool
is_absent(const char *path)
{
	char target;

	return errno == ENOENT && readlink(path, &target, 1) < 0;
}

/* Opens the file itself, so that a FIFO or a device in its place makes no reader wait: GDBM then
 * finds it empty.  db->file is NULL if there is no such file. */
static bool
open_file(struct ctx *ctx, struct gdbm_file *db, int flags)
{
	int access = flags & GDBM_OPENMASK;
	int fd = file_open(db->path,
	    (access == GDBM_READER ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return is_absent(db->path)
		    || fault(
			ctx, FAULT_STORAGE, "%s: cannot be opened: %s", db->path, strerror(errno));
	db->file = gdbm_fd_open(fd, db->path, 0, flags | GDBM_NOLOCK | GDBM_CLOERROR, rescue);
	return db->file != NULL || gdbm_file_fault(ctx, db, "cannot be opened");
}

static bool
close_file(struct ctx *ctx, const struct gdbm_file *db, bool ok)
{
	if (gdbm_close(db->file) != 0 && ok) /* which fsyncs a file opened for writing */
		return gdbm_file_fault(ctx, db, "cannot be closed");
	return ok;
}

/* An error of the disk or of a limit is reported as such.  Any other means that the file is
 * corrupt: GDBM then also passes impossible numbers to system calls. */
static void
fault_fatal(struct ctx *ctx, const struct gdbm_file *db, gdbm_error error, int system_error)
{
	static const int real[] = { EIO, ENOSPC, EDQUOT, EFBIG, EROFS, ESTALE, ENOMEM };

	for (size_t i = 0; gdbm_check_syserr(error) && i < sizeof real / sizeof *real; i++)
		if (system_error == real[i]) {
			ctx_fault(ctx, FAULT_STORAGE, "%s: %s: %s", db->path, gdbm_strerror(error),
			    strerror(system_error));
			return;
		}
	ctx_fault(ctx, FAULT_STORAGE, "%s: is corrupt; run amocrmctl repair", db->path);
}

/* GDBM may fail fatally while it opens the file, while the file is used, and again when the file is
 * closed after that. */
static bool
use_file(struct ctx *ctx, struct gdbm_file *db, int flags, gdbm_file_use *use, void *arg)
{
	struct rescue here = { .outer = innermost };
	bool ok = false;

	innermost = &here;
	if (setjmp(here.place) != 0) {
		GDBM_FILE file = db->file;

		fault_fatal(ctx, db, gdbm_errno, errno);
		db->file = NULL; /* closing it may fail fatally, too */
		if (file != NULL)
			gdbm_close(file);
	} else if (open_file(ctx, db, flags))
		ok = db->file == NULL || close_file(ctx, db, use(ctx, db, arg));
	innermost = here.outer;
	return ok;
}

/* Without mmap: writing to a mapped file on a full disk raises SIGBUS instead of an error, and
 * reading a record or two costs half as much as mapping the file. */
bool
gdbm_file_read(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg)
{
	struct gdbm_file db = { NULL, path };

	return use_file(ctx, &db, GDBM_READER | GDBM_NOMMAP, use, arg);
}

bool
gdbm_file_write(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg)
{
	struct gdbm_file db = { NULL, path };

	return use_file(ctx, &db, GDBM_WRCREAT | GDBM_NOMMAP, use, arg);
}
