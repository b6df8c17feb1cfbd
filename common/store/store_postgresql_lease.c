/* store_postgresql_lease.c - leases in the database; see store_hold in store.h.
 *
 *   store_hold       "hold" until the lease is free, which is then named by each "begin"
 *   store_let_go     "let_go"
 */
#include "store/store_postgresql.h"

#include "base/clock.h"
#include "helper/postgresql.h"
#include "store/store_message.h"
#include "text/json.h"

#include <sys/random.h>

/* Between two attempts to take a lease that another holder has. */
#define HOLD_PAUSE_MIN_MS 50
#define HOLD_PAUSE_MAX_MS 250

struct hold {
	const struct store_config *store;
	struct store_claim claim;
	struct store_claimed claimed;
};

static bool
claim_lease(struct ctx *ctx, void *arg)
{
	struct hold *hold = arg;
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, hold->store, "hold", &sb);
	store_claim_encode(&sb, &hold->claim);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && store_claimed_decode(reply, &hold->claimed));
}

static void
pause_before_next_claim(int64_t left_ms)
{
	uint32_t random = 0;
	int64_t pause_ms;

	(void)!getrandom(&random, sizeof random, 0);
	pause_ms = HOLD_PAUSE_MIN_MS + random % (HOLD_PAUSE_MAX_MS - HOLD_PAUSE_MIN_MS + 1);
	clock_sleep(pause_ms < left_ms ? pause_ms : left_ms);
}

bool
store_postgresql_hold(struct ctx *ctx, const struct store_config *store,
    const struct store_wait *wait, struct store_lease *lease)
{
	struct hold hold = { store, { lease->name, NULL, wait->term_ms }, { 0, false } };
	int64_t end_ms = clock_ms() + wait->wait_ms;

	if (!postgresql_holder(ctx, &hold.claim.holder))
		return false;
	while (hold.claimed.token == 0) {
		size_t mark = arena_mark(ctx);
		int64_t left_ms;

		if (!postgresql_retry(ctx, claim_lease, &hold))
			return false;
		arena_rewind(ctx, mark);
		left_ms = end_ms - clock_ms();
		if (hold.claimed.token == 0 && left_ms <= 0)
			return fault(ctx, FAULT_UNAVAILABLE,
			    "the lease %s is held by another process for %lld ms", lease->name,
			    (long long)wait->wait_ms);
		if (hold.claimed.token == 0)
			pause_before_next_claim(left_ms);
	}
	lease->token = hold.claimed.token;
	lease->abandoned = hold.claimed.abandoned;
	ctx->database.lease = lease->name;
	ctx->database.token = lease->token;
	return true;
}

struct let_go {
	const struct store_config *store;
	struct store_release release;
};

static bool
release_lease(struct ctx *ctx, void *arg)
{
	const struct let_go *let_go = arg;
	struct strbuf sb;

	postgresql_request(ctx, let_go->store, "let_go", &sb);
	store_release_encode(&sb, &let_go->release);
	return postgresql_tell(ctx, &sb);
}

/* If that fails, the helper ends the lease when the program ends, or else its time does. */
void
store_postgresql_let_go(
    struct ctx *ctx, const struct store_config *store, struct store_lease *lease)
{
	struct let_go let_go = { store, { lease->name, lease->token, lease->abandoned } };
	bool faulty = ctx->kind != FAULT_NONE;

	ctx->database.lease = NULL;
	ctx->database.token = 0;
	if (!postgresql_retry(ctx, release_lease, &let_go) && !faulty)
		ctx_clear_fault(ctx);
}
