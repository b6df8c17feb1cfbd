/* test_connection_event.c - changes of connections among the events. */
#include "../../setup.h"

#include "connection/connection_event.h"
#include "events/journal.h"
#include "text/json.h"

static const struct connection usual = { .account_id = 31920194,
	.amocrm_user_id = 7,
	.host = "reforyou.amocrm.ru",
	.app_user = "u\"1" };

struct seen {
	int count;
	char last[1024];
};

static bool
see(struct ctx *ctx, void *arg, const char *event, const struct journal_position *behind)
{
	struct seen *seen = arg;

	(void)ctx;
	(void)behind;
	seen->count++;
	snprintf(seen->last, sizeof seen->last, "%s", event);
	return true;
}

static void
see_all(struct setup *s, struct seen *seen)
{
	struct journal journal = journal_of(&s->cfg.store);
	struct journal_position position = { 0, 0 };
	int64_t torn = 0;

	memset(seen, 0, sizeof *seen);
	if (!journal_each(&s->ctx, &journal, &position, see, seen, &torn))
		fail_msg("%s", s->ctx.reason);
	assert_int_equal(torn, 0);
}

static void
tells_what_has_happened(void **state)
{
	static const struct {
		const char *label, *action, *reason, *part;
	} table[] = {
		{ "connected", "connected", NULL, "\"reason\":null" },
		{ "revoked", "revoked", "amoCRM \"refused\"",
		    "\"reason\":\"amoCRM \\\"refused\\\"\"" },
		{ "the same again is another event", "connected", NULL, "\"reason\":null" },
	};
	struct setup s;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc;
		struct seen seen;
		char name[64];

		connection_event_append(&s.ctx, &s.cfg, table[i].action, &usual, table[i].reason);
		same_number(table[i].label, s.ctx.kind, FAULT_NONE);
		same_text(table[i].label, s.ctx.notes, "");
		see_all(&s, &seen);
		same_number(table[i].label, seen.count, (long long)i + 1);
		doc = json_parse(seen.last, strlen(seen.last));
		same_text(table[i].label, json_string(doc, "subdomain"), "reforyou");
		json_object_put(doc);
		snprintf(name, sizeof name, "\"events\":[\"connection.%s\"]", table[i].action);
		has_text(table[i].label, seen.last, name);
		has_text(table[i].label, seen.last, "\"account_id\":31920194");
		has_text(table[i].label, seen.last, "\"amocrm_user_id\":\"7\"");
		has_text(table[i].label, seen.last, "\"domain\":\"reforyou.amocrm.ru\"");
		has_text(table[i].label, seen.last, "\"app_user\":\"u\\\"1\"");
		has_text(table[i].label, seen.last, table[i].part);
	}
	setup_close(&s);
}

static void
fails_nothing(void **state)
{
	struct setup s;
	struct seen seen;

	setup_open(&s, *state, CONNECTIONS_PER_USER);
	s.cfg.store.path = "/nonexistent/store";
	connection_event_append(&s.ctx, &s.cfg, "connected", &usual, NULL);
	same_number("the fault is forgotten", s.ctx.kind, FAULT_NONE);
	has_text("the log", s.ctx.notes, "notice_lost=");

	assert_false(fault(&s.ctx, FAULT_REFUSED, "the first"));
	connection_event_append(&s.ctx, &s.cfg, "revoked", &usual, NULL);
	same_number("a fault that was there stays", s.ctx.kind, FAULT_REFUSED);
	same_text("with its reason", s.ctx.reason, "the first");

	s.cfg.store.path = *state;
	connection_event_append(&s.ctx, &s.cfg, "revoked", &usual, NULL);
	same_number("and an event is added beside it", s.ctx.kind, FAULT_REFUSED);
	ctx_clear_fault(&s.ctx);
	see_all(&s, &seen);
	assert_int_equal(seen.count, 1);
	setup_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(tells_what_has_happened),
		IN_FOLDER(fails_nothing),
	};

	return cmocka_run_group_tests_name("connection event", tests, NULL, NULL);
}
