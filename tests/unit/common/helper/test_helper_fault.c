/* test_helper_fault.c - a helper's fault is its caller's fault. */
#include "../../table.h"

#include "helper/helper_fault.h"

static void
passes_every_fault_to_the_caller(void **state)
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
decodes_any_reply(void **state)
{
	static const struct {
		const char *label, *line;
		enum fault_kind expected;
		const char *reason;
	} table[] = {
		{ "no fault", "{\"text\":\"a\"}", FAULT_NONE, "" },
		{ "no member", "{}", FAULT_NONE, "" },
		{ "only a reason", "{\"reason\":\"r\"}", FAULT_NONE, "" },
		{ "an unknown kind", "{\"fault\":\"other\",\"reason\":\"r\"}", FAULT_SERVER, "r" },
		{ "the name of FAULT_NONE", "{\"fault\":\"none\",\"reason\":\"r\"}", FAULT_SERVER,
		    "r" },
		{ "a kind that is a number", "{\"fault\":3,\"reason\":\"r\"}", FAULT_SERVER, "r" },
		{ "a kind that is null", "{\"fault\":null,\"reason\":\"r\"}", FAULT_SERVER, "r" },
		{ "no reason", "{\"fault\":\"storage\"}", FAULT_STORAGE,
		    "the helper gave no reason" },
		{ "a reason that is not a string", "{\"fault\":\"storage\",\"reason\":1}",
		    FAULT_STORAGE, "the helper gave no reason" },
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
		cmocka_unit_test(passes_every_fault_to_the_caller),
		cmocka_unit_test(decodes_any_reply),
	};

	return cmocka_run_group_tests_name("helper_fault", tests, NULL, NULL);
}
