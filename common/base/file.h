/* file.h - files that hold secrets, directories that hold files, and writing all that is to be
 * written.
 */
#ifndef FILE_H
#define FILE_H

#include "base/ctx.h"

#include <stdio.h>

/* Opens a regular file for reading, to be closed with fclose.
 * Fault: FAULT_CONFIG when it cannot be opened, or when its mode gives anything to others, or more
 * than reading to its group (0600 and 0640 are right). */
bool file_open_secret(struct ctx *ctx, const char *path, FILE **file);

/* What was made or renamed in the directory is on disk.  Fault: FAULT_STORAGE. */
bool file_sync_directory(struct ctx *ctx, const char *path);

/* All the bytes, in as many writes as it takes.  False: errno says why. */
bool file_write_all(int fd, const char *bytes, size_t len);

#endif
