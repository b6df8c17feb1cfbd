/* budget_files.c - see budget_files.h.
 *
 * The file is an array of struct budget_entry in the machine's own byte order, since it is never
 * moved to another machine: without the file, the budget is full.  Entry 0 counts the exchanges of
 * all hosts together.
 */
#include "amocrm/budget_files.h"

#include "amocrm/budget_entry.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/sha2.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define HOST_ENTRIES 64
#define LOCK_WAIT_MS 500 /* the lock is held for microseconds */

struct table {
	struct lock lock;
	const char *path;
	off_t entry; /* the offset of the host's */
};

static bool
open_table(struct ctx *ctx, const struct config *cfg, const char *host, struct table *table)
{
	uint8_t digest[SHA256_SIZE];

	sha256(host, strlen(host), digest);
	table->entry = (off_t)sizeof(struct budget_entry) * (1 + digest[0] % HOST_ENTRIES);
	return ctx_printf(ctx, &table->path, "%s/budget", cfg->store.path)
	    && lock_acquire(ctx, table->path, 0, LOCK_WAIT_MS, &table->lock);
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

static bool
take_exchange(struct ctx *ctx, const struct config *cfg, const struct table *table, size_t share,
    int64_t *wait_ms)
{
	const off_t in_entry =
	    (off_t)(offsetof(struct budget_entry, full_at) + share * sizeof(int64_t));
	int64_t all;
	int64_t own;

	if (!read_at(ctx, table, in_entry, &all, sizeof all)
	    || !read_at(ctx, table, table->entry + in_entry, &own, sizeof own))
		return false;
	*wait_ms = budget_entry_admit(&own, &all, cfg->amocrm.budget.exchanges, clock_ms());
	return *wait_ms > 0
	    || (write_at(ctx, table, table->entry + in_entry, &own, sizeof own)
		&& write_at(ctx, table, in_entry, &all, sizeof all));
}

bool
budget_files_admit(struct ctx *ctx, const struct config *cfg, const char *host,
    enum budget_share share, int64_t *wait_ms)
{
	struct table table;
	bool ok;

	if (!open_table(ctx, cfg, host, &table))
		return false;
	ok = take_exchange(ctx, cfg, &table, budget_entry_share(share), wait_ms);
	lock_release(&table.lock);
	return ok;
}

static off_t
slot_offset(const struct table *table, int slot)
{
	return table->entry + slot * (off_t)sizeof(struct budget_slot);
}

static bool
take_slot(struct ctx *ctx, const struct config *cfg, const struct table *table,
    enum budget_share share, struct budget_turn *turn, int64_t *wait_ms)
{
	const struct call_budget *budget = &cfg->amocrm.budget;
	struct budget_slot slots[BUDGET_CALLS_MAX];
	struct budget_slot *slot;

	if (!read_at(ctx, table, table->entry, slots, (size_t)budget->calls * sizeof *slots))
		return false;
	slot = budget_entry_begin(slots, budget, share, clock_ms(), wait_ms);
	if (slot == NULL)
		return true;
	turn->taken = true;
	turn->slot = (int)(slot - slots);
	turn->latest = slot->latest;
	return write_at(ctx, table, slot_offset(table, turn->slot), slot, sizeof *slot);
}

bool
budget_files_begin(struct ctx *ctx, const struct config *cfg, enum budget_share share,
    struct budget_turn *turn, int64_t *wait_ms)
{
	struct table table;
	bool ok;

	if (!open_table(ctx, cfg, turn->host, &table))
		return false;
	ok = take_slot(ctx, cfg, &table, share, turn, wait_ms);
	lock_release(&table.lock);
	return ok;
}

void
budget_files_end(struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn)
{
	struct budget_slot slot;
	struct table table;

	if (!open_table(ctx, cfg, turn->host, &table))
		return;
	if (read_at(ctx, &table, slot_offset(&table, turn->slot), &slot, sizeof slot)
	    && budget_entry_end(&slot, turn->latest, clock_ms()))
		(void)write_at(ctx, &table, slot_offset(&table, turn->slot), &slot, sizeof slot);
	lock_release(&table.lock);
}
