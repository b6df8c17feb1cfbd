/* helper_fault.h - the reply of a helper whose request failed, encoded and decoded.
 *
 *   <- {"fault":"<name, see fault.h>","reason":…}
 */
#ifndef HELPER_FAULT_H
#define HELPER_FAULT_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "text/json.h"

/* The helper's end: appends the fault that ctx holds. */
void helper_fault_encode(struct strbuf *sb, const struct ctx *ctx);

/* The caller's end.  True: the reply is not a fault.  False: ctx holds the helper's fault, which is
 * FAULT_SERVER if its name is unknown here. */
bool helper_fault_decode(struct ctx *ctx, const struct json_object *reply);

#endif
