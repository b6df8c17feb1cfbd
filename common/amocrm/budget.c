/* budget.c - see budget.h.
 *
 * The file is an array of struct entry in the machine's own byte order, since it is never moved to
 * another machine: without the file, the budget is full.  Entry 0 counts the exchanges of all hosts
 * together.
 *
 * A turn is counted from the return of budget_begin until a second after its call has ended, and
 * not from one moment: connecting takes calls unequally long, so calls that begin a second apart
 * can reach amoCRM together.
 */
#include "amocrm/budget.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/sha2.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#define WINDOW_MS     1001 /* a second; clock_ms truncates */
#define IN_FLIGHT_MS  1000 /* a request has reached amoCRM by then, if not its reply us */
#define CALL_ROOM_MS  1500 /* of its time that a call keeps after waiting, or the half of it */
#define PAUSE_MS      50   /* how often a waiter looks */
#define BURST         5    /* seconds' worth of exchanges that may come at once */
#define HOSTS_AT_ONCE 2    /* exchanges of all hosts together, in budgets of one host */
#define HOST_ENTRIES  64
#define SHARES        3
#define LOCK_WAIT_MS  500 /* the lock is held for microseconds */

/* One of the calls that an account may get within a second.  Both by clock_ms; they differ while
 * the call is under way. */
struct slot {
	int64_t earliest; /* before this it is not free */
	int64_t latest;   /* from this on it is */
};

struct entry {
	struct slot slots[BUDGET_CALLS_MAX];
	int64_t full_at[SHARES]; /* when the share has its whole burst again, by clock_ms */
};

struct table {
	struct lock lock;
	const char *path;
	off_t offset; /* of the host's entry */
};

static bool
find_entry(struct ctx *ctx, const struct config *cfg, const char *host, struct table *table)
{
	uint8_t digest[SHA256_SIZE];

	sha256(host, strlen(host), digest);
	table->offset = (off_t)sizeof(struct entry) * (1 + digest[0] % HOST_ENTRIES);
	return ctx_printf(ctx, &table->path, "%s/budget", cfg->store.path);
}

static bool
lock_table(struct ctx *ctx, struct table *table)
{
	return lock_acquire(ctx, table->path, 0, LOCK_WAIT_MS, &table->lock);
}

/* What is beyond the end of the file is zero. */
static bool
read_at(struct ctx *ctx, const struct table *table, off_t offset, void *out, size_t size)
{
	ssize_t n;

	memset(out, 0, size);
	n = pread(table->lock.fd, out, size, offset);
	return n >= 0 || fault(ctx, FAULT_STORAGE, "%s: %s", table->path, strerror(errno));
}

static bool
write_at(struct ctx *ctx, const struct table *table, off_t offset, const void *in, size_t size)
{
	errno = ENOSPC; /* the cause of a short write; a failed write sets errno itself */
	return pwrite(table->lock.fd, in, size, offset) == (ssize_t)size
	    || fault(ctx, FAULT_STORAGE, "%s: %s", table->path, strerror(errno));
}

/* The log tells why something was not limited. */
static void
note_unlimited(struct ctx *ctx)
{
	log_note(ctx, "budget", ctx->reason);
	ctx_clear_fault(ctx);
}

/* Takes one exchange of a share (a token bucket).  *wait_ms: until there is one; 0: taken. */
static void
take(int64_t *full_at, int rate, int64_t now, int64_t *wait_ms)
{
	int64_t interval = 1000 / rate;
	int64_t burst = INT64_C(1) * BURST * rate;
	bool is_empty = *full_at < now || *full_at > now + burst * interval;
	int64_t from = is_empty ? now : *full_at;

	*wait_ms = from - now - (burst - 1) * interval;
	if (*wait_ms > 0)
		return;
	*wait_ms = 0;
	*full_at = from + interval;
}

static bool
take_share(struct ctx *ctx, const struct config *cfg, const struct table *table, size_t share,
    int64_t *wait_ms)
{
	const off_t in_entry = (off_t)(offsetof(struct entry, full_at) + share * sizeof(int64_t));
	int rate = cfg->amocrm.budget.exchanges;
	int64_t now = clock_ms();
	int64_t all;
	int64_t own;

	if (!read_at(ctx, table, in_entry, &all, sizeof all)
	    || !read_at(ctx, table, table->offset + in_entry, &own, sizeof own))
		return false;
	take(&own, rate, now, wait_ms);
	if (*wait_ms == 0)
		take(&all, rate * HOSTS_AT_ONCE, now, wait_ms);
	return *wait_ms > 0
	    || (write_at(ctx, table, table->offset + in_entry, &own, sizeof own)
		&& write_at(ctx, table, in_entry, &all, sizeof all));
}

bool
budget_admit(struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share)
{
	struct table table;
	int64_t wait_ms = 0;
	bool counted;

	if (share == BUDGET_OWN_STATE)
		return true;
	if (!find_entry(ctx, cfg, host, &table))
		return false;
	counted = lock_table(ctx, &table);
	if (counted) {
		counted = take_share(ctx, cfg, &table, (size_t)share - 1, &wait_ms);
		lock_release(&table.lock);
	}
	if (!counted)
		note_unlimited(ctx);
	if (!counted || wait_ms == 0)
		return true;
	ctx_fault(ctx, FAULT_UNAVAILABLE,
	    "more exchanges without a state of ours than [amocrm] budget allows");
	ctx->retry_after_s = (long)(wait_ms + 999) / 1000;
	return false;
}

static bool
makes_sense(const struct slot *slot, int64_t now)
{
	return slot->earliest >= 0 && slot->earliest <= slot->latest
	    && slot->latest <= now + WINDOW_MS + IN_FLIGHT_MS;
}

/* The slot that is free first.  The last ones are not for strangers.  None is free before
 * *earliest. */
static struct slot *
first_free(struct entry *entry, const struct call_budget *budget, enum budget_share share,
    int64_t now, int64_t *earliest)
{
	int kept = budget->exchanges < budget->calls ? budget->exchanges : budget->calls - 1;
	bool by_strangers = share == BUDGET_STRANGER || share == BUDGET_INSTALL;
	int count = budget->calls - (by_strangers ? kept : 0);
	struct slot *first = &entry->slots[count - 1];

	*earliest = now + WINDOW_MS + IN_FLIGHT_MS;
	for (int i = count - 1; i >= 0; i--) {
		struct slot *slot = &entry->slots[i];

		if (!makes_sense(slot, now))
			*slot = (struct slot){ 0, 0 };
		if (slot->latest < first->latest)
			first = slot;
		if (slot->earliest < *earliest)
			*earliest = slot->earliest;
	}
	return first;
}

/* Takes a turn if there is one now; otherwise turn->path stays NULL, and there is none before
 * *earliest. */
static bool
take_turn(struct ctx *ctx, const struct config *cfg, const struct table *table,
    enum budget_share share, struct budget_turn *turn, int64_t *earliest)
{
	int64_t now = clock_ms();
	struct entry entry;
	struct slot *slot;

	if (!read_at(ctx, table, table->offset, entry.slots,
		(size_t)cfg->amocrm.budget.calls * sizeof *entry.slots))
		return false;
	slot = first_free(&entry, &cfg->amocrm.budget, share, now, earliest);
	if (slot->latest > now)
		return true;
	slot->earliest = now + WINDOW_MS;
	slot->latest = slot->earliest + IN_FLIGHT_MS;
	turn->path = table->path;
	turn->offset = table->offset + (slot - entry.slots) * (off_t)sizeof *slot;
	turn->latest = slot->latest;
	return write_at(ctx, table, turn->offset, slot, sizeof *slot);
}

static bool
try_turn(struct ctx *ctx, const struct config *cfg, struct table *table, enum budget_share share,
    struct budget_turn *turn, int64_t *earliest)
{
	bool ok;

	if (!lock_table(ctx, table))
		return false;
	ok = take_turn(ctx, cfg, table, share, turn, earliest);
	lock_release(&table->lock);
	return ok;
}

static bool
fault_no_turn(struct ctx *ctx, const char *host)
{
	ctx_fault(ctx, FAULT_UNAVAILABLE,
	    "no turn before the deadline: more calls to %s than [amocrm] budget allows", host);
	ctx->retry_after_s = 1;
	return false;
}

bool
budget_begin(struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share,
    int64_t deadline_ms, struct budget_turn *turn)
{
	int64_t half_ms = (deadline_ms - clock_ms()) / 2;
	int64_t last_ms = deadline_ms - (half_ms < CALL_ROOM_MS ? half_ms : CALL_ROOM_MS);
	int64_t earliest;
	struct table table;

	turn->path = NULL;
	if (!find_entry(ctx, cfg, host, &table))
		return false;
	while (try_turn(ctx, cfg, &table, share, turn, &earliest)) {
		int64_t now = clock_ms();
		int64_t next = earliest > now + PAUSE_MS ? earliest : now + PAUSE_MS;

		if (turn->path != NULL)
			return true;
		if (next >= last_ms)
			return fault_no_turn(ctx, host);
		clock_sleep(next - now);
	}
	turn->path = NULL;
	note_unlimited(ctx);
	return true;
}

/* Its own faults are dropped: the slot then becomes free a second later. */
void
budget_end(const struct budget_turn *turn)
{
	struct ctx dropped = { .arena = NULL };
	struct table table = { .path = turn->path };
	int64_t now = clock_ms();
	struct slot slot;

	if (turn->path == NULL || !lock_table(&dropped, &table))
		return;
	if (read_at(&dropped, &table, turn->offset, &slot, sizeof slot)
	    && slot.latest == turn->latest && slot.latest > now + WINDOW_MS) {
		slot.earliest = slot.latest = now + WINDOW_MS;
		(void)write_at(&dropped, &table, turn->offset, &slot, sizeof slot);
	}
	lock_release(&table.lock);
}
