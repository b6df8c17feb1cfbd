/* test_gdbm_file.c - reading and writing GDBM files, and surviving corrupt ones. */
#include "../../folder.h"

#include "store/gdbm_file.h"

#define RECORDS 200

static datum
datum_of(char *s)
{
	return (datum){ .dptr = s, .dsize = (int)strlen(s) };
}

static bool
put_records(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	char key[32];
	char value[200];

	(void)ctx;
	(void)arg;
	for (int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof key, "key %d", i);
		snprintf(value, sizeof value, "%0150d", i);
		if (gdbm_store(db->file, datum_of(key), datum_of(value), GDBM_REPLACE) != 0)
			return gdbm_file_fault(ctx, db, "cannot be written");
	}
	return gdbm_sync(db->file) == 0;
}

static bool
count_records(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	int *count = arg;
	datum key = gdbm_firstkey(db->file);

	while (key.dptr != NULL) {
		datum next;

		gdbm_file_free_datum(gdbm_fetch(db->file, key));
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
		++*count;
	}
	if (gdbm_errno != GDBM_ITEM_NOT_FOUND)
		return gdbm_file_fault(ctx, db, "cannot be read");
	return true;
}

static bool
refuse(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	(void)db;
	++*(int *)arg;
	return fault(ctx, FAULT_CLAIMED, "refused");
}

static void
reads_and_writes_files(void **state)
{
	char path[PATH_SIZE];
	struct ctx ctx;
	int count = 0;

	path_in(*state, "a.gdbm", path);
	open_ctx(&ctx);
	assert_true(gdbm_file_read(&ctx, path, count_records, &count));
	DEMAND("without a file nothing is called", count == 0);
	assert_int_equal(folder_count(*state, ".gdbm"), 0);

	assert_true(gdbm_file_write(&ctx, path, put_records, NULL));
	assert_true(gdbm_file_read(&ctx, path, count_records, &count));
	assert_int_equal(count, RECORDS);

	count = 0;
	assert_false(gdbm_file_read(&ctx, path, refuse, &count));
	DEMAND("the fault of the call is kept", ctx.kind == FAULT_CLAIMED && count == 1);
	ctx_wipe(&ctx);
	assert_false(gdbm_file_read(&ctx, *state, refuse, &count));
	DEMAND("a folder is not a file", ctx.kind == FAULT_STORAGE && count == 1);
	ctx_close(&ctx);
}

struct nested {
	const char *ok, *corrupt;
	int count;
};

/* Opens a corrupt file while an intact one is in use, and continues with the intact one. */
static bool
use_another(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	struct nested *nested = arg;
	int count = 0;

	if (gdbm_file_read(ctx, nested->corrupt, count_records, &count)
	    || ctx->kind != FAULT_STORAGE)
		return fault(ctx, FAULT_SERVER, "the corruption was not detected");
	ctx_clear_fault(ctx);
	return count_records(ctx, db, &nested->count);
}

/* Makes a copy whose directory points past the end of the file; GDBM would terminate the
 * process. */
static void
copy_half(const char *path, const char *to)
{
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	file_write(to, bytes, len / 2, 0600);
	free(bytes);
}

static int
count_descriptors(void)
{
	return folder_count("/proc/self/fd", "");
}

static void
survives_corrupt_files(void **state)
{
	char ok[PATH_SIZE];
	char corrupt[PATH_SIZE];
	struct nested nested = { ok, corrupt, 0 };
	struct ctx ctx;
	int before;

	path_in(*state, "intact.gdbm", ok);
	path_in(*state, "corrupt.gdbm", corrupt);
	open_ctx(&ctx);
	assert_true(gdbm_file_write(&ctx, ok, put_records, NULL));
	before = count_descriptors();
	for (int i = 0; i < 20; i++) {
		int count = 0;

		copy_half(ok, corrupt);
		assert_false(gdbm_file_read(&ctx, corrupt, count_records, &count));
		assert_int_equal(ctx.kind, FAULT_STORAGE);
		has_text("the reason", ctx.reason, corrupt);
		ctx_wipe(&ctx);
		copy_half(ok, corrupt);
		assert_false(gdbm_file_write(&ctx, corrupt, put_records, NULL));
		assert_int_equal(ctx.kind, FAULT_STORAGE);
		ctx_wipe(&ctx);
	}
	same_number("open descriptors", count_descriptors(), before);

	copy_half(ok, corrupt);
	if (!gdbm_file_read(&ctx, ok, use_another, &nested))
		fail_msg("%s", ctx.reason);
	same_number("records of the intact file", nested.count, RECORDS);
	same_number("open descriptors", count_descriptors(), before);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(reads_and_writes_files),
		IN_FOLDER(survives_corrupt_files),
	};

	return cmocka_run_group_tests_name("gdbm file", tests, NULL, NULL);
}
