/* parameters.h - the parameters of a connection to one of the hosts that [store] database names.
 */
#ifndef PARAMETERS_H
#define PARAMETERS_H

#include "base/ctx.h"

#include <libpq-fe.h>

#define PARAMETERS_SIZE 40 /* libpq 15 knows 38 */

struct parameters {
	const char *names[PARAMETERS_SIZE + 1]; /* end with NULL */
	const char *values[PARAMETERS_SIZE + 1];
	size_t count;
};

/* The first line of the file; NULL where path is.  Fault: FAULT_CONFIG. */
bool parameters_read_password(struct ctx *ctx, const char *path, const char **password);

/* The value that [store] database gives; NULL: none. */
const char *parameters_value(const PQconninfoOption *options, const char *name);

size_t parameters_count_hosts(const PQconninfoOption *options);

/* Sets all of them, for the host of that index. */
bool parameters_set(struct ctx *ctx, const PQconninfoOption *options, const char *password,
    size_t host, struct parameters *parameters);

void parameters_replace(struct parameters *parameters, const char *name, const char *value);

#endif
