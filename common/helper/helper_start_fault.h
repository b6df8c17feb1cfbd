/* helper_start_fault.h - why a helper cannot be started, and what to do about it.
 */
#ifndef HELPER_START_FAULT_H
#define HELPER_START_FAULT_H

#include "base/ctx.h"

/* path exists, or is below a folder that may not be entered, and access refused it with errno
 * error: EACCES in general.  Fault: FAULT_CONFIG. */
bool helper_start_denied(struct ctx *ctx, const char *path, int error);

/* posix_spawn failed with error, although access allows the file to be executed.  Fault:
 * FAULT_SERVER where the system lacks something, else FAULT_CONFIG. */
bool helper_start_failed(struct ctx *ctx, const char *path, int error);

#endif
