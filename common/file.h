/* file.h - files that hold secrets, and directories that hold files.
 */
#ifndef FILE_H
#define FILE_H

#include "work.h"

#include <stdio.h>

/* Opens a regular file for reading, to be closed with fclose.
 * Fault: FAULT_CONFIG when it cannot be opened, or when its mode gives anything to others, or more
 * than reading to its group (0600 and 0640 are right). */
bool file_open_secret(struct work *w, const char *path, FILE **file);

/* What was made or renamed in the directory is on disk.  Fault: FAULT_STORAGE. */
bool file_sync_directory(struct work *w, const char *path);

#endif
