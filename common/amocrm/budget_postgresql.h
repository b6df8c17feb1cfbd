/* budget_postgresql.h - the budget of a store in a database, shared by its hosts; see budget.h.
 *
 * Each account has a row of its own, and times are by the database's clock.  A turn whose reply was
 * lost is free two seconds later.  The messages:
 *
 *   -> {"do":"admit",…,"host":…,"share":1,"exchanges":2}
 *   <- {"wait_ms":0}
 *   -> {"do":"begin_call",…,"host":…,"share":0,"calls":7,"exchanges":2}
 *   <- {"wait_ms":0,"slot":3,"latest":…}      the turn's; slot is -1 if it has to wait
 *   -> {"do":"end_call",…,"host":…,"slot":3,"latest":…}
 *   <- {}
 */
#ifndef BUDGET_POSTGRESQL_H
#define BUDGET_POSTGRESQL_H

#include "amocrm/budget.h"

/* As budget_files.h; the faults are those of helper/postgresql.h.  They wait for the database for a
 * moment only, since a call can be made without a turn. */
bool budget_postgresql_admit(struct ctx *ctx, const struct config *cfg, const char *host,
    enum budget_share share, int64_t *wait_ms);
bool budget_postgresql_begin(struct ctx *ctx, const struct config *cfg, enum budget_share share,
    struct budget_turn *turn, int64_t *wait_ms);

/* A fault that ctx holds is kept. */
void budget_postgresql_end(
    struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn);

#endif
