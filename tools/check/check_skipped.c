/* check_skipped.c - the shards that a walk over the store has skipped. */
#include "check/check.h"

#include "base/first_reason.h"
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#define NAMES_MAX 640 /* bytes; 64 of 512 shards are named, the rest counted */

struct unreadable {
	struct first_reason why;
	char names[NAMES_MAX];
};

static void
add_shard(void *arg, const char *path, const char *reason)
{
	struct unreadable *u = arg;
	size_t len = strlen(u->names);

	first_reason_add(&u->why, reason);
	snprintf(u->names + len, sizeof u->names - len, " %s", strrchr(path, '/') + 1);
}

/* What to do about them. */
static const char *
read_advice(const char *reason)
{
	const char *cure = store_unreadable_cure(reason);

	return strcmp(cure, "run amocrmctl repair") != 0
	    ? cure
	    : "run amocrmctl repair: it keeps what is whole, and says who must connect again "
	      "unless you import a backup";
}

bool
check_skipped(struct check *c)
{
	struct ctx *ctx = c->ctl->ctx;
	struct unreadable u = { 0 };

	if (ctx->kind == FAULT_CORRUPT) {
		ctx_clear_fault(ctx);
		if (store_each_unreadable(ctx, &c->ctl->cfg.store, add_shard, &u)) {
			report_wrong(&c->report, "records", read_advice(u.why.text),
			    "%s; such files: %zu:%s", u.why.text, u.why.count, u.names);
			return true;
		}
	}
	report_fault(&c->report, "records",
	    c->ctl->cfg.store.engine == ENGINE_POSTGRESQL
		? "run check again"
		: "move it away, run check again, and import a backup");
	return false;
}
