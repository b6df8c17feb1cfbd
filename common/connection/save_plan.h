/* save_plan.h - what connection_save.c writes: decided in the sections of the claimant's pointer
 * and of the account, from what the store has then.
 */
#ifndef SAVE_PLAN_H
#define SAVE_PLAN_H

#include "connection/connection_internal.h"

/* What the caller asks for. */
struct save_input {
	const char *key; /* of the connection's record; the two ids are its parts */
	int64_t account_id;
	int64_t amocrm_user_id;
	const struct claim *claim;
	const struct authorization *authorization;
	const struct connection *connection; /* of connection_save: all but its app user */
	const struct tokens *tokens;         /* of connection_save */
};

/* What is decided from the input and the store, in the sections, and then written. */
struct save_plan {
	const char *pointer;       /* the claimant's, set to the key; NULL: nobody claims it now */
	bool skip;                 /* there is nothing to claim: nothing is written */
	bool done;                 /* all is stored already, and the event */
	const char *app_user;      /* of connection_save: the connection's */
	const char *record;        /* the connection's new value; NULL: it stays as it is */
	const char *stale_pointer; /* erased, if it holds the key; NULL: none */
};

/* plan->pointer is set already, the rest of *plan is zero. */
typedef bool save_plan_step(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct save_input *in, struct save_plan *plan);

/* Of connection_save. */
save_plan_step save_plan_new;

/* Of connection_claim. */
save_plan_step save_plan_claim;

#endif
