/* connect.c - see connect.h. */
#include "connect.h"

#include "base/clock.h"
#include "parameters.h"
#include "sqlstate.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

bool
connect_wait(int socket, short events, int64_t deadline_ms)
{
	struct pollfd ready = { .fd = socket, .events = events };
	int64_t left_ms;

	do {
		left_ms = deadline_ms - clock_ms();
		if (left_ms > 0 && poll(&ready, 1, (int)left_ms) > 0)
			return true;
	} while (left_ms > 0);
	return false;
}

/* Why a certificate was refused since it was X509_V_OK: libpq does not tell, and frees the TLS
 * session within the call that refuses. */
static long refusal_of_certificate;

static void
note_refusal(void *tls, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
	long result = SSL_get_verify_result(tls);

	(void)ptr, (void)data, (void)index, (void)argl, (void)argp;
	if (result != X509_V_OK)
		refusal_of_certificate = result;
}

/* Has note_refusal called for each TLS session that is freed. */
static void
begin_to_note(void)
{
	static bool begun;

	if (!begun)
		begun = SSL_get_ex_new_index(0, NULL, NULL, NULL, note_refusal) >= 0;
	refusal_of_certificate = X509_V_OK;
}

static const char *
why_certificate_refused(void)
{
	return refusal_of_certificate == X509_V_OK
	    ? ""
	    : X509_verify_cert_error_string(refusal_of_certificate);
}

/* Always NULL, with a fault. */
static PGconn *
refuse(struct ctx *ctx, PGconn *conn, bool in_time)
{
	if (conn == NULL)
		ctx_fault(ctx, FAULT_SERVER, "no memory for a connection to the database");
	else if (!in_time)
		ctx_fault(ctx, FAULT_UNAVAILABLE, "the database at %s did not reply in time",
		    PQhost(conn));
	else
		sqlstate_connect_fault(ctx, conn, why_certificate_refused());
	PQfinish(conn);
	return NULL;
}

/* libpq waits neither here nor later, so that a deadline holds; connect_timeout has no effect
 * then. */
static PGconn *
connect_host(struct ctx *ctx, const struct connect_target *target,
    const struct parameters *parameters, int64_t deadline_ms)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;
	PGconn *conn;

	begin_to_note();
	conn = PQconnectStartParams(parameters->names, parameters->values, 0);
	if (conn == NULL || PQstatus(conn) == CONNECTION_BAD)
		return refuse(ctx, conn, true);
	PQsetNoticeReceiver(conn, target->receive, target->arg);
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE); /* shows the SQLSTATE */
	while (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING) {
		if (!connect_wait(PQsocket(conn),
			status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms))
			return refuse(ctx, conn, false);
		status = PQconnectPoll(conn);
	}
	if (status != PGRES_POLLING_OK || PQsetnonblocking(conn, 1) != 0)
		return refuse(ctx, conn, true);
	return conn;
}

struct refusal {
	enum fault_kind kind; /* FAULT_NONE: none yet */
	char reason[CTX_REASON_MAX];
};

/* One host of several may be down, and another have a wrong set-up: only if all refuse us, does it
 * not help to try again.  The reason of a refusal is kept before others'. */
static void
keep_fault(struct ctx *ctx, struct refusal *kept)
{
	bool refused = ctx->kind == FAULT_CONFIG;

	if (kept->kind == FAULT_NONE || (refused && kept->kind != FAULT_CONFIG))
		memcpy(kept->reason, ctx->reason, sizeof kept->reason);
	if (kept->kind == FAULT_NONE || !refused)
		kept->kind = ctx->kind;
	ctx_clear_fault(ctx);
}

/* A host may be down, so the time is divided among those that are left. */
static int64_t
host_deadline(int64_t deadline_ms, size_t left)
{
	int64_t now_ms = clock_ms();

	return now_ms + (deadline_ms - now_ms) / (int64_t)left;
}

static PGconn *
connect_hosts(struct ctx *ctx, const struct connect_target *target, const PQconninfoOption *options,
    int64_t deadline_ms, size_t *host)
{
	size_t count = parameters_count_hosts(options);
	size_t first = *host;
	struct refusal kept = { .kind = FAULT_NONE };
	struct parameters parameters;
	const char *password;

	if (!parameters_read_password(ctx, target->password_file, &password))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		PGconn *conn;

		*host = (first + i) % count;
		if (!parameters_set(ctx, options, password, *host, &parameters))
			return NULL;
		conn =
		    connect_host(ctx, target, &parameters, host_deadline(deadline_ms, count - i));
		if (conn != NULL)
			return conn;
		keep_fault(ctx, &kept);
	}
	ctx_fault(ctx, kept.kind, "%s", kept.reason);
	return NULL;
}

static bool
visit_hosts(struct ctx *ctx, const struct connect_target *target, const PQconninfoOption *options,
    int64_t deadline_ms, connect_visit *visit, void *arg)
{
	size_t count = parameters_count_hosts(options);
	struct parameters parameters;
	const char *password;

	if (!parameters_read_password(ctx, target->password_file, &password))
		return false;
	for (size_t i = 0; i < count; i++) {
		int64_t until_ms = host_deadline(deadline_ms, count - i);
		PGconn *conn;

		if (!parameters_set(ctx, options, password, i, &parameters))
			return false;
		parameters_replace(&parameters, "target_session_attrs", "any");
		conn = connect_host(ctx, target, &parameters, until_ms);
		if (!visit(ctx, arg, &parameters, conn, until_ms))
			return false;
	}
	return true;
}

/* NULL with a fault. */
static PQconninfoOption *
parse(struct ctx *ctx, const char *database)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(database, &error);

	if (options == NULL)
		ctx_fault(ctx, FAULT_CONFIG, "[store] database: %.*s",
		    error == NULL ? 0 : (int)strcspn(error, "\n"), error == NULL ? "" : error);
	PQfreemem(error);
	return options;
}

PGconn *
connect_database(
    struct ctx *ctx, const struct connect_target *target, int64_t deadline_ms, size_t *host)
{
	PQconninfoOption *options = parse(ctx, target->database);
	PGconn *conn = NULL;

	if (options != NULL)
		conn = connect_hosts(ctx, target, options, deadline_ms, host);
	PQconninfoFree(options);
	return conn;
}

bool
connect_each(struct ctx *ctx, const struct connect_target *target, int64_t deadline_ms,
    connect_visit *visit, void *arg)
{
	PQconninfoOption *options = parse(ctx, target->database);
	bool ok = options != NULL && visit_hosts(ctx, target, options, deadline_ms, visit, arg);

	PQconninfoFree(options);
	return ok;
}
