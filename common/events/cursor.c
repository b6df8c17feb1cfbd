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

/* The event at the position is another one, so its attempts begin anew. */
static void
move_account(struct blocked_account *account, const struct journal_position *position)
{
	account->position = *position;
	account->attempts = 0;
	account->rejections = 0;
}

bool
cursor_fit(struct ctx *ctx, const struct journal *journal, struct cursor *cursor)
{
	bool fits;

	if (!journal_fit(ctx, journal, &cursor->position, cursor->saved_at, &fits))
		return false;
	if (fits)
		return true;
	for (size_t i = 0; i < cursor->count; i++)
		if (cursor_before(&cursor->position, &cursor->blocked[i].position))
			move_account(&cursor->blocked[i], &cursor->position);
	if (cursor->damage == CURSOR_WHOLE)
		cursor->damage = CURSOR_FROM_SEGMENT;
	return true;
}

bool
cursor_fit_account(
    struct ctx *ctx, const struct journal *journal, struct blocked_account *account, bool *fits)
{
	const struct journal_position begin = { .segment = account->position.segment };

	if (!journal_has(ctx, journal, &account->position, fits))
		return false;
	if (!*fits)
		move_account(account, &begin);
	return true;
}
