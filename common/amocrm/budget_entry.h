/* budget_entry.h - an account's budget: which of its calls may begin, and which exchanges.
 *
 * It only computes.  Who keeps an entry reads, changes and writes it while nobody else does.  All
 * times are by one clock, in milliseconds.  A value that makes no sense counts as empty.
 *
 * A turn is counted from its begin until a second after its call has ended, and not from one
 * moment: connecting takes calls unequally long, so calls that begin a second apart can reach
 * amoCRM together.
 */
#ifndef BUDGET_ENTRY_H
#define BUDGET_ENTRY_H

#include "amocrm/budget.h"

#include <stddef.h>

#define BUDGET_SHARES 3 /* all but BUDGET_OWN_STATE */

/* One of the calls that an account may get within a second.  The times differ while the call is
 * under way. */
struct budget_slot {
	int64_t earliest; /* before this it is not free */
	int64_t latest;   /* from this on it is */
};

struct budget_entry {
	struct budget_slot slots[BUDGET_CALLS_MAX]; /* as many are used as budget.calls */
	int64_t full_at[BUDGET_SHARES];             /* when the share has its whole burst again */
};

/* The index of a share in full_at. */
size_t budget_entry_share(enum budget_share share);

/* Takes one exchange out of a share of an account's entry, *own, and of the entry of all accounts
 * together, *all.  Returns 0, or, if it has taken nothing, how long until there is one. */
int64_t budget_entry_admit(int64_t *own, int64_t *all, int rate, int64_t now);

/* Takes the slot that is free, for a turn; the last ones are not for strangers.  NULL: none is, nor
 * will one be within the next *wait_ms. */
struct budget_slot *budget_entry_begin(struct budget_slot *slots, const struct call_budget *budget,
    enum budget_share share, int64_t now, int64_t *wait_ms);

/* Ends the turn that began when the slot's latest was set to this one.  False: it has nothing to
 * change; the turn may be another's by now. */
bool budget_entry_end(struct budget_slot *slot, int64_t latest, int64_t now);

#endif
