/* store_write.c - changes of one record or several; see store.h.
 *
 * store_commit prepares the copies of all shards, then renames them one by one:
 *
 *   lock      the shards concerned, in ascending order, so that writers cannot deadlock
 *   resolve   read each record and have its operation choose the new value
 *   prepare   copy each shard, apply the changes to the copy and fsync it
 *   commit    rename the copies over the shards, in the order of the operations, and fsync the
 *             directory
 *
 * Everything up to prepare is rolled back by removing the copies; store_rehearse does that in any
 * case.  The commit needs no more space on the disk: the copies are written, and the directory has
 * their names.
 */
#include "store/store_files.h"

#include "base/file.h"
#include "store/disk_reserve.h"
#include "store/shard.h"
#include "store/shard_copy.h"
#include "store/store_op.h"
#include "store/store_paths.h"

#include <string.h>
#include <unistd.h>

/* An operation whose new value is known and differs from the old one. */
struct change {
	int shard;
	struct shard_op op;
};

/* One rename of the commit.  It atomically brings all changes of consecutive operations on one
 * shard.  Operations on the shards A, B, A take three steps, the last with all changes of A: with
 * two, a crash between them could leave the third operation applied and the second not. */
struct step {
	const char *path; /* of the shard */
	const char *copy; /* of it, with the changes */
	int fd;           /* of a rehearsal's copy in memory; -1: it is a file of that name */
};

struct plan {
	const struct store_config *store;
	const char *directory;
	int shards[STORE_OPS_MAX]; /* of the operations */
	size_t op_count;
	struct lock locks[STORE_OPS_MAX];
	size_t lock_count;
	struct change changes[STORE_OPS_MAX]; /* in the order of the operations */
	size_t change_count;
	struct step steps[STORE_OPS_MAX];
	size_t step_count;
	bool rehearsal;
};

static bool
make_plan(struct ctx *ctx, const struct store_config *store, const struct store_op *ops,
    size_t count, struct plan *plan)
{
	*plan = (struct plan){ .store = store, .op_count = count };
	if (count > STORE_OPS_MAX)
		return fault(ctx, FAULT_SERVER, "%zu changes at once are too many", count);
	for (size_t i = 0; i < count; i++)
		if (!store_paths_shard(ctx, ops[i].key, &plan->shards[i]))
			return false;
	return store_paths_make_directory(ctx, store, &plan->directory);
}

/* The lowest shard above the given one; -1: there is none. */
static int
next_shard(const struct plan *plan, int after)
{
	int next = -1;

	for (size_t i = 0; i < plan->op_count; i++)
		if (plan->shards[i] > after && (next < 0 || plan->shards[i] < next))
			next = plan->shards[i];
	return next;
}

static bool
lock_shards(struct ctx *ctx, struct plan *plan)
{
	const char *path;

	if (!store_paths_locks(ctx, plan->store, &path))
		return false;
	for (int shard = next_shard(plan, -1); shard >= 0; shard = next_shard(plan, shard)) {
		struct lock *lock = &plan->locks[plan->lock_count];

		if (!lock_acquire(ctx, path, shard, STORE_WAIT_MS, lock))
			return false;
		plan->lock_count++;
	}
	return true;
}

static void
unlock_shards(struct plan *plan)
{
	while (plan->lock_count > 0)
		lock_release(&plan->locks[--plan->lock_count]);
}

/* A corrupt record can be replaced, but not edited. */
static bool
read_old(
    struct ctx *ctx, const char *path, const struct store_op *op, const char **old, bool *corrupt)
{
	*corrupt = false;
	if (shard_get(ctx, path, op->key, old))
		return true;
	if (ctx->kind != FAULT_CORRUPT || !store_op_is_put(op))
		return false;
	ctx_clear_fault(ctx);
	*old = NULL;
	*corrupt = true;
	return true;
}

static bool
resolve_op(struct ctx *ctx, struct plan *plan, const struct store_op *op, int shard)
{
	const char *path;
	const char *old;
	const char *value;
	bool corrupt;

	if (!store_paths_file(ctx, plan->store, shard, &path)
	    || !read_old(ctx, path, op, &old, &corrupt))
		return false;
	value = old;
	if (!op->edit(ctx, op->arg, old, &value))
		return false;
	if (value != NULL && strlen(value) > STORE_VALUE_MAX)
		return fault(ctx, FAULT_SERVER, "a record is over %d bytes", STORE_VALUE_MAX);
	if (corrupt || store_op_differs(op, old, value))
		plan->changes[plan->change_count++] =
		    (struct change){ shard, { op->key, value, op->expires } };
	return true;
}

static bool
resolve(struct ctx *ctx, struct plan *plan, const struct store_op *ops)
{
	for (size_t i = 0; i < plan->op_count; i++)
		if (!resolve_op(ctx, plan, &ops[i], plan->shards[i]))
			return false;
	return true;
}

/* One past the end of the consecutive changes that share the shard of the first. */
static size_t
end_of_run(const struct plan *plan, size_t first)
{
	size_t end = first + 1;

	while (end < plan->change_count && plan->changes[end].shard == plan->changes[first].shard)
		end++;
	return end;
}

/* The changes before end that concern the given shard. */
static size_t
ops_of_shard(const struct plan *plan, int shard, size_t end, struct shard_op ops[STORE_OPS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < end; i++)
		if (plan->changes[i].shard == shard)
			ops[count++] = plan->changes[i].op;
	return count;
}

/* Lets the fault of a copy in memory name the shard: the name of the copy tells nothing. */
static void
name_shard(struct ctx *ctx, const struct step *step)
{
	char reason[CTX_REASON_MAX];
	enum fault_kind kind = ctx->kind;
	size_t len = step->copy == NULL ? 0 : strlen(step->copy);

	if (step->fd < 0 || strncmp(ctx->reason, step->copy, len) != 0)
		return;
	memcpy(reason, ctx->reason, sizeof reason);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, kind, "%s%s", step->path, reason + len);
}

/* The copy is named after a shard whose lock is held, so no other writer uses that name:
 * the shard of the first operation and the number of the step.  A copy that a killed writer left is
 * overwritten by the next commit whose first operation is on that shard and which has as many
 * steps. */
static bool
prepare_step(struct ctx *ctx, struct plan *plan, size_t end)
{
	struct step *step = &plan->steps[plan->step_count];
	int shard = plan->changes[end - 1].shard;
	struct shard_op ops[STORE_OPS_MAX];
	size_t count = ops_of_shard(plan, shard, end, ops);

	*step = (struct step){ .fd = -1 };
	if (!store_paths_file(ctx, plan->store, shard, &step->path)
	    || !ctx_printf(ctx, &step->copy, "%s/%03x.%zu.new", plan->directory,
		(unsigned)plan->shards[0], plan->step_count)
	    || (plan->rehearsal && !shard_copy_in_memory(ctx, &step->copy, &step->fd))
	    || !shard_prepare(ctx, step->path, step->copy, ops, count)) {
		name_shard(ctx, step);
		shard_copy_remove(step->copy, step->fd);
		return false;
	}
	plan->step_count++;
	return plan->rehearsal || disk_reserve_check_size(ctx, plan->directory, step->copy);
}

static bool
prepare(struct ctx *ctx, struct plan *plan)
{
	for (size_t end = 0; end < plan->change_count;) {
		end = end_of_run(plan, end);
		if (!prepare_step(ctx, plan, end))
			return false;
	}
	return true;
}

static void
roll_back(struct plan *plan)
{
	while (plan->step_count > 0) {
		const struct step *step = &plan->steps[--plan->step_count];

		shard_copy_remove(step->copy, step->fd);
	}
}

/* On a full disk tries again with the space that was reserved for this. */
static bool
prepare_with_reserve(struct ctx *ctx, struct plan *plan)
{
	bool faulty = ctx->kind != FAULT_NONE;

	if (prepare(ctx, plan))
		return true;
	roll_back(plan);
	if (!faulty)
		ctx_clear_fault(ctx);
	disk_reserve_release(ctx, plan->directory);
	return prepare(ctx, plan);
}

static bool
commit(struct ctx *ctx, const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (!shard_commit(ctx, plan->steps[i].path, plan->steps[i].copy))
			return false;
	return plan->step_count == 0 || file_sync_directory(ctx, plan->directory);
}

/* A rehearsal ends before the commit, and leaves nothing. */
bool
store_files_perform(struct ctx *ctx, const struct store_config *store, const struct store_op *ops,
    size_t count, bool rehearsal)
{
	struct plan plan;
	bool ok;

	ok = make_plan(ctx, store, ops, count, &plan);
	plan.rehearsal = rehearsal;
	ok = ok && lock_shards(ctx, &plan) && resolve(ctx, &plan, ops)
	    && prepare_with_reserve(ctx, &plan) && (rehearsal || commit(ctx, &plan));
	if (!ok || rehearsal)
		roll_back(&plan);
	unlock_shards(&plan);
	return ok;
}
