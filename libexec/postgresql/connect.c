/* connect.c - see connect.h. */
#include "connect.h"

#include "base/clock.h"
#include "base/file.h"
#include "sqlstate.h"

#include <poll.h>
#include <string.h>

#define PASSWORD_SIZE   1024 /* bytes, with its newline */
#define PARAMETERS_SIZE 40   /* libpq 15 knows 38 */
#define HOST_WAIT_MS    2000 /* for a host that may be down; others may be up */

/* Names a file that cannot exist, where libpq would take one from the home folder. */
#define NO_FILE "/dev/null/none"

struct parameters {
	const char *names[PARAMETERS_SIZE + 1]; /* end with NULL */
	const char *values[PARAMETERS_SIZE + 1];
	size_t count;
};

struct parameter {
	const char *name;
	const char *value;
};

/* In force unless the configuration names others. */
static const struct parameter defaults[] = {
	{ "sslrootcert", NO_FILE },
	{ "sslcert", NO_FILE },
	{ "sslkey", NO_FILE },
	{ "sslcrl", NO_FILE },
};

/* A host that is down or cut off is noticed within 10 s when idle, and within 5 s when it does not
 * acknowledge what was sent. */
static const struct parameter required[] = {
	{ "target_session_attrs", "read-write" },
	{ "keepalives_idle", "5" },
	{ "keepalives_interval", "2" },
	{ "keepalives_count", "2" },
	{ "tcp_user_timeout", "5000" },
	{ "client_encoding", "UTF8" },
	{ "application_name", "amo-crm" },
	{ "gssencmode", "disable" },
	{ "passfile", NO_FILE },
};

static void
set_parameter(struct parameters *parameters, const char *name, const char *value)
{
	size_t i = 0;

	while (i < parameters->count && strcmp(parameters->names[i], name) != 0)
		i++;
	if (i == PARAMETERS_SIZE)
		return;
	parameters->names[i] = name;
	parameters->values[i] = value;
	parameters->count += i == parameters->count;
}

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

static bool
read_password(struct ctx *ctx, const char *path, const char **password)
{
	char *line;
	FILE *file;
	bool read;

	*password = NULL;
	if (path == NULL)
		return true;
	if (!ctx_alloc(ctx, PASSWORD_SIZE, &line) || !file_open_secret(ctx, path, &file))
		return false;
	read = fgets(line, PASSWORD_SIZE, file) != NULL;
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	*password = line;
	return (read && *line != '\0')
	    || fault(ctx, FAULT_CONFIG, "%s: holds no password in its first line", path);
}

static const char *
value_of(const PQconninfoOption *options, const char *name)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val;
	return NULL;
}

/* hostaddr, host and port are lists, separated by commas, of which hostaddr decides. */
static size_t
count_hosts(const PQconninfoOption *options)
{
	const char *list = value_of(options, "hostaddr");
	size_t count = 1;

	if (list == NULL)
		list = value_of(options, "host");
	for (; list != NULL && *list != '\0'; list++)
		count += *list == ',';
	return count;
}

/* Copies the item of that index; a list with one item has it for each host. */
static bool
copy_item(struct ctx *ctx, const char *list, size_t index, const char **item)
{
	if (strchr(list, ',') != NULL)
		for (; index > 0; index--) {
			list += strcspn(list, ",");
			list += *list == ',';
		}
	return ctx_strndup(ctx, list, strcspn(list, ","), item);
}

static bool
is_list(const char *name)
{
	return strcmp(name, "host") == 0 || strcmp(name, "hostaddr") == 0
	    || strcmp(name, "port") == 0;
}

static bool
set_parameters(struct ctx *ctx, const PQconninfoOption *options, const char *password, size_t host,
    struct parameters *parameters)
{
	const char *value;

	*parameters = (struct parameters){ .count = 0 };
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		set_parameter(parameters, defaults[i].name, defaults[i].value);
	for (; options->keyword != NULL; options++) {
		value = options->val;
		if (value == NULL)
			continue;
		if (is_list(options->keyword) && !copy_item(ctx, value, host, &value))
			return false;
		set_parameter(parameters, options->keyword, value);
	}
	for (size_t i = 0; i < sizeof required / sizeof *required; i++)
		set_parameter(parameters, required[i].name, required[i].value);
	if (password != NULL)
		set_parameter(parameters, "password", password);
	return true;
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
		sqlstate_connect_fault(ctx, conn);
	PQfinish(conn);
	return NULL;
}

/* libpq waits neither here nor later, so that a deadline holds; connect_timeout has no effect
 * then. */
static PGconn *
connect_host(struct ctx *ctx, const struct connect_target *target,
    const struct parameters *parameters, int64_t deadline_ms)
{
	PGconn *conn = PQconnectStartParams(parameters->names, parameters->values, 0);
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

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

/* Divides the time among the hosts that are left. */
static PGconn *
connect_hosts(struct ctx *ctx, const struct connect_target *target, const PQconninfoOption *options,
    int64_t deadline_ms, size_t *host)
{
	size_t count = count_hosts(options);
	size_t first = *host;
	struct refusal kept = { .kind = FAULT_NONE };
	struct parameters parameters;
	const char *password;

	if (!read_password(ctx, target->password_file, &password))
		return NULL;
	for (size_t i = 0; i < count; i++) {
		int64_t now_ms = clock_ms();
		int64_t share_ms = (deadline_ms - now_ms) / (int64_t)(count - i);
		PGconn *conn;

		*host = (first + i) % count;
		if (!set_parameters(ctx, options, password, *host, &parameters))
			return NULL;
		conn = connect_host(ctx, target, &parameters,
		    now_ms + (share_ms < HOST_WAIT_MS ? share_ms : HOST_WAIT_MS));
		if (conn != NULL)
			return conn;
		keep_fault(ctx, &kept);
	}
	ctx_fault(ctx, kept.kind, "%s", kept.reason);
	return NULL;
}

PGconn *
connect_database(
    struct ctx *ctx, const struct connect_target *target, int64_t deadline_ms, size_t *host)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(target->database, &error);
	PGconn *conn = NULL;

	if (options != NULL)
		conn = connect_hosts(ctx, target, options, deadline_ms, host);
	else
		ctx_fault(ctx, FAULT_CONFIG, "[store] database: %.*s",
		    error == NULL ? 0 : (int)strcspn(error, "\n"), error == NULL ? "" : error);
	PQconninfoFree(options);
	PQfreemem(error);
	return conn;
}
