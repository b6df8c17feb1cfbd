/* test_connection_event.c - changes of connections are appended as events. */
#include "../../setup.h"

#include "connection/connection_event.h"
#include "events/event_log.h"
#include "text/json.h"

static const struct connection usual = { .account_id = 31920194,
	.amocrm_user_id = 7,
	.host = "reforyou.amocrm.ru",
	.app_user = "u\"1" };

struct events {
	int count;
	char last[1024];
};

static bool
collect(struct ctx *ctx, void *arg, const char *event)
{
	struct events *events = arg;

	(void)ctx;
	events->count++;
	snprintf(events->last, sizeof events->last, "%s", event);
	return true;
}

static void
read_events(struct setup *s, struct events *events)
{
	struct event_log log = event_log_of(&s->cfg);
	struct event_position position;
	int64_t torn = 0;

	memset(events, 0, sizeof *events);
	if (!event_log_seek(&s->ctx, &log, 0, &position)
	    || !event_log_each(&s->ctx, &log, &position, collect, events, &torn))
		fail_msg("%s", s->ctx.reason);
	assert_int_equal(torn, 0);
}

static void
appends_an_event_for_each_change(void **state)
{
	static const struct {
		const char *label, *action, *reason, *part;
	} table[] = {
		{ "connected", "connected", NULL, "\"reason\":null" },
		{ "revoked", "revoked", "amoCRM \"refused\"",
		    "\"reason\":\"amoCRM \\\"refused\\\"\"" },
		{ "the same change again is another event", "connected", NULL, "\"reason\":null" },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc;
		struct events events;
		char name[64];

		(void)connection_event_append(
		    &s.ctx, &s.cfg, table[i].action, &usual, table[i].reason);
		same_number(table[i].label, s.ctx.kind, FAULT_NONE);
		same_text(table[i].label, s.ctx.notes, "");
		read_events(&s, &events);
		same_number(table[i].label, events.count, (long long)i + 1);
		doc = json_parse(events.last, strlen(events.last));
		same_text(table[i].label, json_get_string(doc, "subdomain"), "reforyou");
		json_object_put(doc);
		snprintf(name, sizeof name, "\"events\":[\"connection.%s\"]", table[i].action);
		has_text(table[i].label, events.last, name);
		has_text(table[i].label, events.last, "\"account_id\":31920194");
		has_text(table[i].label, events.last, "\"amocrm_user_id\":\"7\"");
		has_text(table[i].label, events.last, "\"domain\":\"reforyou.amocrm.ru\"");
		has_text(table[i].label, events.last, "\"app_user\":\"u\\\"1\"");
		has_text(table[i].label, events.last, table[i].part);
	}
	setup_close(&s);
}

static void
never_fails_the_request(void **state)
{
	struct setup s;
	struct events events;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.store.path = "/nonexistent/store";
	connection_event_append(&s.ctx, &s.cfg, "connected", &usual, NULL);
	same_number("the fault is cleared", s.ctx.kind, FAULT_NONE);
	has_text("the log", s.ctx.notes, "notice_lost=");

	assert_false(fault(&s.ctx, FAULT_REFUSED, "the first"));
	connection_event_append(&s.ctx, &s.cfg, "revoked", &usual, NULL);
	same_number("an earlier fault stays", s.ctx.kind, FAULT_REFUSED);
	same_text("the earlier reason stays", s.ctx.reason, "the first");

	s.cfg.store.path = *state;
	connection_event_append(&s.ctx, &s.cfg, "revoked", &usual, NULL);
	same_number("an event is appended despite the fault", s.ctx.kind, FAULT_REFUSED);
	ctx_clear_fault(&s.ctx);
	read_events(&s, &events);
	assert_int_equal(events.count, 1);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(appends_an_event_for_each_change),
		IN_FOLDER(never_fails_the_request),
	};

	return run_engine_tests("connection event", tests);
}
