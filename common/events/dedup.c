/* dedup.c - see dedup.h. */
#include "events/dedup.h"

#include "base/encode.h"
#include "events/cursor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 1024
#define ID_BYTES   16 /* of the SHA-256 */

struct seen_event {
	uint8_t id[ID_BYTES];
	time_t received_at; /* 0: empty */
	struct journal_position position;
};

/* The event's entry, or the empty one where it belongs. */
static struct seen_event *
entry_of(const struct seen *seen, const uint8_t id[ID_BYTES])
{
	size_t at;

	memcpy(&at, id, sizeof at);
	for (;; at++) {
		struct seen_event *entry = &seen->table[at % seen->size];

		if (entry->received_at == 0 || memcmp(entry->id, id, ID_BYTES) == 0)
			return entry;
	}
}

static bool
is_kept(const struct seen_event *entry, time_t now)
{
	return entry->received_at != 0 && entry->received_at + SEEN_S > now;
}

/* A table with room for as many again, without what is over. */
static bool
make_room(struct seen *seen, time_t now)
{
	struct seen roomy = { .size = SIZE_FIRST };

	for (size_t i = 0; i < seen->size; i++)
		roomy.count += is_kept(&seen->table[i], now);
	while (roomy.size < roomy.count * 4)
		roomy.size *= 2;
	roomy.table = calloc(roomy.size, sizeof *roomy.table);
	if (roomy.table == NULL)
		return false;
	for (size_t i = 0; i < seen->size; i++)
		if (is_kept(&seen->table[i], now))
			*entry_of(&roomy, seen->table[i].id) = seen->table[i];
	free(seen->table);
	*seen = roomy;
	return true;
}

bool
seen_before(
    struct seen *seen, const char *id, time_t received_at, const struct journal_position *position)
{
	uint8_t bytes[ID_BYTES];
	struct seen_event *entry;

	for (size_t i = 0; i < ID_BYTES; i++)
		if (!hex_byte(id + 2 * i, &bytes[i]))
			return false;
	if ((seen->count + 1) * 2 > seen->size && !make_room(seen, received_at))
		return false;
	entry = entry_of(seen, bytes);
	if (entry->received_at != 0 && entry->received_at + SEEN_S > received_at)
		return cursor_before(&entry->position, position);
	seen->count += entry->received_at == 0;
	memcpy(entry->id, bytes, ID_BYTES);
	entry->received_at = received_at;
	entry->position = *position;
	return false;
}

void
seen_close(struct seen *seen)
{
	free(seen->table);
	memset(seen, 0, sizeof *seen);
}
