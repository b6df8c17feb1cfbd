/* test_fcgi_restart.c - a process executes its program again.  The program is this test, whose main
 * then checks its process id and its environment. */
#include "../../child.h"

#include "web/fcgi_restart.h"

#include <stdio.h>
#include <stdlib.h>

#define PID      "TEST_FCGI_RESTART_PID"
#define EXPECTED "TEST_FCGI_RESTART_TUNABLES"
#define PID_SIZE 24

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value == NULL ? "" : value;
}

static void
own_pid(char pid[PID_SIZE])
{
	snprintf(pid, PID_SIZE, "%ld", (long)getpid());
}

/* The exit status of the restarted program. */
static int
restarted(void)
{
	char pid[PID_SIZE];

	own_pid(pid);
	return strcmp(variable(PID), pid) == 0
		&& strcmp(variable("GLIBC_TUNABLES"), variable(EXPECTED)) == 0
	    ? CHILD_TRUE
	    : CHILD_FALSE;
}

struct row {
	const char *label;
	const char *tunables; /* NULL: not set */
	const char *expected; /* of the restarted program; NULL: no restart */
};

static bool
prepare(const struct row *row)
{
	char pid[PID_SIZE];

	own_pid(pid);
	return setenv(PID, pid, 1) == 0
	    && (row->expected == NULL || setenv(EXPECTED, row->expected, 1) == 0)
	    && (row->tunables == NULL ? unsetenv("GLIBC_TUNABLES")
				      : setenv("GLIBC_TUNABLES", row->tunables, 1))
	    == 0;
}

static bool
restart(void *arg)
{
	if (prepare(arg))
		fcgi_restart();
	return false;
}

static void
restarts_in_place(void **state)
{
	struct row plain = { "the same process", CTX_TUNABLE, CTX_TUNABLE };

	(void)state;
	in_child(plain.label, restart, &plain);
}

static bool
restart_with_tunables(void *arg)
{
	const struct row *row = arg;

	if (!prepare(row))
		return false;
	fcgi_restart_with_tunables();
	return row->expected == NULL;
}

#define OTHER "glibc.malloc.check=0"

static void
restarts_unless_the_tunable_is_set(void **state)
{
	static char long_value[1024];
	struct row table[] = {
		{ "no tunables", NULL, CTX_TUNABLE },
		{ "another tunable", OTHER, OTHER ":" CTX_TUNABLE },
		{ "the tunable", CTX_TUNABLE, NULL },
		{ "the tunable after another", OTHER ":" CTX_TUNABLE, NULL },
		{ "no space for the tunable", long_value, NULL },
	};

	(void)state;
	memset(long_value, 'x', sizeof long_value - 1);
	for (size_t i = 0; i < ROWS(table); i++)
		in_child(table[i].label, restart_with_tunables, &table[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(restarts_in_place),
		cmocka_unit_test(restarts_unless_the_tunable_is_set),
	};

	if (getenv(PID) != NULL)
		return restarted();
	return cmocka_run_group_tests_name("FastCGI restart", tests, NULL, NULL);
}
