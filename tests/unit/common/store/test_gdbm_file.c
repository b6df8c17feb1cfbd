/* test_gdbm_file.c - GDBM files in use, and what a damaged one costs. */
#include "../../folder.h"

#include "store/gdbm_file.h"

#define RECORDS 200

static datum
datum_of(char *s)
{
	return (datum){ .dptr = s, .dsize = (int)strlen(s) };
}

static bool
put_records(struct work *w, const struct database *db, void *arg)
{
	char key[32];
	char value[200];

	(void)w;
	(void)arg;
	for (int i = 0; i < RECORDS; i++) {
		snprintf(key, sizeof key, "key %d", i);
		snprintf(value, sizeof value, "%0150d", i);
		if (gdbm_store(db->file, datum_of(key), datum_of(value), GDBM_REPLACE) != 0)
			return database_fault(w, db, "cannot be written");
	}
	return gdbm_sync(db->file) == 0;
}

static bool
count_records(struct work *w, const struct database *db, void *arg)
{
	int *count = arg;
	datum key = gdbm_firstkey(db->file);

	while (key.dptr != NULL) {
		datum next;

		database_free(gdbm_fetch(db->file, key));
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
		++*count;
	}
	if (gdbm_errno != GDBM_ITEM_NOT_FOUND)
		return database_fault(w, db, "cannot be read");
	return true;
}

static bool
refuse(struct work *w, const struct database *db, void *arg)
{
	(void)db;
	++*(int *)arg;
	return fault(w, FAULT_CLAIMED, "not this one");
}

static void
uses_files(void **state)
{
	char path[PATH_SIZE];
	struct work w;
	int count = 0;

	path_in(*state, "a.gdbm", path);
	open_room(&w);
	assert_true(database_read(&w, path, count_records, &count));
	DEMAND("without a file it is not used", count == 0);
	assert_int_equal(folder_count(*state, ".gdbm"), 0);

	assert_true(database_write(&w, path, put_records, NULL));
	assert_true(database_read(&w, path, count_records, &count));
	assert_int_equal(count, RECORDS);

	count = 0;
	assert_false(database_read(&w, path, refuse, &count));
	DEMAND("the fault of the use stays", w.kind == FAULT_CLAIMED && count == 1);
	work_wipe(&w);
	assert_false(database_read(&w, *state, refuse, &count));
	DEMAND("a folder is no file", w.kind == FAULT_STORAGE && count == 1);
	work_close(&w);
}

struct nested {
	const char *sound, *damaged;
	int count;
};

/* Opens a damaged file while a sound one is in use, and goes on with the sound one. */
static bool
use_another(struct work *w, const struct database *db, void *arg)
{
	struct nested *nested = arg;
	int count = 0;

	if (database_read(w, nested->damaged, count_records, &count) || w->kind != FAULT_STORAGE)
		return fault(w, FAULT_SERVER, "the damage was not noticed");
	work_recover(w);
	return count_records(w, db, &nested->count);
}

/* A copy whose directory leads behind the file's end, for which GDBM would end the process. */
static void
cut(const char *path, const char *to)
{
	size_t len;
	uint8_t *bytes = file_read(path, &len);

	file_write(to, bytes, len / 2, 0600);
	free(bytes);
}

static int
descriptors(void)
{
	return folder_count("/proc/self/fd", "");
}

static void
survives_damage(void **state)
{
	char sound[PATH_SIZE];
	char damaged[PATH_SIZE];
	struct nested nested = { sound, damaged, 0 };
	struct work w;
	int before;

	path_in(*state, "sound.gdbm", sound);
	path_in(*state, "damaged.gdbm", damaged);
	open_room(&w);
	assert_true(database_write(&w, sound, put_records, NULL));
	before = descriptors();
	for (int i = 0; i < 20; i++) {
		int count = 0;

		cut(sound, damaged);
		assert_false(database_read(&w, damaged, count_records, &count));
		assert_int_equal(w.kind, FAULT_STORAGE);
		has_text("the reason", w.reason, damaged);
		work_wipe(&w);
		cut(sound, damaged);
		assert_false(database_write(&w, damaged, put_records, NULL));
		assert_int_equal(w.kind, FAULT_STORAGE);
		work_wipe(&w);
	}
	same_number("open files", descriptors(), before);

	cut(sound, damaged);
	if (!database_read(&w, sound, use_another, &nested))
		fail_msg("%s", w.reason);
	same_number("records of the sound file", nested.count, RECORDS);
	same_number("open files", descriptors(), before);
	work_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(uses_files),
		IN_FOLDER(survives_damage),
	};

	return cmocka_run_group_tests_name("database", tests, NULL, NULL);
}
