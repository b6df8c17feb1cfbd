/* save_retry.c - see save_retry.h. */
#include "connection/save_retry.h"

#include "base/clock.h"
#include "base/log.h"

#define PAUSE_FIRST_MS 5
#define PAUSE_GROWTH   4

static bool
repeat(struct ctx *ctx, save_step *step, void *arg)
{
	int64_t give_up_ms = clock_ms() + SAVE_TRYING_MS;
	int64_t pause_ms = PAUSE_FIRST_MS;
	size_t mark = arena_mark(ctx);

	for (int attempt = 1; !step(ctx, arg); attempt++) {
		if (attempt == SAVE_ATTEMPTS || clock_ms() >= give_up_ms)
			return false;
		log_note(ctx, attempt == 1 ? "retried" : NULL, attempt == 1 ? ctx->reason : NULL);
		ctx_clear_fault(ctx);
		arena_rewind(ctx, mark);
		clock_sleep(pause_ms);
		pause_ms *= PAUSE_GROWTH;
	}
	return true;
}

bool
save_retry(struct ctx *ctx, save_step *step, void *arg)
{
	int64_t end_ms = ctx->database.end_ms;
	bool ok;

	if (end_ms == 0)
		ctx->database.end_ms = clock_ms() + SAVE_DATABASE_MS;
	ok = repeat(ctx, step, arg);
	ctx->database.end_ms = end_ms;
	return ok;
}
