/* event_lines.h - numbered events in the journal of a test's own store.
 */
#ifndef EVENT_LINES_H
#define EVENT_LINES_H

#include "../../folder.h"

#include "base/rfc3339.h"
#include "events/event.h"
#include "events/journal.h"

#include <time.h>

#define LINE_SIZE 256

/* An event whose id ends in its number. */
static inline void
event_line(int number, int64_t account_id, time_t at, char line[LINE_SIZE])
{
	char received_at[RFC3339_SIZE];
	int len;

	rfc3339_write(at, received_at);
	len = snprintf(line, LINE_SIZE,
	    "{\"id\":\"%032x%032x\",\"received_at\":\"%s\",\"account_id\":%lld,\"payload\":{}}",
	    (unsigned)number, (unsigned)number, received_at, (long long)account_id);
	assert_true(len > 0 && len < LINE_SIZE);
}

static inline int
event_number(const struct stored_event *event)
{
	return (int)strtol(event->id + 56, NULL, 16);
}

static inline void
append_line(const char *store, const char *line)
{
	struct journal journal = { .path = store, .segment_max = JOURNAL_SEGMENT_MAX };
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault(line, &ctx, journal_append(&ctx, &journal, line), FAULT_NONE);
	ctx_close(&ctx);
}

static inline void
append_event(const char *store, int number, int64_t account_id, time_t at)
{
	char line[LINE_SIZE];

	event_line(number, account_id, at, line);
	append_line(store, line);
}

/* The path of a file in the store's directory of events, which is created if it does not exist. */
static inline void
events_path(const char *store, const char *name, char path[PATH_SIZE])
{
	path_in(store, "events", path);
	if (mkdir(path, 0700) != 0)
		assert_int_equal(access(path, W_OK), 0);
	assert_true(snprintf(path, PATH_SIZE, "%s/events/%s", store, name) < PATH_SIZE);
}

#endif
