/* delivery_queue_postgresql_status.c - what the queue in the database has left to do. */
#include "events/delivery_queue_postgresql.h"

#include "events/queue_message.h"
#include "helper/postgresql.h"
#include "text/json.h"

struct state {
	const struct store_config *store;
	time_t since;
	struct delivery_status *status;
};

static bool
send_state(struct ctx *ctx, void *arg)
{
	struct state *state = arg;
	struct json_object *reply;
	struct strbuf sb;

	postgresql_request(ctx, state->store, "queue_state", &sb);
	queue_since_encode(&sb, state->since);
	reply = postgresql_send(ctx, &sb);
	return postgresql_finish(
	    ctx, reply, reply != NULL && queue_state_decode(reply, state->status));
}

bool
delivery_queue_postgresql_status(
    struct ctx *ctx, const struct config *cfg, time_t since, struct delivery_status *status)
{
	struct state state = { &cfg->store, since, status };

	if (!postgresql_retry(ctx, send_state, &state))
		return false;
	if (cfg->deliver.url == NULL) {
		status->waiting = 0;
		status->waiting_since = 0;
	}
	return true;
}
