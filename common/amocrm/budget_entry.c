/* budget_entry.c - see budget_entry.h. */
#include "amocrm/budget_entry.h"

#define WINDOW_MS     1001 /* a second; clocks truncate */
#define IN_FLIGHT_MS  1000 /* a request has reached amoCRM by then, if not its reply us */
#define BURST         5    /* seconds' worth of exchanges that may come at once */
#define HOSTS_AT_ONCE 2    /* exchanges of all accounts together, in budgets of one account */

size_t
budget_entry_share(enum budget_share share)
{
	return (size_t)share - 1;
}

/* Takes one exchange (a token bucket). */
static int64_t
take(int64_t *full_at, int rate, int64_t now)
{
	int64_t interval = 1000 / rate;
	int64_t burst = INT64_C(1) * BURST * rate;
	bool is_empty = *full_at < now || *full_at > now + burst * interval;
	int64_t from = is_empty ? now : *full_at;
	int64_t wait_ms = from - now - (burst - 1) * interval;

	if (wait_ms > 0)
		return wait_ms;
	*full_at = from + interval;
	return 0;
}

int64_t
budget_entry_admit(int64_t *own, int64_t *all, int rate, int64_t now)
{
	int64_t taken = *own;
	int64_t wait_ms = take(&taken, rate, now);

	if (wait_ms == 0)
		wait_ms = take(all, rate * HOSTS_AT_ONCE, now);
	if (wait_ms == 0)
		*own = taken;
	return wait_ms;
}

static bool
makes_sense(const struct budget_slot *slot, int64_t now)
{
	return slot->earliest >= 0 && slot->earliest <= slot->latest
	    && slot->latest <= now + WINDOW_MS + IN_FLIGHT_MS;
}

struct budget_slot *
budget_entry_begin(struct budget_slot *slots, const struct call_budget *budget,
    enum budget_share share, int64_t now, int64_t *wait_ms)
{
	int kept = budget->exchanges < budget->calls ? budget->exchanges : budget->calls - 1;
	bool by_strangers = share == BUDGET_STRANGER || share == BUDGET_INSTALL;
	int count = budget->calls - (by_strangers ? kept : 0);
	struct budget_slot *first = &slots[count - 1];

	*wait_ms = WINDOW_MS + IN_FLIGHT_MS;
	for (int i = count - 1; i >= 0; i--) {
		struct budget_slot *slot = &slots[i];

		if (!makes_sense(slot, now))
			*slot = (struct budget_slot){ 0, 0 };
		if (slot->latest < first->latest)
			first = slot;
		if (slot->earliest - now < *wait_ms)
			*wait_ms = slot->earliest - now;
	}
	if (first->latest > now)
		return NULL;
	first->earliest = now + WINDOW_MS;
	first->latest = first->earliest + IN_FLIGHT_MS;
	return first;
}

bool
budget_entry_end(struct budget_slot *slot, int64_t latest, int64_t now)
{
	if (slot->latest != latest || slot->latest <= now + WINDOW_MS)
		return false;
	slot->earliest = slot->latest = now + WINDOW_MS;
	return true;
}
