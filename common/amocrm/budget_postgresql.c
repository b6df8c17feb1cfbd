/* budget_postgresql.c - see budget_postgresql.h. */
#include "amocrm/budget_postgresql.h"

#include "helper/postgresql.h"
#include "text/json.h"

#define LIMIT_MS     1500 /* for a request with all of its attempts */
#define END_LIMIT_MS 500  /* the turn ends by itself soon */

struct step {
	const struct config *cfg;
	enum budget_share share;
	const char *host;
	struct budget_turn *turn;
	int64_t wait_ms;
};

static bool
send_admit(struct ctx *ctx, void *arg)
{
	struct step *step = arg;
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, &step->cfg->store, "admit", &sb);
	json_add_member(&sb, "host", step->host);
	strbuf_addf(&sb, ",\"share\":%d,\"exchanges\":%d", (int)step->share,
	    step->cfg->amocrm.budget.exchanges);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && json_get_integer(reply, "wait_ms", &step->wait_ms));
}

bool
budget_postgresql_admit(struct ctx *ctx, const struct config *cfg, const char *host,
    enum budget_share share, int64_t *wait_ms)
{
	struct step step = { .cfg = cfg, .share = share, .host = host };

	if (!postgresql_retry_within(ctx, LIMIT_MS, send_admit, &step))
		return false;
	*wait_ms = step.wait_ms;
	return true;
}

static bool
read_turn(const struct json_object *reply, struct step *step)
{
	struct budget_turn *turn = step->turn;
	int64_t slot;

	if (!json_get_integer(reply, "wait_ms", &step->wait_ms)
	    || !json_get_integer(reply, "slot", &slot)
	    || !json_get_integer(reply, "latest", &turn->latest) || slot < -1
	    || slot >= BUDGET_CALLS_MAX)
		return false;
	turn->slot = (int)slot;
	turn->taken = slot >= 0;
	return true;
}

static bool
send_begin(struct ctx *ctx, void *arg)
{
	struct step *step = arg;
	const struct call_budget *budget = &step->cfg->amocrm.budget;
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, &step->cfg->store, "begin_call", &sb);
	json_add_member(&sb, "host", step->turn->host);
	strbuf_addf(&sb, ",\"share\":%d,\"calls\":%d,\"exchanges\":%d", (int)step->share,
	    budget->calls, budget->exchanges);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(ctx, reply, reply != NULL && read_turn(reply, step));
}

bool
budget_postgresql_begin(struct ctx *ctx, const struct config *cfg, enum budget_share share,
    struct budget_turn *turn, int64_t *wait_ms)
{
	struct step step = { .cfg = cfg, .share = share, .turn = turn };

	if (!postgresql_retry_within(ctx, LIMIT_MS, send_begin, &step))
		return false;
	*wait_ms = step.wait_ms;
	return true;
}

struct end {
	const struct config *cfg;
	const struct budget_turn *turn;
};

static bool
send_end(struct ctx *ctx, void *arg)
{
	const struct end *end = arg;
	struct strbuf sb;

	postgresql_request(ctx, &end->cfg->store, "end_call", &sb);
	json_add_member(&sb, "host", end->turn->host);
	strbuf_addf(
	    &sb, ",\"slot\":%d,\"latest\":%lld", end->turn->slot, (long long)end->turn->latest);
	return postgresql_tell(ctx, &sb);
}

void
budget_postgresql_end(struct ctx *ctx, const struct config *cfg, const struct budget_turn *turn)
{
	struct end end = { cfg, turn };

	(void)postgresql_retry_within(ctx, END_LIMIT_MS, send_end, &end);
}
