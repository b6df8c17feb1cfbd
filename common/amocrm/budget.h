/* budget.h - how many calls to amoCRM are made in a second: [amocrm] budget, shared by all
 * processes of a store, on all of its hosts.
 *
 * amoCRM allows an account 7 requests a second, and blocks everything from a client that keeps
 * exceeding it (https://www.amocrm.ru/developers/content/crm_platform/api-reference, limits).  So:
 *
 *   - every call waits for its turn: at most budget.calls reach an account within a second, however
 *     long they are on their way;
 *   - an exchange that carries no state of ours can be caused by anybody, with any code.  Such
 *     exchanges get budget.exchanges a second for one account, with a burst of five times as many,
 *     and are refused beyond that.  Install calls, and app users without a state, each have as much
 *     apart.  All hosts together get twice as much, since a stranger can name any number of them;
 *   - of each second's turns, budget.exchanges are kept for all other calls.
 *
 * So strangers can never use up the turns that refreshes and the app need, nor make these wait.
 *
 * The state is kept where the store is: in files (budget_files.h) it is shared by all processes of
 * a host, in a database (budget_postgresql.h) by all hosts.  Who is killed during a call keeps its
 * turn for two seconds.  If the state cannot be used, nothing is limited, and the log notes why: to
 * refuse everything would do more harm.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* Who causes a call. */
enum budget_share {
	BUDGET_OWN_STATE, /* a state that we issued, or our own doing: no limit but the turns */
	BUDGET_STRANGER,  /* a browser without such a state */
	BUDGET_INSTALL,   /* an install call, or what looks like one */
	BUDGET_APP,       /* an app user without such a state */
};

struct budget_turn {
	bool taken; /* false: the call is not counted */
	const char *host;
	int slot;       /* of the host's entry */
	int64_t latest; /* when the slot is free at the latest */
};

/* Takes one exchange, or another attempt to finish one, out of a share, before anything is spent on
 * it.  Fault: FAULT_UNAVAILABLE with retry_after_s if the share is used up. */
bool budget_admit(
    struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share);

/* Waits for a turn to call the host, which begins with the return and ends with budget_end.  A turn
 * that had to be waited for leaves the call some of its time before the deadline (clock_ms).
 * Fault: FAULT_UNAVAILABLE with retry_after_s if there is no such turn. */
bool budget_begin(struct ctx *ctx, const struct config *cfg, const char *host,
    enum budget_share share, int64_t deadline_ms, struct budget_turn *turn);

/* The call has ended, whatever came of it.  A fault that ctx holds is kept, and none is added. */
void budget_end(struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn);

#endif
