/* file.h - opening files that hold secrets, durable directories, and complete writes.
 */
#ifndef FILE_H
#define FILE_H

#include "base/ctx.h"

#include <stdio.h>

/* Opens a regular file for reading; the caller closes it with fclose.
 * Fault: FAULT_CONFIG when it cannot be opened, or when its mode permits anything to others or more
 * than reading to its group (0600 and 0640 are accepted). */
bool file_open_secret(struct ctx *ctx, const char *path, FILE **file);

/* As open(2), with mode 0600 for a new file, and again after a signal. */
int file_open(const char *path, int flags);

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
