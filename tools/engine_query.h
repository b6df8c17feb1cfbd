/* engine_query.h - requests to amo-crm-postgresql that need nothing but their verb, and what their
 * replies hold.
 */
#ifndef ENGINE_QUERY_H
#define ENGINE_QUERY_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

struct json_object;

/* Repeats it while the database fails over.  The caller releases the reply with json_object_put.
 * NULL with a fault. */
struct json_object *engine_query(
    struct ctx *ctx, const struct store_config *store, const char *verb);

/* A text of the reply; "": there is none. */
const char *engine_text(const struct json_object *reply, const char *name);

/* A number of the reply that cannot be negative; -1: there is none. */
long long engine_number(const struct json_object *reply, const char *name);

#endif
