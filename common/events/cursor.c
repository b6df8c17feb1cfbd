/* cursor.c - the positions of a cursor; cursor_file.c reads and writes its file.  See cursor.h. */
#include "events/cursor.h"

#include <stdlib.h>
#include <string.h>

bool
cursor_before(const struct journal_position *a, const struct journal_position *b)
{
	return a->segment != b->segment ? a->segment < b->segment : a->offset < b->offset;
}

struct journal_position
cursor_oldest(const struct cursor *cursor)
{
	struct journal_position oldest = cursor->position;

	for (size_t i = 0; i < cursor->count; i++)
		if (cursor_before(&cursor->blocked[i].position, &oldest))
			oldest = cursor->blocked[i].position;
	return oldest;
}

struct blocked_account *
cursor_find_blocked(struct cursor *cursor, int64_t account_id)
{
	for (size_t i = 0; i < cursor->count; i++)
		if (cursor->blocked[i].account_id == account_id)
			return &cursor->blocked[i];
	return NULL;
}

bool
cursor_block(struct ctx *ctx, struct cursor *cursor, const struct blocked_account *blocked)
{
	struct blocked_account *grown =
	    reallocarray(cursor->blocked, cursor->count + 1, sizeof *cursor->blocked);

	if (grown == NULL)
		return fault(ctx, FAULT_SERVER, "no memory for the blocked accounts");
	grown[cursor->count++] = *blocked;
	cursor->blocked = grown;
	return true;
}

void
cursor_unblock(struct cursor *cursor, struct blocked_account *blocked)
{
	*blocked = cursor->blocked[--cursor->count];
}

void
cursor_close(struct cursor *cursor)
{
	free(cursor->blocked);
	memset(cursor, 0, sizeof *cursor);
}

/* The beginning of the position's segment, or of the journal if it has no such segment. */
static bool
fall_back(struct ctx *ctx, const struct journal *journal, struct journal_position *position)
{
	const struct journal_position begin = { .segment = position->segment };
	bool has;

	if (!journal_has(ctx, journal, &begin, &has))
		return false;
	*position = has ? begin : (struct journal_position){ .segment = 0 };
	return true;
}

bool
cursor_fit(struct ctx *ctx, const struct journal *journal, struct cursor *cursor)
{
	bool has;

	if (!journal_has(ctx, journal, &cursor->position, &has))
		return false;
	if (has)
		return true;
	if (!fall_back(ctx, journal, &cursor->position))
		return false;
	for (size_t i = 0; i < cursor->count; i++)
		if (cursor_before(&cursor->position, &cursor->blocked[i].position))
			cursor->blocked[i].position = cursor->position;
	if (cursor->damage == CURSOR_WHOLE)
		cursor->damage = CURSOR_FROM_SEGMENT;
	return true;
}
