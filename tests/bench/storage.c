/* storage.c - measures the store alone, called as the programs call it.
 *
 *   storage fill   STORE COUNT OF KEY     a new store of COUNT connections like KEY of the store OF
 *   storage get    STORE COUNT ROUNDS     reads ROUNDS of them; prints the time of each in us
 *   storage change STORE COUNT ROUNDS     writes ROUNDS of them; prints the time of each in us
 *
 * get and change of a database have its name and its password file as two more arguments.
 *
 * "fill" writes the shards directly: a hundred thousand changes, each with its copy and its fsync,
 * would take minutes.
 */
#include "connection/connection.h"
#include "store/store.h"
#include "store/store_paths.h"
#include "store/value.h"

#include <gdbm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ARENA_SIZE (64u << 20) /* bytes, as for a request */

static const int64_t first_account = 40000000;

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
fail(const struct ctx *ctx)
{
	fprintf(stderr, "storage: %s\n", ctx->reason);
	return EXIT_FAILURE;
}

static bool
insert(struct ctx *ctx, GDBM_FILE *shards, const char *key, const char *value)
{
	size_t len = strlen(key);
	int shard;
	struct encoded_value stored;
	datum k = { .dptr = (char *)(uintptr_t)key, .dsize = (int)len };
	datum v;

	if (!store_paths_shard(ctx, key, &shard) || !value_encode(ctx, key, len, value, 0, &stored))
		return false;
	v.dptr = (char *)(uintptr_t)stored.bytes;
	v.dsize = (int)stored.len;
	return gdbm_store(shards[shard], k, v, GDBM_REPLACE) == 0
	    || fault(ctx, FAULT_STORAGE, "gdbm_store: %s", gdbm_strerror(gdbm_errno));
}

/* The three records of a connection if each app user has their own. */
static bool
insert_connection(struct ctx *ctx, GDBM_FILE *shards, long i, const char *value)
{
	const char *key;
	const char *account;
	const char *app;

	return record_key(ctx, first_account + i, 1, &key)
	    && ctx_printf(ctx, &account, "account:%lld", (long long)(first_account + i))
	    && ctx_printf(ctx, &app, "app:user-%ld", i) && insert(ctx, shards, key, value)
	    && insert(ctx, shards, account, "1") && insert(ctx, shards, app, key);
}

static bool
open_shards(struct ctx *ctx, const struct store_config *store, GDBM_FILE *shards)
{
	const char *path;

	if (!ctx_printf(ctx, &path, "%s/connections", store->path))
		return false;
	mkdir(path, 0700);
	for (int i = 0; i < STORE_SHARDS; i++) {
		if (!store_paths_file(ctx, store, i, &path))
			return false;
		shards[i] = gdbm_open(path, 0, GDBM_NEWDB | GDBM_NOLOCK, 0600, NULL);
		if (shards[i] == NULL)
			return fault(ctx, FAULT_STORAGE, "%s: %s", path, gdbm_strerror(gdbm_errno));
	}
	return true;
}

static int
fill(struct ctx *ctx, const struct store_config *store, char **argv)
{
	struct store_config model = { .path = argv[4] };
	GDBM_FILE shards[STORE_SHARDS];
	const char *value;
	long count = strtol(argv[3], NULL, 10);
	bool ok = store_get(ctx, &model, argv[5], &value)
	    && (value != NULL || fault(ctx, FAULT_STORAGE, "%s: no such record", argv[5]))
	    && open_shards(ctx, store, shards);

	if (!ok)
		return fail(ctx);
	for (long i = 0; ok && i < count; i++) {
		size_t mark = arena_mark(ctx);

		ok = insert_connection(ctx, shards, i, value);
		arena_rewind(ctx, mark);
	}
	for (int i = 0; i < STORE_SHARDS; i++)
		gdbm_close(shards[i]);
	sync(); /* otherwise the disk is still busy during the first measurement */
	return ok ? EXIT_SUCCESS : fail(ctx);
}

/* A pseudo-random number below count; the same sequence in every run. */
static long
next(unsigned *seed, long count)
{
	*seed = *seed * 1664525 + 1013904223;
	return (long)((uint64_t)*seed * (uint64_t)count >> 32);
}

/* A different value of the same length, because an equal value would not be written. */
static bool
make_another(struct ctx *ctx, const char *value, const char **another)
{
	size_t len = strlen(value);
	char *copy;

	if (!ctx_alloc(ctx, len + 1, &copy))
		return false;
	memcpy(copy, value, len + 1);
	copy[len - 1] ^= 1;
	*another = copy;
	return true;
}

static bool
one(struct ctx *ctx, const struct store_config *store, bool changing, const char *key, double *us)
{
	const char *value;
	double began = now_us();
	bool ok = store_get(ctx, store, key, &value);

	*us = now_us() - began;
	if (ok && value == NULL)
		return fault(ctx, FAULT_STORAGE, "%s: no such record", key);
	if (!ok || !changing)
		return ok;
	if (!make_another(ctx, value, &value))
		return false;
	began = now_us();
	ok = store_put(ctx, store, key, value, 0);
	*us = now_us() - began;
	return ok;
}

static int
measure(struct ctx *ctx, const struct store_config *store, char **argv)
{
	bool changing = strcmp(argv[1], "change") == 0;
	long count = strtol(argv[3], NULL, 10);
	long rounds = strtol(argv[4], NULL, 10);
	unsigned seed = 1;

	for (long i = 0; i < rounds; i++) {
		const char *key;
		double us;

		if (!record_key(ctx, first_account + next(&seed, count), 1, &key)
		    || !one(ctx, store, changing, key, &us))
			return fail(ctx);
		printf("%.2f\n", us);
		ctx_wipe(ctx);
	}
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	struct store_config store = { .path = argc > 2 ? argv[2] : "" };
	struct ctx ctx;

	if (argc < 5 || !ctx_open(&ctx, ARENA_SIZE))
		return EXIT_FAILURE;
	if (argc == 7) {
		store.engine = ENGINE_POSTGRESQL;
		store.database = argv[5];
		store.password_file = argv[6];
	}
	if (strcmp(argv[1], "fill") == 0 && argc == 6)
		return fill(&ctx, &store, argv);
	if (strcmp(argv[1], "get") == 0 || strcmp(argv[1], "change") == 0)
		return measure(&ctx, &store, argv);
	return EXIT_FAILURE;
}
