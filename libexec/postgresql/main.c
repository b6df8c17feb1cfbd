/* main.c - amo-crm-postgresql: the database of [store] engine = postgresql for the other programs
 * (see helper.h), so that libpq and the libraries it needs are loaded only by this program.
 *
 *   program -- a line of JSON -->  amo-crm-postgresql  -- statements -->  PostgreSQL
 *   program <-- a line of JSON --  amo-crm-postgresql  <-- results -----  PostgreSQL
 *
 * Keeps one session, and in it at most one transaction, which a program begins, and ends by the
 * requests "commit" and "roll_back".  A request says whether its program is in such a section.  A
 * transaction that was lost is not begun anew unnoticed, and one whose program has left its section
 * is rolled back.  When the program ends, or is killed, so is the transaction.
 */
#include "base/clock.h"
#include "base/harden.h"
#include "events/journal.h"
#include "helper/helper.h"
#include "schema.h"
#include "verb.h"

#include <string.h>
#include <unistd.h>

/* An event as it was sent, as base64url, and these again as they grow. */
#define ARENA_SIZE (8u * JOURNAL_EVENT_MAX) /* bytes */

#define CLEAN_UP_ARENA_SIZE (1u << 20) /* bytes */
#define CLEAN_UP_S          5
#define ROLL_BACK_MS        1000

static const struct verb *const groups[] = { record_verbs, lease_verbs, event_verbs, schema_verbs,
	key_verbs, probe_verbs, host_verbs, state_verbs, budget_verbs, queue_verbs,
	queue_state_verbs };

bool
verb_refuse(struct ctx *ctx)
{
	return fault(ctx, FAULT_SERVER, "amo-crm-postgresql was sent a line that is not a request");
}

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof groups / sizeof *groups; i++)
		for (const struct verb *verb = groups[i]; verb->name != NULL; verb++)
			if (strcmp(verb->name, name) == 0)
				return verb;
	return NULL;
}

static bool
prepare(struct ctx *ctx, struct session *session, const struct json_object *request)
{
	const char *database = json_get_string(request, "database");
	int64_t deadline_ms;
	int64_t section;

	if (database == NULL || !json_get_integer(request, HELPER_DEADLINE, &deadline_ms)
	    || !json_get_integer(request, "section", &section))
		return verb_refuse(ctx);
	if (!session_set(
		ctx, session, database, json_get_string(request, "password_file"), deadline_ms))
		return false;
	if (section == 0)
		session_roll_back(session);
	else if (!session->open)
		return fault(ctx, FAULT_UNAVAILABLE, "the transaction in the database is lost");
	return true;
}

static bool
handle(struct ctx *ctx, void *arg, const struct json_object *request, struct strbuf *sb)
{
	struct server *server = arg;
	const struct verb *verb = find_verb(json_get_string(request, "do"));

	if (verb == NULL)
		return verb_refuse(ctx);
	if (!prepare(ctx, &server->session, request))
		return false;
	if (server->session.open && (verb->flags & VERB_OUTSIDE) != 0)
		return verb_refuse(ctx);
	return ((verb->flags & VERB_CONNECTS) != 0
		   || (session_connect(ctx, &server->session)
		       && schema_check(ctx, &server->session)))
	    && verb->handle(ctx, server, request, sb);
}

/* The program has ended, or was killed. */
static void
clean_up(struct server *server)
{
	struct ctx ctx;

	if (!ctx_open(&ctx, CLEAN_UP_ARENA_SIZE))
		return;
	alarm(CLEAN_UP_S + 1);
	server->session.deadline_ms = clock_ms() + ROLL_BACK_MS;
	session_roll_back(&server->session);
	server->session.deadline_ms = clock_ms() + CLEAN_UP_S * 1000 - ROLL_BACK_MS;
	lease_abandon_all(&ctx, server);
	record_prune(&ctx, server);
	lease_prune(&ctx, server);
	ctx_close(&ctx);
}

int
main(void)
{
	struct server server = { .session = { .conn = NULL } };
	int status;

	harden_process();
	status = helper_serve("amo-crm-postgresql", ARENA_SIZE, handle, &server);
	clean_up(&server);
	session_free(&server.session);
	return status;
}
