/* sqlstate.c - see sqlstate.h. */
#include "sqlstate.h"

#include <string.h>

#define SQLSTATE_LEN 5
#define READ_ONLY    "25006"
#define RUN_INIT     "; run `amocrmctl engine init`"

/* A code, or the beginning of one. */
struct kind {
	char state[SQLSTATE_LEN + 1];
	enum fault_kind kind;
	const char *cure;
};

static const struct kind kinds[] = {
	{ "08", FAULT_UNAVAILABLE, "" },      /* connection exception */
	{ "23505", FAULT_UNAVAILABLE, "" },   /* another has just inserted, or created, the same */
	{ READ_ONLY, FAULT_UNAVAILABLE, "" }, /* not the primary any more */
	{ "25P02", FAULT_UNAVAILABLE, "" },   /* the transaction has failed before */
	{ "25P03", FAULT_UNAVAILABLE, "" },   /* idle_in_transaction_session_timeout */
	{ "28", FAULT_CONFIG, "" },           /* password, or pg_hba.conf */
	{ "3D000", FAULT_CONFIG, "" },        /* no such database */
	{ "3F000", FAULT_CONFIG, RUN_INIT },
	{ "40", FAULT_UNAVAILABLE, "" }, /* serialization failure, deadlock */
	{ "42501", FAULT_CONFIG, "; the user needs more rights" },
	{ "42703", FAULT_CONFIG, RUN_INIT }, /* no such column, table or object */
	{ "42P01", FAULT_CONFIG, RUN_INIT }, { "42704", FAULT_CONFIG, RUN_INIT },
	{ "53100", FAULT_STORAGE, "; the database's disk is full" },
	{ "53300", FAULT_UNAVAILABLE, "" }, /* too many connections */
	{ "55P03", FAULT_UNAVAILABLE, "" }, /* lock not available */
	{ "57014", FAULT_UNAVAILABLE, "" }, /* cancelled by an administrator */
	{ "57P01", FAULT_UNAVAILABLE, "" }, /* shutdown, crash, starting up */
	{ "57P02", FAULT_UNAVAILABLE, "" }, { "57P03", FAULT_UNAVAILABLE, "" },
	{ "57P05", FAULT_UNAVAILABLE, "" }, /* idle_session_timeout */
};

/* Parts of libpq's own messages, which it does not translate here, of errors that stay until
 * somebody changes something. */
static const char *const lasting[] = {
	"certificate", "private key", "no password supplied", "does not support SSL",
	"channel binding", "invalid port number", "invalid integer value",
	" value: \"", /* of a word such as sslmode */
};

static struct kind
find_kind(const char *state)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(kinds[i].state, state, strlen(kinds[i].state)) == 0)
			return kinds[i];
	return (struct kind){ "", FAULT_STORAGE, "" };
}

bool
sqlstate_fault(struct ctx *ctx, const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	struct kind kind;

	if (state == NULL) /* libpq's own: the connection is lost, or there is no memory */
		return fault(ctx, FAULT_UNAVAILABLE, "the database: %.*s",
		    (int)strcspn(PQresultErrorMessage(result), "\n"), PQresultErrorMessage(result));
	kind = find_kind(state);
	return fault(ctx, kind.kind, "the database: %s (%s)%s",
	    message == NULL ? "an error" : message, state, kind.cure);
}

bool
sqlstate_is_read_only(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	return state != NULL && strcmp(state, READ_ONLY) == 0;
}

/* Finds "FATAL:  28P01: password …": two blanks, five digits and capitals, a colon. */
static const char *
find_state(const char *message)
{
	const char *at = message;

	while ((at = strstr(at, ":  ")) != NULL) {
		at += strlen(":  ");
		if (strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_LEN
		    && at[SQLSTATE_LEN] == ':')
			return at;
	}
	return NULL;
}

static enum fault_kind
kind_of_message(const char *message)
{
	for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
		if (strstr(message, lasting[i]) != NULL)
			return FAULT_CONFIG;
	return FAULT_UNAVAILABLE;
}

/* The message has lines for several addresses of a host, of which the one with a SQLSTATE tells
 * most. */
bool
sqlstate_connect_fault(struct ctx *ctx, PGconn *conn, const char *certificate)
{
	const char *message = PQerrorMessage(conn);
	bool refused =
	    strstr(message, "certificate verify failed") != NULL && certificate[0] != '\0';
	const char *state = find_state(message);
	const char *line = state == NULL ? message : state;

	while (line > message && line[-1] != '\n')
		line--;
	return fault(ctx, state == NULL ? kind_of_message(message) : find_kind(state).kind,
	    "the database: %.*s%s%s", (int)strcspn(line, "\n"), line, refused ? ": " : "",
	    refused ? certificate : "");
}
