/* gdbm_file.h - a GDBM file in use, by a library that ends the process when the file is corrupt.
 *
 * GDBM calls exit after it has told its fatal-error function; here that function does not return to
 * it, and the damage becomes a fault like any other.
 */
#ifndef GDBM_FILE_H
#define GDBM_FILE_H

#include "base/ctx.h"

#include <gdbm.h>

struct gdbm_file {
	GDBM_FILE file;
	const char *path;
};

typedef bool gdbm_file_use(struct ctx *ctx, const struct gdbm_file *db, void *arg);

/* Opens the file for reading, uses it and closes it; without such a file true,
 * and not used.  Nothing is locked: a file that is read is one that nobody writes to.
 * Fault: FAULT_STORAGE. */
bool gdbm_file_read(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg);

/* Opens it for writing, or makes it, uses it, brings it to disk and closes it.
 * Fault: FAULT_STORAGE. */
bool gdbm_file_write(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg);

/* False, with what GDBM's last error says. */
bool gdbm_file_fault(struct ctx *ctx, const struct gdbm_file *db, const char *doing);

/* A text as a key, and whether a key begins with one. */
datum gdbm_file_key(const char *key);
bool gdbm_file_key_begins(datum key, const char *prefix, size_t prefix_len);

/* Wipes and frees what gdbm_fetch gave. */
void gdbm_file_free(datum d);

#endif
