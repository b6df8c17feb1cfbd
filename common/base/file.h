/* file.h - opening files that hold secrets or decide what we trust, durable directories, and
 * complete writes.
 *
 * The rule for such files and folders is one: nobody but root and the user that runs the program
 * can change them.  So each belongs to one of the two, and its mode lets neither group nor others
 * write; a group is refused even if the user is alone in it today.  A file that somebody else has
 * put in the place of another is refused by its owner, so the folders above need not be checked.
 */
#ifndef FILE_H
#define FILE_H

#include "base/ctx.h"

#include <stdio.h>
#include <sys/stat.h>

/* The rule, for a file or folder whose status is known.  Fault: FAULT_CONFIG. */
bool file_trusted(struct ctx *ctx, const struct stat *st, const char *path);

/* Opens a regular file for reading; the caller closes it with fclose.
 * Fault: FAULT_CONFIG when it cannot be opened, or the rule refuses it. */
bool file_open_trusted(struct ctx *ctx, const char *path, FILE **file);

/* As file_open_trusted, and its mode permits nothing to others, and only reading to its group (0600
 * and 0640 are accepted). */
bool file_open_secret(struct ctx *ctx, const char *path, FILE **file);

/* As file_open_secret, but the file may belong to any user: for root, which does not know yet as
 * which user it will run. */
bool file_open_anybodys_secret(struct ctx *ctx, const char *path, FILE **file);

/* As open(2), with mode 0600 for a new file, and again after a signal. */
int file_open(const char *path, int flags);

/* As file_open, for a regular file.  What else may be in its place makes nobody wait: -1 with errno
 * EISDIR for a directory, ENOTSUP or ENXIO for a FIFO, a socket or a device. */
int file_open_regular(const char *path, int flags);

/* The same, as a stream for reading; the caller closes it with fclose.  NULL: errno is set. */
FILE *file_open_stream(const char *path);

/* The errno of a failed open in words, for a message: strerror's, but "is not a regular file" for a
 * FIFO and the like. */
const char *file_open_error(int error);

/* Fsyncs a directory, which makes the files created and renamed in it durable.  True as well where
 * the file system cannot fsync a directory (CIFS, virtiofs): it decides itself when a name is
 * durable.
 * Fault: FAULT_STORAGE. */
bool file_sync_directory(struct ctx *ctx, const char *path);

/* Whether an errno of fsync(2) on a directory is a failure, and not that of a file system that
 * cannot do it. */
bool file_directory_syncable(int error);

/* Writes all bytes, also after short writes and signals.  False: errno is set. */
bool file_write_all(int fd, const char *bytes, size_t len);

#endif
