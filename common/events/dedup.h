/* dedup.h - the deduplication window: amoCRM sends a webhook again if it gets no reply in time, and
 * two webhooks with the same body, so with the same id, within a day are one event.
 */
#ifndef DEDUP_H
#define DEDUP_H

#include "events/journal.h"

#include <stdbool.h>
#include <time.h>

#define DEDUP_WINDOW_S 86400

struct dedup_entry;

struct dedup {
	struct dedup_entry *table; /* a hash table with open addressing, allocated by malloc */
	size_t size;
	size_t count;
};

/* True: the event repeats one that is earlier in the journal and was received less than
 * DEDUP_WINDOW_S before it, or after it if the clock was set back.  If not, the event is added.
 * Asking again for the same position gives the same answer.  Without memory the answer is false:
 * delivered twice is better than not at all. */
bool dedup_seen(struct dedup *dedup, const char *id, time_t received_at,
    const struct journal_position *position);

/* Adds the events of the journal before end that were received at the time since or later.
 * Fault: FAULT_STORAGE. */
bool dedup_load(struct ctx *ctx, struct dedup *dedup, const struct journal *journal, time_t since,
    const struct journal_position *end);

void dedup_close(struct dedup *dedup);

#endif
