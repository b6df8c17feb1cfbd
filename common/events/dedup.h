/* dedup.h - which events are repetitions: amoCRM sends again what was not answered in time.
 */
#ifndef DEDUP_H
#define DEDUP_H

#include "events/journal.h"

#include <stdbool.h>
#include <time.h>

#define DEDUP_WINDOW_S 86400 /* as long the same id is the same event */

struct dedup_entry;

struct dedup {
	struct dedup_entry *table; /* open addressing; by malloc */
	size_t size;
	size_t count;
};

/* Whether the event at that place came before, within DEDUP_WINDOW_S, at another place.  If not, it
 * is remembered.  False also when there is no memory left: it is then sent twice rather than
 * never. */
bool dedup_seen(struct dedup *dedup, const char *id, time_t received_at,
    const struct journal_position *position);

/* Adds the events that were received since that time or later and lie before end.
 * Fault: FAULT_STORAGE. */
bool dedup_load(struct ctx *ctx, struct dedup *dedup, const struct journal *journal, time_t since,
    const struct journal_position *end);

void dedup_close(struct dedup *dedup);

#endif
