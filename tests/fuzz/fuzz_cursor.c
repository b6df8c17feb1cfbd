/* fuzz_cursor.c - the file of the position up to which events were delivered. */
#include "folder.h"

#include "config/config.h"
#include "events/cursor.h"

static void
check_cursor(const struct cursor *cursor)
{
	const struct journal_position oldest = cursor_oldest(cursor);

	MUST(cursor->position.segment >= 0 && cursor->position.offset >= 0);
	MUST(!cursor_before(&cursor->position, &oldest));
	for (size_t i = 0; i < cursor->count; i++) {
		const struct blocked_account *blocked = &cursor->blocked[i];

		MUST(blocked->position.segment >= 0 && blocked->position.offset >= 0);
		MUST(blocked->attempts >= 0);
		MUST(!cursor_before(&blocked->position, &oldest));
	}
}

/* What was read is what is read again after it was written. */
static void
check_written(struct ctx *ctx, const struct store_config *store, struct cursor *cursor)
{
	struct cursor again;

	MUST(cursor_write(ctx, store, cursor) && cursor_read(ctx, store, &again));
	MUST(memcmp(&again.position, &cursor->position, sizeof again.position) == 0);
	MUST(again.count == cursor->count);
	for (size_t i = 0; i < again.count; i++) {
		MUST(again.blocked[i].account_id == cursor->blocked[i].account_id);
		MUST(again.blocked[i].attempts == cursor->blocked[i].attempts);
		MUST(again.blocked[i].next_at == cursor->blocked[i].next_at);
	}
	cursor_close(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	const struct store_config store = { .path = fuzz_folder() };
	struct cursor cursor;
	struct ctx ctx;

	if (!made)
		fuzz_make_folder("events");
	made = true;
	fuzz_write("events/cursor", data, size);
	MUST(ctx_open(&ctx, 4 << 20));
	if (cursor_read(&ctx, &store, &cursor)) {
		check_cursor(&cursor);
		if (size % 8 == 0) /* it is synced to disk, which is slow */
			check_written(&ctx, &store, &cursor);
	} else
		MUST(ctx.kind == FAULT_STORAGE || ctx.kind == FAULT_SERVER);
	cursor_close(&cursor);
	ctx_close(&ctx);
	return 0;
}
