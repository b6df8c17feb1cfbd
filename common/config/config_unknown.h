/* config_unknown.h - what was probably meant by a line whose key is not known.
 */
#ifndef CONFIG_UNKNOWN_H
#define CONFIG_UNKNOWN_H

#include "base/ctx.h"

/* Records the fault, FAULT_CONFIG, of a key that the table does not have in that section. */
void config_refuse_key(
    struct ctx *ctx, const char *file, int line, const char *section, const char *name);

#endif
