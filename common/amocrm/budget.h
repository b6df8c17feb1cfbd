/* budget.h - how many calls to amoCRM are made in a second: [amocrm] budget, shared by all
 * processes of a store.
 *
 * amoCRM allows an account 7 requests a second, and blocks everything from a client that keeps
 * exceeding it (https://www.amocrm.ru/developers/content/crm_platform/api-reference, limits).  So:
 *
 *   - every call waits for its turn: at most budget.calls to one account within WINDOW_MS;
 *   - an exchange that carries no state of ours can be caused by anybody, with any code.  Such
 *     exchanges get budget.exchanges a second for one account, with a burst of five times as many,
 *     and do not wait.  Install calls, and app users without a state, each have as much apart.
 *
 * So strangers can never use up the turns that refreshes and the app need.
 *
 * The state is the file <store>/budget, of constant size: accounts share its entries by a hash of
 * the host, which only makes the budget smaller.  An entry that makes no sense, because the file is
 * damaged or the machine was rebooted, counts as empty.  Who is killed while it holds the file's
 * lock leaves nothing behind (lock.h); who is killed while it waits has used up its turn.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* Who causes an exchange of a code. */
enum budget_share {
	BUDGET_OWN_STATE, /* a state that we issued: no limit but the turns */
	BUDGET_STRANGER,  /* a browser without such a state */
	BUDGET_INSTALL,   /* an install call, or what looks like one */
	BUDGET_APP,       /* an app user without such a state */
};

/* Takes one exchange out of a share, before anything is spent on it.
 * Fault: FAULT_UNAVAILABLE with retry_after_s if the share is used up; FAULT_STORAGE. */
bool budget_admit(
    struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share);

/* Waits for a turn to call the host, by the deadline at the latest (clock_ms).  If the file cannot
 * be used, the call is not held up: the log notes that.
 * Fault: FAULT_UNAVAILABLE with retry_after_s if there is no turn before the deadline. */
bool budget_wait_turn(
    struct ctx *ctx, const struct config *cfg, const char *host, int64_t deadline_ms);

#endif
