/* test_helper_fault.c - a helper's fault is its caller's fault. */
#include "../../table.h"

#include "helper/helper_fault.h"

static void
passes_a_fault_on(void **state)
{
	static const char reason[] = "it \"failed\",\n\\ \xd0\xaf";

	(void)state;
	for (int kind = FAULT_NONE + 1; kind < FAULT_KINDS; kind++) {
		const char *label = fault_name((enum fault_kind)kind);
		struct ctx helper;
		struct ctx caller;
		struct strbuf sb;
		struct json_object *doc;
		const char *line;
		bool ok;

		open_ctx(&helper);
		open_ctx(&caller);
		ctx_fault(&helper, (enum fault_kind)kind, "%s", reason);
		strbuf_init(&helper, &sb);
		helper_fault_encode(&sb, &helper);
		assert_true(strbuf_finish(&sb, &line));
		DEMAND(label, strchr(line, '\n') == NULL);

		doc = json_parse(line, strlen(line));
		ok = helper_fault_decode(&caller, doc);
		same_fault(label, &caller, ok, (enum fault_kind)kind);
		same_text(label, caller.reason, reason);
		json_object_put(doc);
		ctx_close(&caller);
		ctx_close(&helper);
	}
}

static void
reads_any_reply(void **state)
{
	static const struct {
		const char *label, *line;
		enum fault_kind expected;
		const char *reason;
	} table[] = {
		{ "no fault", "{\"text\":\"a\"}", FAULT_NONE, "" },
		{ "no member at all", "{}", FAULT_NONE, "" },
		{ "a reason alone", "{\"reason\":\"r\"}", FAULT_NONE, "" },
		{ "a kind unknown here", "{\"fault\":\"other\",\"reason\":\"r\"}", FAULT_SERVER,
		    "r" },
		{ "the name of no fault", "{\"fault\":\"none\",\"reason\":\"r\"}", FAULT_SERVER,
		    "r" },
		{ "a number", "{\"fault\":3,\"reason\":\"r\"}", FAULT_SERVER, "r" },
		{ "null", "{\"fault\":null,\"reason\":\"r\"}", FAULT_SERVER, "r" },
		{ "no reason", "{\"fault\":\"storage\"}", FAULT_STORAGE,
		    "the helper gave no reason" },
		{ "a reason that is no text", "{\"fault\":\"storage\",\"reason\":1}", FAULT_STORAGE,
		    "the helper gave no reason" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct json_object *doc = json_parse(table[i].line, strlen(table[i].line));
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = helper_fault_decode(&ctx, doc);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		same_text(table[i].label, ctx.reason, table[i].reason);
		json_object_put(doc);
		ctx_close(&ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_a_fault_on),
		cmocka_unit_test(reads_any_reply),
	};

	return cmocka_run_group_tests_name("helper_fault", tests, NULL, NULL);
}
