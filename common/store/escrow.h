/* escrow.h - a second place for what must not be lost when the store fails after a request that
 * cannot be repeated.
 *
 *   <path>/escrow/000 … 07f   slots for one text each, allocated in full and kept for reuse
 *
 * A slot is reserved before the request.  The text is written as soon as it is known, so that a
 * kill loses nothing; that takes no new file, no descriptor, no rename, no space, and no wait for
 * the disk.  It is erased when the store has it, and synced if the store fails.  A text that is
 * left stays until escrow_take has seen it used.  The lock of a slot ends with its holder.
 *
 * Locks: whoever waits for the lock of an occupied slot holds no other slot that is occupied.
 */
#ifndef ESCROW_H
#define ESCROW_H

#include "base/ctx.h"
#include "base/first_reason.h"
#include "base/lock.h"
#include "config/config.h"
#include "store/store_limits.h"

/* Reserves a free one of the first slots, and makes one if all are taken.  Passes those that cannot
 * be used: their files are another user's, or no files.
 * Fault: FAULT_STORAGE: no space, no permission, or that many are taken. */
bool escrow_reserve(
    struct ctx *ctx, const struct store_config *store, int slots, struct lock *slot);

/* Writes a text of at most ESCROW_TEXT_MAX bytes into the reserved slot.  It then survives the end
 * of this process, and with `sync` also a power failure.
 * Fault: FAULT_STORAGE. */
bool escrow_write(struct ctx *ctx, const struct lock *slot, const char *text, bool sync);

/* Frees a reserved slot again, as its text is stored elsewhere.  Does not wait for the disk: if the
 * text comes back after a power failure, it is used once more. */
void escrow_erase(const struct lock *slot);

/* Releases a reserved slot, which is free unless it was written and not erased. */
void escrow_release(struct lock *slot);

/* Visits the occupied slots, by their numbers, without their locks.  The arena is rewound after
 * each visit.  A slot that cannot be read, and may hold a text, is added to *unreadable, and all
 * others are visited.  Without a directory nothing is visited.
 * Fault: FAULT_STORAGE when the directory cannot be read. */
typedef bool escrow_visit(struct ctx *ctx, void *arg, int number, const char *text);
bool escrow_each(struct ctx *ctx, const struct store_config *store, escrow_visit *visit, void *arg,
    struct first_reason *unreadable);

/* Has use store the text of a slot elsewhere, under the slot's lock, and frees the slot after it
 * has returned true.  Nothing is done when the slot has become free meanwhile.  If freeing fails,
 * the text is used once more, so use must be idempotent.
 * Fault: that of use; FAULT_UNAVAILABLE: another process keeps the slot for longer than
 * wait_ms; FAULT_STORAGE, also when the slot cannot be read. */
typedef bool escrow_use(struct ctx *ctx, void *arg, const char *text);
bool escrow_take(struct ctx *ctx, const struct store_config *store, int number, int64_t wait_ms,
    escrow_use *use, void *arg);

#endif
