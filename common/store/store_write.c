/* store_write.c - changing records of the store, one or several together; see store.h.
 *
 *   the writers' locks of all shards concerned, in ascending order: so nobody waits in a circle
 *   what each record becomes
 *   a copy of each shard with its changes, on disk, and another where its changes must not all come
 *   at once; they are named after the first change's shard, whose lock keeps others from that name,
 *   so that a killed writer's copies are in the next one's way
 *   the copies take the shards' places, and then the directory is brought to disk
 *
 * Up to the last step all that was done can be taken back, and what fails fails there: the disk has
 * room for the copies, and their names are in the directory already.
 */
#include "store/store.h"

#include "base/file.h"
#include "store/disk_reserve.h"
#include "store/shard.h"
#include "store/store_paths.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Changes as they will be written. */
struct plan {
	const struct store_config *store;
	const char *directory;
	struct step {
		int shard;
		bool needed;      /* the record becomes another */
		const char *copy; /* of its shard, whose place it takes then; NULL: none */
		struct shard_op op;
	} step[STORE_OPS_MAX];
	size_t count;
};

/* The lowest shard above that one; -1: there is none. */
static int
next_shard(const struct plan *plan, int after)
{
	int next = -1;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].shard > after && (next < 0 || plan->step[i].shard < next))
			next = plan->step[i].shard;
	return next;
}

/* The last of the needed changes that can take their places with that one: up to there no other
 * shard is changed. */
static size_t
last_with(const struct plan *plan, size_t first)
{
	size_t last = first;

	for (size_t i = first + 1; i < plan->count; i++) {
		if (!plan->step[i].needed)
			continue;
		if (plan->step[i].shard != plan->step[first].shard)
			break;
		last = i;
	}
	return last;
}

/* The changes that the shard of a step needs up to there. */
static size_t
ops_up_to(const struct plan *plan, size_t last, struct shard_op of_shard[STORE_OPS_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i <= last; i++)
		if (plan->step[i].shard == plan->step[last].shard && plan->step[i].needed)
			of_shard[count++] = plan->step[i].op;
	return count;
}

static bool
make_plan(struct ctx *ctx, const struct store_config *store, const struct store_op *ops,
    size_t count, struct plan *plan)
{
	*plan = (struct plan){ .store = store, .count = count };
	if (count > STORE_OPS_MAX)
		return fault(ctx, FAULT_SERVER, "%zu changes together are too many", count);
	for (size_t i = 0; i < count; i++) {
		plan->step[i].op.key = ops[i].key;
		plan->step[i].op.expires = ops[i].expires;
		if (!store_paths_shard(ctx, ops[i].key, &plan->step[i].shard))
			return false;
	}
	return store_paths_make_directory(ctx, store, &plan->directory);
}

static void
release(struct lock *locks, size_t held)
{
	while (held > 0)
		lock_release(&locks[--held]);
}

static bool
take_locks(struct ctx *ctx, const struct plan *plan, struct lock *locks, size_t *held)
{
	const char *path;

	*held = 0;
	if (!store_paths_locks(ctx, plan->store, &path))
		return false;
	for (int shard = next_shard(plan, -1); shard >= 0; shard = next_shard(plan, shard)) {
		if (!lock_take(ctx, path, shard, STORE_WAIT_MS, &locks[*held])) {
			release(locks, *held);
			return false;
		}
		++*held;
	}
	return true;
}

static bool
replace(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	(void)ctx;
	(void)old;
	*value = arg;
	return true;
}

/* What the record is; what was corrupt may be replaced, but not edited. */
static bool
read_old(
    struct ctx *ctx, const char *path, const struct store_op *op, const char **old, bool *corrupt)
{
	*corrupt = false;
	if (shard_get(ctx, path, op->key, old))
		return true;
	if (ctx->kind != FAULT_CORRUPT || op->edit != replace)
		return false;
	ctx_clear_fault(ctx);
	*old = NULL;
	*corrupt = true;
	return true;
}

/* What one record becomes.  A value that is the same again needs no writing, unless it is to live
 * longer. */
static bool
decide(
    struct ctx *ctx, const struct store_config *store, const struct store_op *op, struct step *step)
{
	const char *old;
	const char *path;
	const char *value;
	bool corrupt;

	if (!store_paths_file(ctx, store, step->shard, &path)
	    || !read_old(ctx, path, op, &old, &corrupt))
		return false;
	value = old;
	if (!op->edit(ctx, op->arg, old, &value))
		return false;
	if (value != NULL && strlen(value) > STORE_VALUE_MAX)
		return fault(ctx, FAULT_SERVER, "a record is over %d bytes", STORE_VALUE_MAX);
	step->op.value = value;
	step->needed = corrupt || value != old;
	if (step->needed && old != NULL && value != NULL && op->expires == 0)
		step->needed = strcmp(value, old) != 0;
	return true;
}

static void
abandon(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].copy != NULL)
			unlink(plan->step[i].copy);
}

/* The room that is kept for copies is to be for one as large. */
static void
compare_with_room(struct ctx *ctx, const struct plan *plan, const char *copy)
{
	struct stat st;

	if (stat(copy, &st) == 0)
		disk_reserve_check_size(ctx, plan->directory, st.st_size);
}

static bool
prepare_step(struct ctx *ctx, struct plan *plan, size_t last, size_t number)
{
	struct shard_op of_shard[STORE_OPS_MAX];
	struct step *step = &plan->step[last];
	size_t count = ops_up_to(plan, last, of_shard);
	const char *path;

	return store_paths_file(ctx, plan->store, step->shard, &path)
	    && ctx_printf(ctx, &step->copy, "%s/%03x.%zu.new", plan->directory,
		(unsigned)plan->step[0].shard, number)
	    && shard_prepare(ctx, path, step->copy, of_shard, count);
}

/* All copies, or none. */
static bool
prepare(struct ctx *ctx, struct plan *plan)
{
	size_t copies = 0;

	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->step[i].needed)
			continue;
		i = last_with(plan, i);
		if (!prepare_step(ctx, plan, i, copies++)) {
			abandon(plan);
			return false;
		}
		compare_with_room(ctx, plan, plan->step[i].copy);
	}
	return true;
}

/* On a full disk with the room that was kept for this. */
static bool
prepare_with_reserve(struct ctx *ctx, struct plan *plan)
{
	bool faulty = ctx->kind != FAULT_NONE;

	if (prepare(ctx, plan))
		return true;
	if (!faulty)
		ctx_clear_fault(ctx);
	disk_reserve_release(ctx, plan->directory);
	return prepare(ctx, plan);
}

/* In the order of the changes: no record is new while one that was to precede it is old. */
static bool
commit(struct ctx *ctx, const struct plan *plan)
{
	bool any = false;
	const char *path;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->step[i].copy != NULL) {
			any = true;
			if (!store_paths_file(ctx, plan->store, plan->step[i].shard, &path)
			    || !shard_commit(ctx, path, plan->step[i].copy)) {
				abandon(plan);
				return false;
			}
		}
	return !any || file_sync_directory(ctx, plan->directory);
}

static bool
change_locked(struct ctx *ctx, struct plan *plan, const struct store_op *ops)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!decide(ctx, plan->store, &ops[i], &plan->step[i]))
			return false;
	return prepare_with_reserve(ctx, plan) && commit(ctx, plan);
}

bool
store_commit(
    struct ctx *ctx, const struct store_config *store, const struct store_op *ops, size_t count)
{
	struct lock locks[STORE_OPS_MAX];
	struct plan plan;
	size_t held;
	bool ok;

	if (!make_plan(ctx, store, ops, count, &plan) || !take_locks(ctx, &plan, locks, &held))
		return false;
	ok = change_locked(ctx, &plan, ops);
	release(locks, held);
	return ok;
}

bool
store_update(struct ctx *ctx, const struct store_config *store, const char *key, time_t expires,
    store_edit *edit, void *arg)
{
	const struct store_op op = { key, expires, edit, arg };

	return store_commit(ctx, store, &op, 1);
}

struct store_op
store_op_put(const char *key, const char *value, time_t expires)
{
	return (struct store_op){ key, expires, replace, (void *)(uintptr_t)value };
}

bool
store_put(struct ctx *ctx, const struct store_config *store, const char *key, const char *value,
    time_t expires)
{
	const struct store_op op = store_op_put(key, value, expires);

	return store_commit(ctx, store, &op, 1);
}

bool
store_erase(struct ctx *ctx, const struct store_config *store, const char *key)
{
	return store_put(ctx, store, key, NULL, 0);
}
