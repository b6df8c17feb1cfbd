/* test_store_section.c - sections: one at a time of a name, one in another, and what is left of one
 * that fails. */
#include "../../child.h"
#include "../../engine.h"

#include "store/store.h"

#include <stdio.h>

enum { WRITERS = 6, TURNS = 20, SMALL_ARENA = 262144 };

static void
has_value(struct ctx *ctx, const char *label, const struct store_config *store, const char *key,
    const char *expected)
{
	const char *value;

	if (!store_get(ctx, store, key, &value))
		fail_msg("%s: %s", label, ctx->reason);
	same_text(label, value, expected);
}

struct body {
	const struct store_config *store;
	const char *name; /* of a section in it; NULL: none */
	const char *seen; /* what it reads after its first change */
	enum fault_kind fails;
	bool without_fault; /* it is false, and nothing is wrong */
};

static bool
put_second(struct ctx *ctx, void *arg)
{
	const struct body *body = arg;

	return store_put(ctx, body->store, "b:1", "new", 0)
	    && (body->fails == FAULT_NONE || fault(ctx, body->fails, "it fails"))
	    && !body->without_fault;
}

static bool
put_both(struct ctx *ctx, void *arg)
{
	struct body *body = arg;

	return store_put(ctx, body->store, "a:1", "new", 0)
	    && store_get(ctx, body->store, "a:1", &body->seen)
	    && (body->name == NULL ? put_second(ctx, arg)
				   : store_together(ctx, body->store, body->name, put_second, arg));
}

/* In a database nothing is left of a section that fails. */
static void
completes_or_fails_as_a_whole(void **state)
{
	static const struct {
		const char *label, *inner;
		enum fault_kind fails;
		bool without_fault;
	} table[] = {
		{ "two changes", NULL, FAULT_NONE, false },
		{ "a section in it", "account:1", FAULT_NONE, false },
		{ "a section of the same kind in it", "app:2", FAULT_NONE, false },
		{ "a fault after the changes", NULL, FAULT_CLAIMED, false },
		{ "a fault in a section in it", "account:1", FAULT_CLAIMED, false },
		{ "false without a fault", NULL, FAULT_NONE, true },
	};
	struct store_config store = store_in(*state);
	struct ctx ctx;

	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *label = table[i].label;
		struct body body = { &store, table[i].inner, NULL, table[i].fails,
			table[i].without_fault };
		bool done = table[i].fails == FAULT_NONE && !table[i].without_fault;
		bool kept = done || !engine_is_database();

		assert_true(store_put(&ctx, &store, "a:1", "old", 0)
		    && store_put(&ctx, &store, "b:1", "old", 0));
		same_number(label, store_together(&ctx, &store, "app:1", put_both, &body), done);
		same_number(label, ctx.kind, table[i].fails);
		same_text(label, body.seen, "new");
		ctx_clear_fault(&ctx);
		has_value(&ctx, label, &store, "a:1", kept ? "new" : "old");
		has_value(&ctx, label, &store, "b:1", kept ? "new" : "old");
	}
	ctx_close(&ctx);
}

struct writer {
	const struct store_config *store;
	bool swapped; /* which of the two names is the outer one's */
};

static bool
increment(struct ctx *ctx, void *arg)
{
	const struct writer *writer = arg;
	const char *value;
	const char *more;

	return store_get(ctx, writer->store, "counter:1", &value)
	    && ctx_printf(ctx, &more, "%ld", (value == NULL ? 0 : strtol(value, NULL, 10)) + 1)
	    && store_put(ctx, writer->store, "counter:1", more, 0);
}

static bool
increments_in_turn(void *arg)
{
	const struct writer *writer = arg;
	struct ctx ctx;

	if (!ctx_open(&ctx, SMALL_ARENA))
		return false;
	for (int i = 0; i < TURNS; i++) {
		if (!store_together(&ctx, writer->store, "account:1", increment, arg)) {
			fprintf(stderr, "%s\n", ctx.reason);
			return false;
		}
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	return true;
}

/* It reads and writes without another operation between. */
static void
is_alone_with_its_name(void **state)
{
	struct store_config store = store_in(*state);
	struct writer writer = { .store = &store };
	pid_t writers[WRITERS];
	char expected[16];
	struct ctx ctx;

	for (int i = 0; i < WRITERS; i++)
		writers[i] = child_start(increments_in_turn, &writer);
	for (int i = 0; i < WRITERS; i++)
		child_says_true("a writer", child_status(writers[i]));
	snprintf(expected, sizeof expected, "%d", WRITERS * TURNS);
	open_ctx(&ctx);
	has_value(&ctx, "the count", &store, "counter:1", expected);
	ctx_close(&ctx);
}

static bool
increment_in_inner(struct ctx *ctx, void *arg)
{
	const struct writer *writer = arg;

	return store_together(
	    ctx, writer->store, writer->swapped ? "account:1" : "account:2", increment, arg);
}

static bool
increments_in_opposite_order(void *arg)
{
	const struct writer *writer = arg;
	struct ctx ctx;

	if (!ctx_open(&ctx, SMALL_ARENA))
		return false;
	for (int i = 0; i < TURNS / 4; i++) {
		if (!store_together(&ctx, writer->store,
			writer->swapped ? "account:2" : "account:1", increment_in_inner, arg)) {
			fprintf(stderr, "%s\n", ctx.reason);
			return false;
		}
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	return true;
}

/* Programs take names in one order.  If they did not, a database would end the deadlock, and the
 * section that it ends runs again. */
static void
runs_again_after_a_deadlock(void **state)
{
	struct store_config store = store_in(*state);
	struct writer writers[2] = { { &store, false }, { &store, true } };
	pid_t pids[2];
	char expected[16];
	struct ctx ctx;

	for (int i = 0; i < 2; i++)
		pids[i] = child_start(increments_in_opposite_order, &writers[i]);
	for (int i = 0; i < 2; i++)
		child_says_true("a writer", child_status(pids[i]));
	snprintf(expected, sizeof expected, "%d", 2 * (TURNS / 4));
	open_ctx(&ctx);
	has_value(&ctx, "the count", &store, "counter:1", expected);
	ctx_close(&ctx);
}

struct killed {
	const struct store_config *store;
	int ready[2]; /* a pipe: a byte in it says that the section has made its changes */
};

static bool
put_and_hang(struct ctx *ctx, void *arg)
{
	const struct killed *killed = arg;

	if (!store_put(ctx, killed->store, "a:1", "new", 0) || write(killed->ready[1], "", 1) != 1)
		return false;
	pause();
	return false;
}

static bool
hang_in_a_section(void *arg)
{
	const struct killed *killed = arg;
	struct ctx ctx;

	return ctx_open(&ctx, ARENA_SIZE)
	    && store_together(&ctx, killed->store, "app:1", put_and_hang, arg);
}

/* The next section need not wait until a limit is over. */
static void
ends_with_its_process(void **state)
{
	struct store_config store = store_in(*state);
	struct killed killed = { .store = &store };
	struct body body = { &store, NULL, NULL, FAULT_NONE, false };
	struct ctx ctx;
	pid_t pid;
	char byte;

	open_ctx(&ctx);
	assert_true(store_put(&ctx, &store, "a:1", "old", 0));
	assert_int_equal(pipe(killed.ready), 0);
	pid = child_start(hang_in_a_section, &killed);
	assert_int_equal(read(killed.ready[0], &byte, 1), 1);
	if (engine_is_database())
		has_value(&ctx, "before the end", &store, "a:1", "old");
	kill(pid, SIGKILL);
	child_status(pid);
	if (!store_together(&ctx, &store, "app:1", put_second, &body))
		fail_msg("%s", ctx.reason);
	has_value(&ctx, "the change of the killed section", &store, "a:1",
	    engine_is_database() ? "old" : "new");
	ctx_close(&ctx);
	close(killed.ready[0]);
	close(killed.ready[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(completes_or_fails_as_a_whole),
		IN_STORE(is_alone_with_its_name),
		IN_DATABASE(runs_again_after_a_deadlock),
		IN_STORE(ends_with_its_process),
	};

	return run_engine_tests("store, sections", tests);
}
