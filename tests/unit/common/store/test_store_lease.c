/* test_store_lease.c - leases: one holder at a time, what a killed one leaves, and changes of a
 * holder that has lost its lease. */
#include "../../child.h"
#include "../../engine.h"

#include "store/store.h"

#include <stdio.h>
#include <sys/mman.h>

#define NAME "refresh:1:1"

enum { HOLDERS = 5, TURNS = 8, HOLDER_ARENA = 262144, SHORT_MS = 1 };

static const struct store_wait at_once = { 0, 60000 };
static const struct store_wait patient = { BUSY_MS, 60000 };

static void
hold(const char *label, struct ctx *ctx, const struct store_config *store, const char *name,
    struct store_lease *lease)
{
	if (!store_hold(ctx, store, name, &patient, lease))
		fail_msg("%s: %s", label, ctx->reason);
}

static void
refused(const char *label, struct ctx *ctx, const struct store_config *store, const char *name)
{
	struct store_lease lease;

	same_fault(label, ctx, store_hold(ctx, store, name, &at_once, &lease), FAULT_UNAVAILABLE);
	ctx_clear_fault(ctx);
}

static void
has_one_holder(void **state)
{
	struct store_config store = store_in(*state);
	struct store_lease first;
	struct store_lease second;
	struct ctx one;
	struct ctx other;

	open_ctx(&one);
	open_ctx(&other);
	hold("the first", &one, &store, NAME, &first);
	DEMAND("nobody has left it", !first.abandoned);
	refused("held", &other, &store, NAME);
	hold("of another name", &other, &store, "refresh:1:2", &second);
	store_let_go(&other, &store, &second);
	store_let_go(&one, &store, &first);
	hold("let go", &other, &store, NAME, &second);
	DEMAND("it was let go", !second.abandoned);
	refused("held by the second", &one, &store, NAME);
	store_let_go(&other, &store, &second);
	ctx_close(&other);
	ctx_close(&one);
}

/* A change of any record, also of one that others change without a lease. */
static void
lets_its_holder_change_the_store(void **state)
{
	struct store_config store = store_in(*state);
	struct store_lease lease;
	struct ctx ctx;
	const char *value;

	open_ctx(&ctx);
	hold("the lease", &ctx, &store, NAME, &lease);
	assert_true(store_put(&ctx, &store, "a:1", "by the holder", 0));
	store_let_go(&ctx, &store, &lease);
	assert_true(store_put(&ctx, &store, "b:1", "without a lease", 0));
	assert_true(store_get(&ctx, &store, "a:1", &value));
	same_text("in the lease", value, "by the holder");
	assert_true(store_get(&ctx, &store, "b:1", &value));
	same_text("after it", value, "without a lease");
	ctx_close(&ctx);
}

struct holder {
	const struct store_config *store;
	volatile long *inside; /* how many hold the lease now; shared */
	int ready[2];          /* a pipe: a byte in it says that the lease is held */
};

static bool
hold_in_turn(void *arg)
{
	const struct holder *holder = arg;
	struct ctx ctx;

	if (!ctx_open(&ctx, HOLDER_ARENA))
		return false;
	for (int i = 0; i < TURNS; i++) {
		struct store_lease lease;
		bool alone;

		if (!store_hold(&ctx, holder->store, NAME, &patient, &lease)) {
			fprintf(stderr, "%s\n", ctx.reason);
			return false;
		}
		alone = ++*holder->inside == 1;
		usleep(2000);
		alone = alone && --*holder->inside == 0;
		store_let_go(&ctx, holder->store, &lease);
		if (!alone || ctx.kind != FAULT_NONE)
			return false;
		ctx_wipe(&ctx);
	}
	ctx_close(&ctx);
	return true;
}

static void
is_waited_for(void **state)
{
	struct store_config store = store_in(*state);
	struct holder holder = { .store = &store };
	pid_t holders[HOLDERS];
	long *inside =
	    mmap(NULL, sizeof *inside, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(inside != MAP_FAILED);
	holder.inside = inside;
	for (int i = 0; i < HOLDERS; i++)
		holders[i] = child_start(hold_in_turn, &holder);
	for (int i = 0; i < HOLDERS; i++)
		child_says_true("a holder", child_status(holders[i]));
	munmap(inside, sizeof *inside);
}

static bool
hold_until_killed(void *arg)
{
	const struct holder *holder = arg;
	struct store_lease lease;
	struct ctx ctx;

	if (!ctx_open(&ctx, ARENA_SIZE) || !store_hold(&ctx, holder->store, NAME, &patient, &lease)
	    || write(holder->ready[1], "", 1) != 1)
		return false;
	pause();
	return false;
}

/* In a database the next holder learns that tokens of the one before may wait in an escrow. */
static void
ends_with_its_process(void **state)
{
	struct store_config store = store_in(*state);
	struct holder holder = { .store = &store };
	struct store_lease lease;
	struct ctx ctx;
	pid_t pid;
	char byte;

	open_ctx(&ctx);
	assert_int_equal(pipe(holder.ready), 0);
	pid = child_start(hold_until_killed, &holder);
	assert_int_equal(read(holder.ready[0], &byte, 1), 1);
	refused("while it lives", &ctx, &store, NAME);
	kill(pid, SIGKILL);
	child_status(pid);
	hold("after it was killed", &ctx, &store, NAME, &lease);
	same_number("abandoned", lease.abandoned, engine_is_database());

	store_let_go(&ctx, &store, &lease);
	hold("let go as it was", &ctx, &store, NAME, &lease);
	same_number("still abandoned", lease.abandoned, engine_is_database());
	lease.abandoned = false;
	store_let_go(&ctx, &store, &lease);
	hold("once more", &ctx, &store, NAME, &lease);
	DEMAND("not abandoned any more", !lease.abandoned);
	store_let_go(&ctx, &store, &lease);
	ctx_close(&ctx);
	close(holder.ready[0]);
	close(holder.ready[1]);
}

static bool
put_in_section(struct ctx *ctx, void *arg)
{
	return store_put(ctx, arg, "a:1", "too late", 0);
}

/* As if its host had been suspended. */
static void
fences_a_holder_off_whose_time_is_over(void **state)
{
	static const struct store_wait brief = { 0, SHORT_MS };
	struct store_config store = store_in(*state);
	struct store_lease late;
	struct store_lease next;
	struct ctx one;
	struct ctx other;
	const char *value;

	open_ctx(&one);
	open_ctx(&other);
	assert_true(store_put(&other, &store, "a:1", "as it was", 0));
	assert_true(store_hold(&one, &store, NAME, &brief, &late));
	hold("the time is over", &other, &store, NAME, &next);
	DEMAND("it was not let go", next.abandoned);
	DEMAND("a higher number", next.token > late.token);

	same_fault("a change", &one, store_put(&one, &store, "a:1", "too late", 0), FAULT_STORAGE);
	has_text("the reason", one.reason, "fenced off");
	ctx_clear_fault(&one);
	same_fault("a section", &one, store_together(&one, &store, "app:1", put_in_section, &store),
	    FAULT_STORAGE);
	ctx_clear_fault(&one);
	store_let_go(&one, &store, &late);
	refused("it lets go of its own lease only", &one, &store, NAME);

	assert_true(store_get(&other, &store, "a:1", &value));
	same_text("the record", value, "as it was");
	assert_true(store_put(&other, &store, "a:1", "by the next holder", 0));
	store_let_go(&other, &store, &next);
	ctx_close(&other);
	ctx_close(&one);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_STORE(has_one_holder),
		IN_STORE(lets_its_holder_change_the_store),
		IN_STORE(is_waited_for),
		IN_STORE(ends_with_its_process),
		IN_DATABASE(fences_a_holder_off_whose_time_is_over),
	};

	return run_engine_tests("store, leases", tests);
}
