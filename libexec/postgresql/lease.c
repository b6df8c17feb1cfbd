/* lease.c - the verbs of leases: hold, let_go.
 *
 * The messages are encoded and decoded in common/store/store_message.c.
 *
 * A lease is timed by the database's clock.  It ends when its holder lets go, at the latest when
 * this program sees the end of its input; if the whole host dies, when its time is over.
 */
#include "store/store_message.h"
#include "verb.h"

#include <stdlib.h>
#include <string.h>

/* A lease that is held, or may be: the reply of the database may have been lost. */
struct lease {
	struct lease *next;
	char *name;
	char *holder;
	int64_t token; /* 0: not known */
};

/* Takes it also if it is this holder's already.  One that was neither let go nor abandoned by the
 * end of an input, but is over, was left by a host that died.  The subquery spares those who wait
 * for another holder a lock of the row, and so a commit. */
#define HOLD                                                                                       \
	"INSERT INTO lease AS l (name, holder, token, until) "                                     \
	"SELECT $1::text, $2::text, nextval('lease_seq'), "                                        \
	"now() + $3::bigint * interval '1 ms' "                                                    \
	"WHERE NOT EXISTS (SELECT 1 FROM lease "                                                   \
	"WHERE name = $1::text AND until >= now() AND holder <> $2::text) "                        \
	"ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = excluded.token, "      \
	"until = excluded.until, abandoned_at = CASE WHEN l.until > 'epoch' "                      \
	"AND l.holder <> excluded.holder THEN l.until ELSE l.abandoned_at END "                    \
	"WHERE l.until < now() OR l.holder = excluded.holder "                                     \
	"RETURNING token::text, coalesce(abandoned_at > now() - interval '1 day', "                \
	"false)::int::text"

#define LET_GO                                                                                     \
	"UPDATE lease SET until = 'epoch', "                                                       \
	"abandoned_at = CASE WHEN $3::bigint <> 0 THEN coalesce(abandoned_at, now()) END "         \
	"WHERE name = $1 AND token = $2::bigint"

#define ABANDON                                                                                    \
	"UPDATE lease SET until = 'epoch', abandoned_at = now() "                                  \
	"WHERE name = $1 AND holder = $2 AND until > 'epoch'"

/* One that is over, and was not let go, was left by a host that died. */
#define PRUNE                                                                                      \
	"DELETE FROM lease WHERE (until = 'epoch' "                                                \
	"AND (abandoned_at IS NULL OR abandoned_at < now() - interval '2 days')) "                 \
	"OR (until > 'epoch' AND until < now() - interval '2 days')"

static void
free_lease(struct lease *lease)
{
	if (lease != NULL) {
		free(lease->name);
		free(lease->holder);
	}
	free(lease);
}

/* The link to the lease of that name and holder, or to NULL. */
static struct lease **
find_lease(struct server *server, const struct store_claim *claim)
{
	struct lease **link = &server->leases;

	while (*link != NULL
	    && (strcmp((*link)->name, claim->name) != 0
		|| strcmp((*link)->holder, claim->holder) != 0))
		link = &(*link)->next;
	return link;
}

static void
remove_lease(struct lease **link)
{
	struct lease *lease = *link;

	*link = lease->next;
	free_lease(lease);
}

/* Before the statement that takes it: from then on it may be ours. */
static bool
add_lease(struct ctx *ctx, struct server *server, const struct store_claim *claim)
{
	struct lease **link = find_lease(server, claim);
	struct lease *lease;

	if (*link != NULL)
		return true;
	lease = calloc(1, sizeof *lease);
	if (lease != NULL) {
		lease->name = strdup(claim->name);
		lease->holder = strdup(claim->holder);
	}
	if (lease == NULL || lease->name == NULL || lease->holder == NULL) {
		free_lease(lease);
		return fault(ctx, FAULT_SERVER, "no memory for a lease");
	}
	*link = lease;
	return true;
}

static bool
abandon(struct ctx *ctx, struct session *session, const struct lease *lease)
{
	return session_connect(ctx, session)
	    && session_change(ctx, session, ABANDON,
		PARAMS(param_text(lease->name), param_text(lease->holder)), NULL);
}

/* A program holds one lease at a time, so others of this list are those that it could not take or
 * let go in time; what has become of them in the database is not known. */
static bool
abandon_others(struct ctx *ctx, struct server *server, const char *holder)
{
	struct lease **link = &server->leases;

	while (*link != NULL)
		if (strcmp((*link)->holder, holder) == 0)
			link = &(*link)->next;
		else if (abandon(ctx, &server->session, *link))
			remove_lease(link);
		else
			return false;
	return true;
}

static bool
hold(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct store_claimed claimed = { .token = 0 };
	struct store_claim claim;
	const PGresult *result;

	if (!store_claim_decode(request, &claim))
		return verb_refuse(ctx);
	if (!abandon_others(ctx, server, claim.holder) || !add_lease(ctx, server, &claim)
	    || !session_change(ctx, &server->session, HOLD,
		PARAMS(
		    param_text(claim.name), param_text(claim.holder), param_number(claim.term_ms)),
		&result))
		return false;
	if (PQntuples(result) > 0) {
		claimed.token = result_number(result, 0, 0);
		claimed.abandoned = result_number(result, 0, 1) == 1;
		(*find_lease(server, &claim))->token = claimed.token;
	} else {
		remove_lease(find_lease(server, &claim));
	}
	store_claimed_encode(sb, &claimed);
	return true;
}

static void
forget(struct server *server, const struct store_release *release)
{
	struct lease **link = &server->leases;

	while (*link != NULL)
		if ((*link)->token == release->token && strcmp((*link)->name, release->name) == 0)
			remove_lease(link);
		else
			link = &(*link)->next;
}

static bool
let_go(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct store_release release;

	if (!store_release_decode(request, &release))
		return verb_refuse(ctx);
	if (!session_change(ctx, &server->session, LET_GO,
		PARAMS(param_text(release.name), param_number(release.token),
		    param_number(release.abandoned)),
		NULL))
		return false;
	forget(server, &release);
	strbuf_addstr(sb, "{}");
	return true;
}

/* A session may have been lost while nothing was asked, so each lease has two attempts. */
void
lease_abandon_all(struct ctx *ctx, struct server *server)
{
	while (server->leases != NULL) {
		if (!abandon(ctx, &server->session, server->leases)) {
			ctx_clear_fault(ctx);
			(void)abandon(ctx, &server->session, server->leases);
		}
		ctx_clear_fault(ctx);
		remove_lease(&server->leases);
	}
}

/* Most leases are of codes, and are never taken again. */
void
lease_prune(struct ctx *ctx, struct server *server)
{
	if (server->committed && server->session.conn != NULL)
		(void)session_query(ctx, &server->session, PRUNE, NULL, NULL);
}

const struct verb lease_verbs[] = {
	{ "hold", hold, VERB_OUTSIDE },
	{ "let_go", let_go, VERB_OUTSIDE },
	{ NULL, NULL, 0 },
};
