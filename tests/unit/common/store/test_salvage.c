/* test_salvage.c - records are found in a damaged file by their checksums alone. */
#include "../../folder.h"

#include "store/salvage.h"
#include "store/shard.h"
#include "store/store_limits.h"
#include "store/value.h"

#include <string.h>

#define FILE_SIZE (STORE_VALUE_MAX + 4096)

static void
count_kept(void *arg, const char *key)
{
	(void)key;
	++*(int *)arg;
}

/* Appends key and value, as GDBM stores them; returns the new length. */
static size_t
put_record(
    struct ctx *ctx, uint8_t *file, size_t len, const char *key, const char *value, time_t expires)
{
	struct encoded_value encoded;

	assert_true(value_encode(ctx, key, strlen(key), value, expires, &encoded));
	memcpy(file + len, key, strlen(key));
	memcpy(file + len + strlen(key), encoded.bytes, encoded.len);
	return len + strlen(key) + encoded.len;
}

static char *
text_of(size_t len)
{
	char *text = calloc(1, len + 1);

	assert_non_null(text);
	memset(text, 'v', len);
	return text;
}

static void
finds_whole_records(void **state)
{
	static const struct {
		const char *label;
		const char *before;
		const char *key;
		size_t key_len; /* 0: the key as it is; else filled up to this */
		size_t value_len;
		time_t expires;
		const char *after;
		bool kept;
	} rows[] = {
		{ "at the start of the file", "", "connection:1:2", 0, 900, 0, "", true },
		{ "an empty value", "", "app:olena", 0, 0, 0, "zzz", true },
		{ "letters before and after it", "abc", "app:olena", 0, 14, 0, "connection:1:2",
		    true },
		{ "spaces and bytes over 127 in its key", "x", "app:\xd1\x97 \n\"", 0, 14, 0, "",
		    true },
		{ "it expires", "", "code:00", 0, 40, 4102444800, "", true },
		{ "it has expired", "", "code:00", 0, 40, 1000000000, "", false },
		{ "the longest key", "", "app:", STORE_KEY_MAX, 40, 0, "", true },
		{ "a key over that", "", "app:", STORE_KEY_MAX + 1, 40, 0, "", false },
		{ "the longest value", "", "app:a", 0, STORE_VALUE_MAX, 0, "", true },
		{ "a value over that", "", "app:a", 0, STORE_VALUE_MAX + 1, 0, "", false },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		char path[PATH_SIZE];
		char to[PATH_SIZE];
		char key[STORE_KEY_MAX + 2];
		char *value = text_of(rows[i].value_len);
		uint8_t *file = calloc(1, FILE_SIZE);
		const char *read;
		size_t len = strlen(rows[i].before);
		int kept = 0;
		struct ctx ctx;

		open_ctx(&ctx);
		path_in(*state, "damaged", path);
		path_in(*state, "whole", to);
		snprintf(key, sizeof key, "%s", rows[i].key);
		for (size_t k = strlen(key); k < rows[i].key_len; k++)
			memcpy(key + k, "k", 2);
		memcpy(file, rows[i].before, len);
		len = put_record(&ctx, file, len, key, value, rows[i].expires);
		memcpy(file + len, rows[i].after, strlen(rows[i].after));
		file_write(path, file, len + strlen(rows[i].after), 0600);
		if (!salvage(&ctx, path, to, count_kept, &kept))
			fail_msg("%s: %s", rows[i].label, ctx.reason);
		same_number(rows[i].label, kept, rows[i].kept);
		assert_true(rows[i].key_len > STORE_KEY_MAX || shard_get(&ctx, to, key, &read));
		if (rows[i].kept)
			same_text(rows[i].label, read, value);
		DEMAND("the new shard is intact", salvage_intact(&ctx, to));
		free(file);
		free(value);
		ctx_close(&ctx);
	}
}

/* Any one changed byte of a record loses it, and nothing else is made of it. */
static void
keeps_no_changed_record(void **state)
{
	char path[PATH_SIZE];
	char to[PATH_SIZE];
	uint8_t file[256] = { 0 };
	struct ctx ctx;
	size_t len;

	open_ctx(&ctx);
	path_in(*state, "damaged", path);
	path_in(*state, "whole", to);
	len = put_record(&ctx, file, 0, "connection:1:2", "active", 0);
	for (size_t i = 0; i < len; i++) {
		int kept = 0;

		file[i] ^= 1;
		file_write(path, file, len, 0600);
		assert_true(salvage(&ctx, path, to, count_kept, &kept));
		same_number("kept", kept, 0);
		file[i] ^= 1;
	}
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(finds_whole_records),
		IN_FOLDER(keeps_no_changed_record),
	};

	return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}
