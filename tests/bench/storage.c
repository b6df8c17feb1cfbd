/* storage.c - the store and the journal by themselves, called as the programs call them.
 *
 *   storage fill   STORE COUNT OF KEY      a new store of COUNT connections like KEY of the store OF
 *   storage get    STORE COUNT ROUNDS      reads ROUNDS of them; prints what each took, in us
 *   storage change STORE COUNT ROUNDS      writes ROUNDS of them; the same
 *   storage append STORE WRITERS EVENTS    as many events from each writer; prints seconds and bytes
 *
 * Filling writes the shards themselves: a hundred thousand changes, each with its copy and its
 * fsync, would take minutes.
 */
#include "connection/record.h"
#include "events/journal.h"
#include "store/store.h"
#include "store/store_paths.h"
#include "store/value.h"

#include <gdbm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROOM_SIZE  (64u << 20) /* bytes, as for a request */
#define EVENT_SIZE 2600        /* bytes; what a form of 2 KB becomes */

static const int64_t first_account = 40000000;

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
fail(const struct work *w)
{
	fprintf(stderr, "storage: %s\n", w->reason);
	return EXIT_FAILURE;
}

static bool
insert(struct work *w, GDBM_FILE *shards, const char *key, const char *value)
{
	size_t len = strlen(key);
	int shard;
	struct stored stored;
	datum k = { .dptr = (char *)(uintptr_t)key, .dsize = (int)len };
	datum v;

	if (!layout_shard(w, key, &shard) || !stored_make(w, key, len, value, 0, &stored))
		return false;
	v.dptr = (char *)(uintptr_t)stored.bytes;
	v.dsize = (int)stored.len;
	return gdbm_store(shards[shard], k, v, GDBM_REPLACE) == 0
	    || fault(w, FAULT_STORAGE, "gdbm_store: %s", gdbm_strerror(gdbm_errno));
}

/* The three records a connection has where each app user has one's own. */
static bool
insert_connection(struct work *w, GDBM_FILE *shards, long i, const char *value)
{
	const char *key;
	const char *account;
	const char *app;

	return record_key(w, first_account + i, 1, &key)
	    && work_print(w, &account, "account:%lld", (long long)(first_account + i))
	    && work_print(w, &app, "app:user-%ld", i) && insert(w, shards, key, value)
	    && insert(w, shards, account, "1") && insert(w, shards, app, key);
}

static bool
open_shards(struct work *w, const struct store_config *store, GDBM_FILE *shards)
{
	const char *path;

	if (!work_print(w, &path, "%s/connections", store->path))
		return false;
	mkdir(path, 0700);
	for (int i = 0; i < LAYOUT_SHARDS; i++) {
		if (!layout_file(w, store, i, &path))
			return false;
		shards[i] = gdbm_open(path, 0, GDBM_NEWDB | GDBM_NOLOCK, 0600, NULL);
		if (shards[i] == NULL)
			return fault(w, FAULT_STORAGE, "%s: %s", path, gdbm_strerror(gdbm_errno));
	}
	return true;
}

static int
fill(struct work *w, const struct store_config *store, char **argv)
{
	struct store_config model = { .path = argv[4] };
	GDBM_FILE shards[LAYOUT_SHARDS];
	const char *value;
	long count = strtol(argv[3], NULL, 10);
	bool done = store_get(w, &model, argv[5], &value)
	    && (value != NULL || fault(w, FAULT_STORAGE, "%s: no such record", argv[5]))
	    && open_shards(w, store, shards);

	if (!done)
		return fail(w);
	for (long i = 0; done && i < count; i++) {
		size_t mark = work_mark(w);

		done = insert_connection(w, shards, i, value);
		work_release(w, mark);
	}
	for (int i = 0; i < LAYOUT_SHARDS; i++)
		gdbm_close(shards[i]);
	sync(); /* or the disk is still busy with it when the first change is measured */
	return done ? EXIT_SUCCESS : fail(w);
}

/* A different one each time, and the same ones in every run. */
static long
next(unsigned *seed, long count)
{
	*seed = *seed * 1664525 + 1013904223;
	return (long)((uint64_t)*seed * (uint64_t)count >> 32);
}

/* As long as the value, and not the same: that would be left as it is. */
static bool
make_another(struct work *w, const char *value, const char **another)
{
	size_t len = strlen(value);
	char *copy;

	if (!work_alloc(w, len + 1, &copy))
		return false;
	memcpy(copy, value, len + 1);
	copy[len - 1] ^= 1;
	*another = copy;
	return true;
}

static bool
one(struct work *w, const struct store_config *store, bool changing, const char *key, double *us)
{
	const char *value;
	double began = now_us();
	bool done = store_get(w, store, key, &value);

	*us = now_us() - began;
	if (done && value == NULL)
		return fault(w, FAULT_STORAGE, "%s: no such record", key);
	if (!done || !changing)
		return done;
	if (!make_another(w, value, &value))
		return false;
	began = now_us();
	done = store_put(w, store, key, value, 0);
	*us = now_us() - began;
	return done;
}

static int
measure(struct work *w, const struct store_config *store, char **argv)
{
	bool changing = strcmp(argv[1], "change") == 0;
	long count = strtol(argv[3], NULL, 10);
	long rounds = strtol(argv[4], NULL, 10);
	unsigned seed = 1;

	for (long i = 0; i < rounds; i++) {
		const char *key;
		double us;

		if (!record_key(w, first_account + next(&seed, count), 1, &key)
		    || !one(w, store, changing, key, &us))
			return fail(w);
		printf("%.2f\n", us);
		work_wipe(w);
	}
	return EXIT_SUCCESS;
}

/* Begins when the pipe is closed, so that all writers begin together. */
static int
write_events(const struct journal *journal, const char *event, long events, int gate)
{
	struct work w;
	char byte;
	bool done = work_open(&w, ROOM_SIZE);

	if (read(gate, &byte, 1) != 0)
		return EXIT_FAILURE;
	for (long i = 0; done && i < events; i++) {
		done = journal_append(&w, journal, event);
		if (!done)
			fail(&w);
		work_wipe(&w);
	}
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
append(const struct store_config *store, char **argv)
{
	struct journal journal = journal_of(store);
	long writers = strtol(argv[3], NULL, 10);
	long events = strtol(argv[4], NULL, 10);
	static char event[EVENT_SIZE + 1];
	int gate[2];
	int status;
	bool done = true;
	double began;

	memset(event, 'x', EVENT_SIZE);
	if (pipe(gate) != 0)
		return EXIT_FAILURE;
	for (long i = 0; i < writers; i++)
		if (fork() == 0) {
			close(gate[1]);
			_exit(write_events(&journal, event, events, gate[0]));
		}
	close(gate[0]);
	began = now_us();
	close(gate[1]);
	while (wait(&status) > 0)
		done = done && status == 0;
	printf("%.6f %ld\n", (now_us() - began) / 1e6, writers * events * (EVENT_SIZE + 1));
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct store_config store = { .path = argc > 2 ? argv[2] : "" };
	struct work w;

	if (argc < 5 || !work_open(&w, ROOM_SIZE))
		return EXIT_FAILURE;
	if (strcmp(argv[1], "fill") == 0 && argc == 6)
		return fill(&w, &store, argv);
	if (strcmp(argv[1], "get") == 0 || strcmp(argv[1], "change") == 0)
		return measure(&w, &store, argv);
	if (strcmp(argv[1], "append") == 0)
		return append(&store, argv);
	return EXIT_FAILURE;
}
