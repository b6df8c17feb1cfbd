/* budget.c - see budget.h.
 *
 * The file is an array of struct entry in the machine's own byte order, which is never moved to
 * another machine: without the file, the budget is full.  Entry 0 counts the exchanges of all hosts
 * together, since a stranger can name any number of hosts below account_domains.
 */
#include "amocrm/budget.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/sha2.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MS     1100 /* a second, and what the network may bring two calls together */
#define BURST         5    /* seconds' worth of exchanges that may come at once */
#define HOSTS_AT_ONCE 5    /* exchanges of all hosts together, in budgets of one host */
#define HOST_ENTRIES  64
#define SHARES        3
#define LOCK_WAIT_MS  2000  /* the lock is held for microseconds */
#define FUTURE_MAX_MS 60000 /* no turn is given further ahead: the longest timeout is 30 s */
#define DRIFT_MAX_MS  10000 /* of the two clocks between two uses */

struct entry {
	int64_t booted_at;               /* the system time that was 0 by clock_ms */
	int64_t turns[BUDGET_CALLS_MAX]; /* of the newest calls, the newest first, by clock_ms */
	int64_t full_at[SHARES];         /* when the share has its whole burst again */
};

struct table {
	struct lock lock;
	const char *path;
	off_t offset; /* of the host's entry */
};

static bool
open_table(struct ctx *ctx, const struct config *cfg, const char *host, struct table *table)
{
	uint8_t digest[SHA256_SIZE];

	sha256(host, strlen(host), digest);
	table->offset = (off_t)sizeof(struct entry) * (1 + digest[0] % HOST_ENTRIES);
	return ctx_printf(ctx, &table->path, "%s/budget", cfg->store.path)
	    && lock_acquire(ctx, table->path, 0, LOCK_WAIT_MS, &table->lock);
}

static int64_t
booted_at(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 - clock_ms();
}

static bool
makes_sense(const struct entry *entry, int64_t now)
{
	int64_t drift = booted_at() - entry->booted_at;

	for (int i = 0; i < BUDGET_CALLS_MAX; i++)
		if (entry->turns[i] < 0 || entry->turns[i] > now + FUTURE_MAX_MS)
			return false;
	for (int i = 0; i < SHARES; i++)
		if (entry->full_at[i] < 0 || entry->full_at[i] > now + FUTURE_MAX_MS)
			return false;
	return entry->booted_at >= 0 && drift > -DRIFT_MAX_MS && drift < DRIFT_MAX_MS;
}

/* An entry beyond the end of the file is empty. */
static bool
read_entry(
    struct ctx *ctx, const struct table *table, off_t offset, int64_t now, struct entry *entry)
{
	ssize_t n = pread(table->lock.fd, entry, sizeof *entry, offset);

	if (n < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", table->path, strerror(errno));
	if (n != (ssize_t)sizeof *entry || !makes_sense(entry, now))
		memset(entry, 0, sizeof *entry);
	entry->booted_at = booted_at();
	return true;
}

static bool
write_entry(struct ctx *ctx, const struct table *table, off_t offset, const struct entry *entry)
{
	errno = ENOSPC; /* the cause of a short write; a failed write sets errno itself */
	return pwrite(table->lock.fd, entry, sizeof *entry, offset) == (ssize_t)sizeof *entry
	    || fault(ctx, FAULT_STORAGE, "%s: %s", table->path, strerror(errno));
}

/* Takes one exchange of a share (a token bucket).  *wait_ms: until the next; 0: it was taken. */
static void
take(int64_t *full_at, int rate, int64_t now, int64_t *wait_ms)
{
	int64_t interval = 1000 / rate;
	int64_t burst = BURST * rate;
	int64_t from = *full_at > now ? *full_at : now;

	*wait_ms = from - now - (burst - 1) * interval;
	if (*wait_ms > 0)
		return;
	*wait_ms = 0;
	*full_at = from + interval;
}

static bool
take_share(struct ctx *ctx, const struct config *cfg, const struct table *table, int share)
{
	int rate = cfg->amocrm.budget.exchanges;
	int64_t now = clock_ms();
	struct entry all;
	struct entry own;
	int64_t wait_ms;

	if (!read_entry(ctx, table, 0, now, &all)
	    || !read_entry(ctx, table, table->offset, now, &own))
		return false;
	take(&own.full_at[share], rate, now, &wait_ms);
	if (wait_ms == 0)
		take(&all.full_at[share], rate * HOSTS_AT_ONCE, now, &wait_ms);
	if (wait_ms > 0) {
		ctx->retry_after_s = (long)(wait_ms + 999) / 1000;
		return fault(ctx, FAULT_UNAVAILABLE,
		    "more exchanges without a state of ours than [amocrm] budget allows");
	}
	return write_entry(ctx, table, table->offset, &own) && write_entry(ctx, table, 0, &all);
}

bool
budget_admit(struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share)
{
	struct table table;
	bool ok;

	if (share == BUDGET_OWN_STATE)
		return true;
	if (!open_table(ctx, cfg, host, &table))
		return false;
	ok = take_share(ctx, cfg, &table, (int)share - 1);
	lock_release(&table.lock);
	return ok;
}

/* Takes the next turn: WINDOW_MS after the call that is `calls` before it, and not before the call
 * before it.  *at is 0 if that is not before the deadline. */
static void
take_turn(struct entry *entry, int calls, int64_t now, int64_t deadline_ms, int64_t *at)
{
	int64_t earliest = entry->turns[calls - 1] == 0 ? 0 : entry->turns[calls - 1] + WINDOW_MS;

	if (earliest < entry->turns[0])
		earliest = entry->turns[0];
	*at = earliest > now ? earliest : now;
	if (*at >= deadline_ms) {
		*at = 0;
		return;
	}
	memmove(entry->turns + 1, entry->turns, sizeof entry->turns - sizeof *entry->turns);
	entry->turns[0] = *at;
}

static bool
reserve_turn(struct ctx *ctx, const struct config *cfg, const struct table *table,
    int64_t deadline_ms, int64_t *at)
{
	int64_t now = clock_ms();
	struct entry entry;

	if (!read_entry(ctx, table, table->offset, now, &entry))
		return false;
	take_turn(&entry, cfg->amocrm.budget.calls, now, deadline_ms, at);
	return *at == 0 || write_entry(ctx, table, table->offset, &entry);
}

bool
budget_wait_turn(struct ctx *ctx, const struct config *cfg, const char *host, int64_t deadline_ms)
{
	struct table table;
	int64_t at = 0;
	bool known;

	known = open_table(ctx, cfg, host, &table);
	if (known) {
		known = reserve_turn(ctx, cfg, &table, deadline_ms, &at);
		lock_release(&table.lock);
	}
	if (!known) {
		log_note(ctx, "budget", ctx->reason);
		ctx_clear_fault(ctx);
		return true;
	}
	if (at == 0) {
		ctx->retry_after_s = 1;
		return fault(ctx, FAULT_UNAVAILABLE,
		    "no turn before the deadline: more calls to %s than [amocrm] budget allows",
		    host);
	}
	while (clock_ms() < at)
		clock_sleep(at - clock_ms());
	return true;
}
