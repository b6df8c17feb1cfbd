/* helper_start_fault.h - why a helper cannot be started, and what to do about it.
 */
#ifndef HELPER_START_FAULT_H
#define HELPER_START_FAULT_H

#include "base/ctx.h"

/* access(2) has refused with this errno, usually EACCES, to let path be executed: it exists, or is
 * below a folder that may not be entered.  Always false: FAULT_CONFIG. */
bool helper_start_denied(struct ctx *ctx, const char *path, int error);

/* posix_spawn has failed with this errno, although access(2) allows path to be executed.
 * Always false: FAULT_SERVER where the system lacks something, else FAULT_CONFIG. */
bool helper_start_failed(struct ctx *ctx, const char *path, int error);

#endif
