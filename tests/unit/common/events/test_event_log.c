/* test_event_log.c - the log of events, with files and with a database. */
#include "../../engine.h"
#include "event_lines.h"

#include "events/event_log.h"

#define DAY_S       86400
#define APPENDS_MAX 25600 /* one in 256 removes old events */

static void
append(const char *label, const struct event_log *log, int number, time_t received_at)
{
	struct event event = { .received_at.tv_sec = received_at, .account_id = 5 };
	char line[LINE_SIZE];
	struct ctx ctx;

	event_line(number, event.account_id, received_at, line);
	open_ctx(&ctx);
	same_fault(label, &ctx, event_log_append(&ctx, log, &event, line), FAULT_NONE);
	ctx_close(&ctx);
}

static bool
add_number(struct ctx *ctx, void *arg, const char *line)
{
	int *numbers = arg;
	struct stored_event event;

	if (!event_read(ctx, line, &event))
		return false;
	*numbers = *numbers * 10 + event_number(&event);
	return true;
}

static void
visits_events_in_the_order_of_their_arrival(void **state)
{
	const struct store_config store = store_in(*state);
	const struct event_log log = { .store = &store };
	struct event_position position;
	struct ctx ctx;
	int numbers = 0;
	int64_t torn = 0;

	append("the first", &log, 1, time(NULL) - 2 * DAY_S);
	append("the second", &log, 2, time(NULL));
	open_ctx(&ctx);
	assert_true(event_log_seek(&ctx, &log, 0, &position));
	assert_true(event_log_each(&ctx, &log, &position, add_number, &numbers, &torn));
	assert_int_equal(numbers, 12);
	append("the third", &log, 3, time(NULL));
	assert_true(event_log_each(&ctx, &log, &position, add_number, &numbers, &torn));
	assert_int_equal(numbers, 123);
	ctx_close(&ctx);
}

/* Delivery was switched off. */
static void
removes_old_events_that_still_wait(void **state)
{
	const struct store_config store = store_in(*state);
	struct event_log log = { .store = &store, .to_deliver = true };
	struct event event = { .received_at.tv_sec = time(NULL), .account_id = 5 };
	PGconn *conn = engine_connect();
	char line[LINE_SIZE];
	struct ctx ctx;

	append("an old event", &log, 1, time(NULL) - 2 * DAY_S);
	append("a new event", &log, 2, time(NULL));
	assert_int_equal(engine_query(conn, "SELECT count(*) FROM pending"), 2);

	log.to_deliver = false;
	log.keep_s = DAY_S;
	event_line(3, event.account_id, event.received_at.tv_sec, line);
	open_ctx(&ctx);
	for (int left = APPENDS_MAX; engine_query(conn, "SELECT count(*) FROM pending") > 1;
	     left--) {
		size_t mark = arena_mark(&ctx);

		assert_true(left > 0);
		same_fault("append", &ctx, event_log_append(&ctx, &log, &event, line), FAULT_NONE);
		arena_rewind(&ctx, mark);
	}
	ctx_close(&ctx);
	assert_int_equal(
	    engine_query(
		conn, "SELECT count(*) FROM event WHERE received_at < now() - '1 day'::interval"),
	    0);
	assert_int_equal(
	    engine_query(conn, "SELECT count(*) FROM event JOIN pending USING (seq)"), 1);
	PQfinish(conn);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(visits_events_in_the_order_of_their_arrival),
		IN_DATABASE(removes_old_events_that_still_wait),
	};

	return run_engine_tests("log of events", tests);
}
