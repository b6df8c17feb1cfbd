/* dedup.h - which events are repetitions: amoCRM sends again what was not answered in time.
 */
#ifndef DEDUP_H
#define DEDUP_H

#include "events/journal.h"

#include <stdbool.h>
#include <time.h>

#define SEEN_S 86400 /* as long the same id is the same event */

struct seen_event;

struct seen {
	struct seen_event *table; /* open addressing; by malloc */
	size_t size;
	size_t count;
};

/* Whether the event at that place came before, within SEEN_S, at another place.  If not, it is
 * remembered.  False also when there is no memory left: it is then sent twice rather than never. */
bool seen_before(
    struct seen *seen, const char *id, time_t received_at, const struct journal_position *position);

void seen_close(struct seen *seen);

#endif
