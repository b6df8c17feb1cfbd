/* budget.c - the verbs of the budget of calls to amoCRM: admit, begin_call, end_call.  The messages
 * are in common/amocrm/budget_postgresql.h.
 *
 * The rows of table call are locked while budget_entry.h decides about them, by the clock of the
 * database.  A change is not waited for: what is lost with a host was over seconds later.
 */
#include "amocrm/budget_entry.h"
#include "verb.h"

#include <stdlib.h>
#include <string.h>

#define ALL "" /* the account of the row that counts the exchanges of all accounts together */

#define NOW_MS "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint::text"

/* A few at once, with each account that is added.  '' is locked before others, and is always in
 * use. */
#define FORGET                                                                                     \
	"DELETE FROM call WHERE " UNUSED " AND account IN (SELECT account FROM call WHERE " UNUSED \
	" LIMIT 100)"
#define UNUSED "used_on < current_date - 1 AND account <> '" ALL "'"

struct row {
	const char *account;
	struct budget_entry entry;
};

struct rows {
	struct row rows[2];
	int count;
	int64_t now; /* by the database's clock, in milliseconds */
};

/* The next of an array as text, {1,2}; 0 behind its end. */
static int64_t
next_number(const char **at)
{
	const char *number = *at + strspn(*at, "{,");
	char *end;
	int64_t value = strtoll(number, &end, 10);

	*at = end;
	return value;
}

static bool
read_row(struct ctx *ctx, const PGresult *result, int at, struct row *row)
{
	const char *slots;
	const char *full_at;

	if (!result_text(ctx, result, at, 0, &slots) || !result_text(ctx, result, at, 1, &full_at))
		return false;
	for (int i = 0; i < BUDGET_CALLS_MAX; i++) {
		row->entry.slots[i].earliest = next_number(&slots);
		row->entry.slots[i].latest = next_number(&slots);
	}
	for (int i = 0; i < BUDGET_SHARES; i++)
		row->entry.full_at[i] = next_number(&full_at);
	return true;
}

static bool
list_accounts(struct ctx *ctx, struct session *session, const struct rows *rows, const char **list)
{
	const char *literal;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	for (int i = 0; i < rows->count; i++) {
		if (!session_literal(ctx, session, rows->rows[i].account, &literal))
			return false;
		strbuf_addf(&sb, "%s%s", i > 0 ? "," : "", literal);
	}
	return strbuf_finish(&sb, list);
}

/* Begins a transaction, and locks the rows, in the order of their accounts. */
static bool
lock_rows(struct ctx *ctx, struct session *session, struct rows *rows)
{
	const PGresult *result;
	const char *list;
	const char *sql;

	if (!list_accounts(ctx, session, rows, &list)
	    || !ctx_printf(ctx, &sql,
		"; SET LOCAL synchronous_commit = off"
		"; INSERT INTO call (account) SELECT unnest(ARRAY[%s]) ON CONFLICT DO NOTHING"
		"; SELECT 1 FROM call WHERE account IN (%s) ORDER BY account FOR UPDATE"
		"; SELECT slots::text, full_at::text, " NOW_MS
		" FROM call WHERE account IN (%s) ORDER BY account",
		list, list, list)
	    || !session_begin(ctx, session, sql, &result))
		return false;
	if (PQntuples(result) != rows->count)
		return fault(ctx, FAULT_UNAVAILABLE, "the row of an account has just been removed");
	rows->now = result_number(result, 0, 2);
	for (int i = 0; i < rows->count; i++)
		if (!read_row(ctx, result, i, &rows->rows[i]))
			return false;
	return true;
}

static bool
write_full_at(struct ctx *ctx, struct session *session, const struct row *row)
{
	const int64_t *full_at = row->entry.full_at;
	const char *array;

	_Static_assert(BUDGET_SHARES == 3, "the array has all of them");
	return ctx_printf(ctx, &array, "{%lld,%lld,%lld}", (long long)full_at[0],
		   (long long)full_at[1], (long long)full_at[2])
	    && session_query(ctx, session,
		"UPDATE call SET full_at = $2::bigint[], used_on = current_date WHERE account = $1",
		PARAMS(param_text(row->account), param_text(array)), NULL);
}

static bool
get_share(const struct json_object *request, enum budget_share *share)
{
	int64_t number;

	if (!json_get_integer(request, "share", &number) || number < 0 || number > BUDGET_SHARES)
		return false;
	*share = (enum budget_share)number;
	return true;
}

static bool
get_rate(const struct json_object *request, const char *name, int *rate)
{
	int64_t number;

	if (!json_get_integer(request, name, &number) || number < 1 || number > BUDGET_CALLS_MAX)
		return false;
	*rate = (int)number;
	return true;
}

static bool
admit_exchange(struct ctx *ctx, struct session *session, struct rows *rows, enum budget_share share,
    int rate, int64_t *wait_ms)
{
	struct row *all = &rows->rows[0];
	struct row *own = &rows->rows[1];
	size_t i = budget_entry_share(share);

	if (!lock_rows(ctx, session, rows))
		return false;
	*wait_ms =
	    budget_entry_admit(&own->entry.full_at[i], &all->entry.full_at[i], rate, rows->now);
	if (*wait_ms > 0) {
		session_roll_back(session);
		return true;
	}
	return write_full_at(ctx, session, all) && write_full_at(ctx, session, own)
	    && session_commit(ctx, session);
}

static bool
admit(struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct rows rows = { .rows = { { .account = ALL } }, .count = 2 };
	enum budget_share share;
	int64_t wait_ms;
	int rate;

	rows.rows[1].account = json_get_string(request, "host");
	if (rows.rows[1].account == NULL || !get_share(request, &share) || share == BUDGET_OWN_STATE
	    || !get_rate(request, "exchanges", &rate))
		return verb_refuse(ctx);
	if (!admit_exchange(ctx, &server->session, &rows, share, rate, &wait_ms)) {
		session_roll_back(&server->session);
		return false;
	}
	strbuf_addf(sb, "{\"wait_ms\":%lld}", (long long)wait_ms);
	return true;
}

static int
count_used(const struct budget_slot *slots)
{
	int count = BUDGET_CALLS_MAX;

	while (count > 0 && slots[count - 1].latest == 0)
		count--;
	return count;
}

static bool
write_slots(struct ctx *ctx, struct session *session, const struct row *row)
{
	const struct budget_slot *slots = row->entry.slots;
	int count = count_used(slots);
	const char *array;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	for (int i = 0; i < count; i++)
		strbuf_addf(&sb, "%c%lld,%lld", i > 0 ? ',' : '{', (long long)slots[i].earliest,
		    (long long)slots[i].latest);
	strbuf_addstr(&sb, "}");
	return strbuf_finish(&sb, &array)
	    && session_query(ctx, session,
		"UPDATE call SET slots = $2::bigint[], used_on = current_date WHERE account = $1",
		PARAMS(param_text(row->account), param_text(array)), NULL)
	    && session_commit(ctx, session);
}

struct begin {
	struct call_budget budget;
	enum budget_share share;
	struct budget_slot *slot; /* NULL: none is free before wait_ms */
	int64_t wait_ms;
};

static bool
take_slot(struct ctx *ctx, struct session *session, struct rows *rows, struct begin *begin)
{
	struct budget_slot *slots = rows->rows[0].entry.slots;
	bool added;

	if (!lock_rows(ctx, session, rows))
		return false;
	added = count_used(slots) == 0;
	begin->slot =
	    budget_entry_begin(slots, &begin->budget, begin->share, rows->now, &begin->wait_ms);
	if (begin->slot == NULL) {
		session_roll_back(session);
		return true;
	}
	return (!added || session_query(ctx, session, FORGET, NULL, NULL))
	    && write_slots(ctx, session, &rows->rows[0]);
}

static bool
begin_call(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct rows rows = { .count = 1 };
	struct budget_slot *slots = rows.rows[0].entry.slots;
	struct begin begin = { .slot = NULL };

	rows.rows[0].account = json_get_string(request, "host");
	if (rows.rows[0].account == NULL || !get_share(request, &begin.share)
	    || !get_rate(request, "calls", &begin.budget.calls)
	    || !get_rate(request, "exchanges", &begin.budget.exchanges))
		return verb_refuse(ctx);
	if (!take_slot(ctx, &server->session, &rows, &begin)) {
		session_roll_back(&server->session);
		return false;
	}
	strbuf_addf(sb, "{\"wait_ms\":%lld,\"slot\":%d,\"latest\":%lld}", (long long)begin.wait_ms,
	    begin.slot == NULL ? -1 : (int)(begin.slot - slots),
	    begin.slot == NULL ? 0LL : (long long)begin.slot->latest);
	return true;
}

static bool
end_slot(struct ctx *ctx, struct session *session, struct rows *rows, int64_t slot, int64_t latest)
{
	if (!lock_rows(ctx, session, rows))
		return false;
	if (budget_entry_end(&rows->rows[0].entry.slots[slot], latest, rows->now))
		return write_slots(ctx, session, &rows->rows[0]);
	session_roll_back(session);
	return true;
}

static bool
end_call(
    struct ctx *ctx, struct server *server, const struct json_object *request, struct strbuf *sb)
{
	struct rows rows = { .count = 1 };
	int64_t slot;
	int64_t latest;

	rows.rows[0].account = json_get_string(request, "host");
	if (rows.rows[0].account == NULL || !json_get_integer(request, "slot", &slot)
	    || !json_get_integer(request, "latest", &latest) || slot < 0
	    || slot >= BUDGET_CALLS_MAX)
		return verb_refuse(ctx);
	if (!end_slot(ctx, &server->session, &rows, slot, latest)) {
		session_roll_back(&server->session);
		return false;
	}
	strbuf_addstr(sb, "{}");
	return true;
}

const struct verb budget_verbs[] = {
	{ "admit", admit, 0 },
	{ "begin_call", begin_call, 0 },
	{ "end_call", end_call, 0 },
	{ NULL, NULL, 0 },
};
