/* engine.h - an empty store for a test: the files of its temporary folder or, if the environment
 * names one, a database.
 *
 *   TEST_DATABASE       [store] database, whose tables exist; nothing else uses it
 *   TEST_PASSWORD_FILE  [store] password_file
 *
 * With a database only the tests that are IN_STORE or IN_DATABASE run.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "folder.h"

#include "config/config.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <time.h>

#define ENGINE_TESTS_MAX 64
#define ENGINE_QUIET_S   120 /* until a helper that was left has ended; long, for a busy machine */

/* A test of what the store promises with each engine; *state is as for IN_FOLDER. */
#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, store_make, folder_remove)

/* A test of what only a database promises. */
#define IN_DATABASE(test) cmocka_unit_test_setup_teardown(test, database_make, folder_remove)

/* In place of cmocka_run_group_tests_name. */
#define run_engine_tests(name, tests) engine_run((name), (tests), ROWS(tests))

static inline bool
engine_is_database(void)
{
	return getenv("TEST_DATABASE") != NULL;
}

static inline struct store_config
store_in(const char *folder)
{
	return (struct store_config){
		.path = folder,
		.engine = engine_is_database() ? ENGINE_POSTGRESQL : ENGINE_FILES,
		.database = getenv("TEST_DATABASE"),
		.password_file = getenv("TEST_PASSWORD_FILE"),
	};
}

static inline PGconn *
engine_connect(void)
{
	static const char *const names[] = { "dbname", "password", NULL };
	const char *values[] = { getenv("TEST_DATABASE"), NULL, NULL };
	char *password;
	size_t len;
	PGconn *conn;

	password = (char *)file_read(getenv("TEST_PASSWORD_FILE"), &len);
	password[len] = '\0';
	password[strcspn(password, "\n")] = '\0';
	values[1] = password;
	conn = PQconnectdbParams(names, values, 1);
	free(password);
	if (PQstatus(conn) != CONNECTION_OK)
		fail_msg("%s", PQerrorMessage(conn));
	return conn;
}

/* Runs statements; gives the number that the last one returns, 0 if none. */
static inline long
engine_query(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	long number = 0;

	if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	if (PQntuples(result) == 1)
		number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return number;
}

/* Waits until a query gives at least, or with most at most, that number. */
static inline void
engine_await(PGconn *conn, const char *sql, long least, long most)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	const time_t end = time(NULL) + ENGINE_QUIET_S;
	long number;

	while ((number = engine_query(conn, sql)) < least || number > most) {
		if (time(NULL) > end)
			fail_msg("%s: still %ld", sql, number);
		nanosleep(&pause, NULL);
	}
}

/* The sessions of helpers. */
#define ENGINE_OTHERS                                                                              \
	"datname = current_database() AND backend_type = 'client backend'"                         \
	" AND pid <> pg_backend_pid()"

/* Waits until no helper of a process that has ended changes anything any more.  The caller's own
 * contexts, and those of its children, have to be closed. */
static inline void
engine_await_quiet(PGconn *conn)
{
	engine_await(conn, "SELECT count(*) FROM pg_stat_activity WHERE " ENGINE_OTHERS, 0, 0);
}

/* A child that was killed has left a helper, which may still complete what it was told. */
static inline void
engine_settle(void)
{
	PGconn *conn;

	if (!engine_is_database())
		return;
	conn = engine_connect();
	engine_await_quiet(conn);
	PQfinish(conn);
}

/* A test that failed may have left contexts open. */
static inline void
engine_empty(void)
{
	PGconn *conn = engine_connect();

	engine_query(conn,
	    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE " ENGINE_OTHERS);
	engine_await_quiet(conn);
	engine_query(conn,
	    "SET synchronous_commit = off; DELETE FROM record; DELETE FROM turn;"
	    " DELETE FROM lease; DELETE FROM event; DELETE FROM pending; DELETE FROM delivery;"
	    " DELETE FROM dead; DELETE FROM call");
	PQfinish(conn);
}

static inline int
database_make(void **state)
{
	engine_empty();
	return folder_make(state);
}

static inline int
store_make(void **state)
{
	return engine_is_database() ? database_make(state) : folder_make(state);
}

static inline bool
engine_has(const struct CMUnitTest *test)
{
	return engine_is_database()
	    ? test->setup_func == store_make || test->setup_func == database_make
	    : test->setup_func != database_make;
}

static inline int
engine_run(const char *name, const struct CMUnitTest *tests, size_t count)
{
	struct CMUnitTest chosen[ENGINE_TESTS_MAX];
	size_t chosen_count = 0;

	assert_true(count <= ROWS(chosen));
	for (size_t i = 0; i < count; i++)
		if (engine_has(&tests[i]))
			chosen[chosen_count++] = tests[i];
	return _cmocka_run_group_tests(name, chosen, chosen_count, NULL, NULL);
}

#endif
