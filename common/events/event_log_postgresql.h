/* event_log_postgresql.h - the log of events of ENGINE_POSTGRESQL: rows of a database that several
 * hosts share, reached through amo-crm-postgresql (see helper/postgresql.h).  Each function does
 * what event_log.h says of the function of its name.
 */
#ifndef EVENT_LOG_POSTGRESQL_H
#define EVENT_LOG_POSTGRESQL_H

#include "events/event_log.h"

bool event_log_postgresql_append(
    struct ctx *ctx, const struct event_log *log, const struct event *event, const char *line);
bool event_log_postgresql_seek(
    struct ctx *ctx, const struct event_log *log, time_t since, struct event_position *position);
bool event_log_postgresql_each(struct ctx *ctx, const struct event_log *log,
    struct event_position *position, event_visit *visit, void *arg);

#endif
