/* store_write.h - one change of several records, or its rehearsal; see store_commit and
 * store_rehearse in store.h.
 */
#ifndef STORE_WRITE_H
#define STORE_WRITE_H

#include "store/store.h"

/* Does all of a commit, or, as a rehearsal, all but the renames.  Fault: as store_commit. */
bool store_perform(struct ctx *ctx, const struct store_config *store, const struct store_op *ops,
    size_t count, bool rehearsal);

#endif
