/* budget.c - see budget.h. */
#include "amocrm/budget.h"

#include "amocrm/budget_files.h"
#include "amocrm/budget_postgresql.h"
#include "base/clock.h"
#include "base/log.h"

#define CALL_ROOM_MS 1500 /* of its time that a call keeps after waiting, or the half of it */
#define PAUSE_MS     50   /* how often a waiter looks */

static bool
in_database(const struct config *cfg)
{
	return cfg->store.engine == ENGINE_POSTGRESQL;
}

/* The log tells why something was not limited. */
static void
note_unlimited(struct ctx *ctx)
{
	log_note(ctx, "budget", ctx->reason);
	ctx_clear_fault(ctx);
}

bool
budget_admit(struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share)
{
	int64_t wait_ms = 0;

	if (share == BUDGET_OWN_STATE)
		return true;
	if (!(in_database(cfg) ? budget_postgresql_admit(ctx, cfg, host, share, &wait_ms)
			       : budget_files_admit(ctx, cfg, host, share, &wait_ms))) {
		note_unlimited(ctx);
		return true;
	}
	if (wait_ms == 0)
		return true;
	ctx_fault(ctx, FAULT_UNAVAILABLE,
	    "more exchanges without a state of ours than [amocrm] budget allows");
	ctx->retry_after_s = (long)(wait_ms + 999) / 1000;
	return false;
}

/* Takes a turn if there is one now.  Otherwise there is none before *wait_ms. */
static bool
try_turn(struct ctx *ctx, const struct config *cfg, enum budget_share share,
    struct budget_turn *turn, int64_t *wait_ms)
{
	return in_database(cfg) ? budget_postgresql_begin(ctx, cfg, share, turn, wait_ms)
				: budget_files_begin(ctx, cfg, share, turn, wait_ms);
}

static bool
fault_no_turn(struct ctx *ctx, const char *host)
{
	ctx_fault(ctx, FAULT_UNAVAILABLE,
	    "no turn before the deadline: more calls to %s than [amocrm] budget allows", host);
	ctx->retry_after_s = 1;
	return false;
}

bool
budget_begin(struct ctx *ctx, const struct config *cfg, const char *host, enum budget_share share,
    int64_t deadline_ms, struct budget_turn *turn)
{
	int64_t half_ms = (deadline_ms - clock_ms()) / 2;
	int64_t last_ms = deadline_ms - (half_ms < CALL_ROOM_MS ? half_ms : CALL_ROOM_MS);
	int64_t wait_ms;

	*turn = (struct budget_turn){ .host = host };
	while (try_turn(ctx, cfg, share, turn, &wait_ms)) {
		if (turn->taken)
			return true;
		if (wait_ms < PAUSE_MS)
			wait_ms = PAUSE_MS;
		if (clock_ms() + wait_ms >= last_ms)
			return fault_no_turn(ctx, host);
		clock_sleep(wait_ms);
	}
	turn->taken = false;
	note_unlimited(ctx);
	return true;
}

/* If it fails, the slot becomes free a second later. */
void
budget_end(struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn)
{
	bool failed = ctx->kind != FAULT_NONE;

	if (!turn->taken)
		return;
	if (in_database(cfg))
		budget_postgresql_end(ctx, cfg, turn);
	else
		budget_files_end(ctx, cfg, turn);
	if (!failed)
		ctx_clear_fault(ctx);
}
