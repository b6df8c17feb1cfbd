/* test_shard_corrupt.c - a corrupt shard gives a fault or the right value, never another value, and
 * never terminates the process.
 *
 * GDBM keeps no checksum of its directory, so a record may be missing without a fault.
 */
#include "../../child.h"
#include "../../folder.h"

#include "../../shard_set.h"

#include <stdio.h>
#include <sys/mman.h>

#define ROUNDS       400
#define RECORDS      40
#define VALUE_LEN    300
#define FILE_MAX     (1 << 20)
#define ROUND_MAX_S  5
#define HEADER_BYTES 8192 /* GDBM's header and directory: where corruption does most harm */

/* xorshift64: the same corruption in every run. */
static uint32_t
below(uint64_t *random, size_t limit)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (uint32_t)((*random >> 20) % limit);
}

static void
key_of(int i, char key[32])
{
	snprintf(key, 32, "connection:%d:1", i);
}

static void
value_of(int i, char value[VALUE_LEN + 1])
{
	memset(value, 'a' + i % 26, VALUE_LEN);
	value[VALUE_LEN] = '\0';
	value[snprintf(value, VALUE_LEN, "%d:", i)] = 'x';
}

static void
make_shard(const char *path)
{
	char key[32];
	char value[VALUE_LEN + 1];

	for (int i = 0; i < RECORDS; i++) {
		key_of(i, key);
		value_of(i, value);
		put(path, key, value, 0);
	}
}

struct file_bytes {
	uint8_t bytes[FILE_MAX];
	size_t len;
};

enum corruption { BITS, BYTES, CUT, BLOCK, LONGER, CORRUPTIONS };

static void
corrupt_file(struct file_bytes *file, uint64_t random)
{
	size_t area = below(&random, 2) && HEADER_BYTES < file->len ? HEADER_BYTES : file->len;
	size_t times = 1 + below(&random, 8);
	size_t at;

	switch ((enum corruption)below(&random, CORRUPTIONS)) {
	case BITS:
		while (times-- > 0)
			file->bytes[below(&random, area)] ^= (uint8_t)(1 << below(&random, 8));
		break;
	case BYTES:
		while (times-- > 0) {
			at = below(&random, area);
			file->bytes[at] = (uint8_t)(file->bytes[at] + 1 + below(&random, 255));
		}
		break;
	case CUT:
		file->len = below(&random, file->len);
		break;
	case BLOCK:
		at = below(&random, file->len / 512) * (size_t)512;
		memset(file->bytes + at, below(&random, 2) ? 0xff : 0x3c, 512);
		break;
	default:
		file->bytes[file->len++] = 'x';
	}
}

static bool
visit(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	int *count = arg;
	char expected[VALUE_LEN + 1];

	(void)ctx;
	value_of((int)strtol(key + strlen("connection:"), NULL, 10), expected);
	return ++*count <= RECORDS && (value == NULL || strcmp(value, expected) == 0);
}

/* For the parent: why a round failed. */
struct report {
	char text[200];
};

struct attempt {
	const char *path;
	struct report *report; /* shared with the parent */
};

static bool
report_failure(struct report *report, const char *what, int i)
{
	snprintf(report->text, sizeof report->text, "%s %d", what, i);
	return false;
}

/* Each record has its right value, is missing, or gives a fault. */
static bool
reads(const struct attempt *attempt)
{
	char key[32];
	char expected[VALUE_LEN + 1];

	for (int i = 0; i < RECORDS; i++) {
		struct ctx ctx;
		const char *value;

		if (!ctx_open(&ctx, ARENA_SIZE))
			return false;
		key_of(i, key);
		value_of(i, expected);
		if (shard_get(&ctx, attempt->path, key, &value)) {
			if (value != NULL && strcmp(value, expected) != 0)
				return report_failure(
				    attempt->report, "another value in record", i);
		} else if (ctx.kind != FAULT_STORAGE && ctx.kind != FAULT_CORRUPT)
			return report_failure(attempt->report, "unexpected fault", (int)ctx.kind);
		ctx_close(&ctx);
	}
	return true;
}

static bool
visits(const struct attempt *attempt)
{
	struct ctx ctx;
	int count = 0;
	bool ok;

	if (!ctx_open(&ctx, ARENA_SIZE))
		return false;
	ok = shard_each(&ctx, attempt->path, "connection:", visit, &count);
	if (ok ? count > RECORDS : ctx.kind != FAULT_STORAGE)
		return report_failure(
		    attempt->report, "unexpected fault or record in visit", count);
	ctx_close(&ctx);
	return true;
}

static bool
changes(const struct attempt *attempt)
{
	struct ctx ctx;
	const char *value;

	if (!ctx_open(&ctx, ARENA_SIZE))
		return false;
	if (!shard_set(&ctx, attempt->path, "connection:7:1", "new", 0))
		return ctx.kind == FAULT_STORAGE
		    || report_failure(attempt->report, "unexpected fault", (int)ctx.kind);
	if (!shard_get(&ctx, attempt->path, "connection:7:1", &value) || value == NULL
	    || strcmp(value, "new") != 0)
		return report_failure(attempt->report, "put, but not read back: record", 7);
	ctx_close(&ctx);
	return true;
}

static bool
use_corrupt(void *arg)
{
	const struct attempt *attempt = arg;

	alarm(ROUND_MAX_S);
	snprintf(attempt->report->text, sizeof attempt->report->text, "%s", "");
	return reads(attempt) && visits(attempt) && changes(attempt);
}

static void
survives_corruption(void **state)
{
	static struct file_bytes whole;
	static struct file_bytes corrupt;
	char path[PATH_SIZE];
	struct attempt attempt = { .path = path };
	char label[64];
	uint8_t *bytes;

	path_in(*state, "00.gdbm", path);
	make_shard(path);
	bytes = file_read(path, &whole.len);
	assert_true(whole.len < FILE_MAX);
	memcpy(whole.bytes, bytes, whole.len);
	free(bytes);
	attempt.report = mmap(NULL, sizeof *attempt.report, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(attempt.report != MAP_FAILED);

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		int status;

		corrupt = whole;
		corrupt_file(&corrupt, round * UINT64_C(0x9e3779b97f4a7c15));
		file_write(path, corrupt.bytes, corrupt.len, 0600);
		snprintf(label, sizeof label, "corruption of round %d", (int)round);
		status = child_status(child_start(use_corrupt, &attempt));
		if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_FALSE)
			fail_msg("%s: %s", label, attempt.report->text);
		child_says_true(label, status);
	}
	munmap(attempt.report, sizeof *attempt.report);
}

static void
reports_files_that_are_not_shards(void **state)
{
	static const struct {
		const char *label, *bytes;
		size_t len;
	} table[] = {
		{ "an empty file", "", 0 },
		{ "one byte", "x", 1 },
		{ "JSON", "{\"access_token\":\"eyJ\"}\n", 23 },
		{ "GDBM's magic number alone", "\xcf\x9a\x57\x13", 4 },
	};
	char path[PATH_SIZE];
	int count = 0;

	path_in(*state, "00.gdbm", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *value;

		file_write(path, table[i].bytes, table[i].len, 0600);
		open_ctx(&ctx);
		same_fault(
		    table[i].label, &ctx, shard_get(&ctx, path, "a:1", &value), FAULT_STORAGE);
		has_text(table[i].label, ctx.reason, path);
		ctx_wipe(&ctx);
		same_fault(
		    table[i].label, &ctx, shard_each(&ctx, path, "", visit, &count), FAULT_STORAGE);
		ctx_close(&ctx);
	}
	assert_int_equal(count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(survives_corruption),
		IN_FOLDER(reports_files_that_are_not_shards),
	};

	return cmocka_run_group_tests_name("shard, corrupt", tests, NULL, NULL);
}
