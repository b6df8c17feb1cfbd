/* gdbm_file.h - access to a GDBM file that turns GDBM's fatal errors into faults.
 *
 * On a fatal error, such as a corrupt file, GDBM calls the program's fatal-error function and then
 * exit.  Here that function does not return, and the error becomes a fault like any other.
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

/* Opens the file for reading, calls use and closes the file.  Without such a file this is true and
 * use is not called.  Takes no lock: committed files are never written to.
 * Fault: FAULT_STORAGE. */
bool gdbm_file_read(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg);

/* Opens or creates the file for writing, calls use, fsyncs the file and closes it.
 * Fault: FAULT_STORAGE. */
bool gdbm_file_write(struct ctx *ctx, const char *path, gdbm_file_use *use, void *arg);

/* Sets FAULT_STORAGE with the text of GDBM's last error; false. */
bool gdbm_file_fault(struct ctx *ctx, const struct gdbm_file *db, const char *doing);

/* A key from a string, and whether a key begins with a string. */
datum gdbm_file_key(const char *key);
bool gdbm_file_key_has_prefix(datum key, const char *prefix, size_t prefix_len);

/* Wipes and frees a datum returned by gdbm_fetch. */
void gdbm_file_free_datum(datum d);

#endif
