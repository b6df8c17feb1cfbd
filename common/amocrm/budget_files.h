/* budget_files.h - the budget of a store in files; see budget.h.
 *
 * The file <store>/budget is of constant size: accounts share its entries by a hash of the host,
 * which only makes the budget smaller.  A value that makes no sense, because the file is damaged or
 * the machine was rebooted, counts as empty.  Who is killed while it holds the file's lock leaves
 * nothing behind (lock.h).
 */
#ifndef BUDGET_FILES_H
#define BUDGET_FILES_H

#include "amocrm/budget.h"

/* Takes one exchange: *wait_ms is 0.  Otherwise there is none before.
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
bool budget_files_admit(struct ctx *ctx, const struct config *cfg, const char *host,
    enum budget_share share, int64_t *wait_ms);

/* Takes a turn of turn->host, and sets turn->taken.  Otherwise there is none before *wait_ms, which
 * may be negative: any moment. */
bool budget_files_begin(struct ctx *ctx, const struct config *cfg, enum budget_share share,
    struct budget_turn *turn, int64_t *wait_ms);

void budget_files_end(struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn);

#endif
