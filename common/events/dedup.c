/* dedup.c - see dedup.h. */
#include "events/dedup.h"

#include "base/encode.h"
#include "events/cursor.h"
#include "events/event.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INITIAL_SIZE 1024
#define ID_BYTES     16 /* of the SHA-256 */

struct dedup_entry {
	uint8_t id[ID_BYTES];
	time_t received_at; /* 0: empty */
	struct journal_position position;
};

/* The event's entry, or the empty entry that it would take (linear probing). */
static struct dedup_entry *
find_slot(const struct dedup *dedup, const uint8_t id[ID_BYTES])
{
	size_t at;

	memcpy(&at, id, sizeof at);
	for (;; at++) {
		struct dedup_entry *entry = &dedup->table[at % dedup->size];

		if (entry->received_at == 0 || memcmp(entry->id, id, ID_BYTES) == 0)
			return entry;
	}
}

/* False: no event received at that time or later can be a repetition of the entry's. */
static bool
in_window(const struct dedup_entry *entry, time_t received_at)
{
	return entry->received_at != 0 && entry->received_at + DEDUP_WINDOW_S > received_at;
}

/* Moves the entries that are still in the window into a table that is at most a quarter full. */
static bool
grow(struct dedup *dedup, time_t now)
{
	struct dedup larger = { .size = INITIAL_SIZE };

	for (size_t i = 0; i < dedup->size; i++)
		larger.count += in_window(&dedup->table[i], now);
	while (larger.size < larger.count * 4)
		larger.size *= 2;
	larger.table = calloc(larger.size, sizeof *larger.table);
	if (larger.table == NULL)
		return false;
	for (size_t i = 0; i < dedup->size; i++)
		if (in_window(&dedup->table[i], now))
			*find_slot(&larger, dedup->table[i].id) = dedup->table[i];
	free(dedup->table);
	*dedup = larger;
	return true;
}

bool
dedup_seen(struct dedup *dedup, const char *id, time_t received_at,
    const struct journal_position *position)
{
	uint8_t bytes[ID_BYTES];
	struct dedup_entry *entry;

	for (size_t i = 0; i < ID_BYTES; i++)
		if (!hex_byte(id + 2 * i, &bytes[i]))
			return false;
	if ((dedup->count + 1) * 2 > dedup->size && !grow(dedup, received_at))
		return false;
	entry = find_slot(dedup, bytes);
	if (in_window(entry, received_at)) {
		bool repeats = cursor_before(&entry->position, position);

		/* unless the clock was set back by a day or more between the two */
		if (!repeats || entry->received_at < received_at + DEDUP_WINDOW_S)
			return repeats;
	}
	dedup->count += entry->received_at == 0;
	memcpy(entry->id, bytes, ID_BYTES);
	entry->received_at = received_at;
	entry->position = *position;
	return false;
}

struct load {
	struct dedup *dedup;
	const struct journal_position *end;
};

static bool
load_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct load *load = arg;
	struct stored_event event;

	if (cursor_before(load->end, next))
		return false;
	if (event_read(ctx, line, &event))
		dedup_seen(load->dedup, event.id, event.received_at, next);
	ctx_clear_fault(ctx);
	return true;
}

bool
dedup_load(struct ctx *ctx, struct dedup *dedup, const struct journal *journal, time_t since,
    const struct journal_position *end)
{
	struct load load = { dedup, end };
	struct journal_position position;
	int64_t torn = 0; /* not reported: those lines were skipped before */

	if (!journal_seek(ctx, journal, since, &position))
		return false;
	(void)journal_each(ctx, journal, &position, load_event, &load, &torn);
	return ctx->kind == FAULT_NONE;
}

void
dedup_close(struct dedup *dedup)
{
	free(dedup->table);
	memset(dedup, 0, sizeof *dedup);
}
