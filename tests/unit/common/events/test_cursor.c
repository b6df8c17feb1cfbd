/* test_cursor.c - the cursor is written atomically and read back; a corrupt one skips no event. */
#include "event_lines.h"

#include "events/cursor.h"

#define AT(in_segment, at_offset)                                                                  \
	{                                                                                          \
		.segment = (in_segment), .offset = (at_offset)                                     \
	}

static void
same_position(
    const char *label, const struct journal_position *got, int64_t segment, int64_t offset)
{
	same_number(label, got->segment, segment);
	same_number(label, got->offset, offset);
}

static void
starts_before_all_events_without_a_file(void **state)
{
	struct store_config store = { .path = *state };
	struct cursor cursor;
	struct ctx ctx;

	open_ctx(&ctx);
	same_fault("no folder", &ctx, cursor_read(&ctx, &store, &cursor), FAULT_NONE);
	same_position("no folder", &cursor.position, 0, 0);
	same_number("blocked", (long long)cursor.count, 0);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
reads_what_was_written(void **state)
{
	static const struct blocked_account blocked[] = {
		{ 31920194, AT(1, 4711), 1, 1, 1795320000 },
		{ 0, AT(3, 0), 9, 0, 0 },
		{ INT64_MAX, AT(INT64_MAX, INT64_MAX), 1000, 2, INT64_MAX },
		{ 7, { 2, 4711, 4000, UINT32_MAX }, 1, 0, 0 },
	};
	struct store_config store = { .path = *state };
	struct cursor cursor = { .position = AT(4, 67108864) };
	char path[PATH_SIZE];
	struct ctx ctx;
	struct stat st;

	events_path(*state, "cursor", path);
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(blocked); i++)
		assert_true(cursor_block(&ctx, &cursor, &blocked[i]));
	for (int again = 0; again < 3; again++) {
		same_fault("written", &ctx, cursor_write(&ctx, &store, &cursor), FAULT_NONE);
		cursor_close(&cursor);
		same_fault("read", &ctx, cursor_read(&ctx, &store, &cursor), FAULT_NONE);
		same_position("the common position", &cursor.position, 4, 67108864);
		same_number("blocked", (long long)cursor.count, ROWS(blocked));
		for (size_t i = 0; i < ROWS(blocked); i++) {
			struct blocked_account *found =
			    cursor_find_blocked(&cursor, blocked[i].account_id);

			assert_non_null(found);
			same_position("the account's position", &found->position,
			    blocked[i].position.segment, blocked[i].position.offset);
			same_number("the line", found->position.line, blocked[i].position.line);
			same_number(
			    "its checksum", found->position.checksum, blocked[i].position.checksum);
			same_number("attempts", found->attempts, blocked[i].attempts);
			same_number("rejections", found->rejections, blocked[i].rejections);
			same_number("next attempt", found->next_at, blocked[i].next_at);
		}
	}
	assert_null(cursor_find_blocked(&cursor, 5));
	cursor_close(&cursor);
	assert_int_equal(stat(path, &st), 0);
	same_number("the mode", st.st_mode & 0777, 0600);
	path_in(*state, "events", path);
	same_number("temporary files", folder_count(path, ".new"), 0);
	ctx_close(&ctx);
}

static void
unblocks_accounts(void **state)
{
	struct cursor cursor = { .position = AT(1, 0) };
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	for (int64_t account = 1; account <= 100; account++) {
		const struct blocked_account blocked = { account, AT(1, account), 1, 0, 0 };

		assert_true(cursor_block(&ctx, &cursor, &blocked));
	}
	for (int64_t account = 100; account >= 1; account -= 2)
		cursor_unblock(&cursor, cursor_find_blocked(&cursor, account));
	same_number("blocked", (long long)cursor.count, 50);
	for (int64_t account = 1; account <= 100; account++) {
		const struct blocked_account *found = cursor_find_blocked(&cursor, account);

		DEMAND(
		    "every second account is still blocked", (found != NULL) == (account % 2 == 1));
		if (found != NULL)
			same_position("the account's position", &found->position, 1, account);
	}
	cursor_close(&cursor);
	same_number("blocked after cursor_close", (long long)cursor.count, 0);
	ctx_close(&ctx);
}

static void
begins_anew_after_a_corrupt_file(void **state)
{
#define BEGIN "{\"segment\":1,\"offset\":9,\"held_up\":[{"
	static const struct {
		const char *label, *text;
	} table[] = {
		{ "an empty file", "" },
		{ "not JSON", "segment 1" },
		{ "cut short", "{\"segment\":1,\"offset\":9,\"held_up\":[" },
		{ "an array", "[]" },
		{ "no position", "{\"held_up\":[]}" },
		{ "no offset", "{\"segment\":1,\"held_up\":[]}" },
		{ "a segment that is a string", "{\"segment\":\"1\",\"offset\":9,\"held_up\":[]}" },
		{ "a negative segment", "{\"segment\":-1,\"offset\":9,\"held_up\":[]}" },
		{ "a negative offset", "{\"segment\":1,\"offset\":-9,\"held_up\":[]}" },
		{ "a negative line",
		    "{\"segment\":1,\"offset\":9,\"line\":-1,\"checksum\":1,\"held_up\":[]}" },
		{ "a line that begins at the position",
		    "{\"segment\":1,\"offset\":9,\"line\":9,\"checksum\":1,\"held_up\":[]}" },
		{ "a line before the first byte",
		    "{\"segment\":1,\"offset\":0,\"line\":0,\"checksum\":1,\"held_up\":[]}" },
		{ "no list of blocked accounts", "{\"segment\":1,\"offset\":9}" },
		{ "a list that is an object", "{\"segment\":1,\"offset\":9,\"held_up\":{}}" },
		{ "an entry that is a number", "{\"segment\":1,\"offset\":9,\"held_up\":[5]}" },
		{ "no account_id",
		    BEGIN "\"segment\":1,\"offset\":0,\"attempts\":1,\"next_at\":0}]}" },
		{ "an account without a position",
		    BEGIN "\"account_id\":5,\"attempts\":1,\"next_at\":0}]}" },
		{ "no attempts",
		    BEGIN "\"account_id\":5,\"segment\":1,\"offset\":0,\"next_at\":0}]}" },
		{ "negative attempts",
		    BEGIN "\"account_id\":5,\"segment\":1,\"offset\":0,\"attempts\":-1,"
			  "\"next_at\":0}]}" },
		{ "attempts over INT_MAX",
		    BEGIN "\"account_id\":5,\"segment\":1,\"offset\":0,\"attempts\":4294967295,"
			  "\"next_at\":0}]}" },
		{ "no next attempt",
		    BEGIN "\"account_id\":5,\"segment\":1,\"offset\":0,\"attempts\":1}]}" },
	};
	struct store_config store = { .path = *state };
	char path[PATH_SIZE];

	events_path(*state, "cursor", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct cursor cursor;
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		file_write_text(path, table[i].text);
		ok = cursor_read(&ctx, &store, &cursor);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_number(table[i].label, cursor.damage, CURSOR_FROM_BEGINNING);
		same_position(table[i].label, &cursor.position, 0, 0);
		same_number(table[i].label, (long long)cursor.count, 0);
		cursor_close(&cursor);
		ctx_close(&ctx);
	}
}

static void
write_position(struct ctx *ctx, const struct store_config *store, int64_t offset)
{
	struct cursor cursor = { .position = AT(1, offset) };
	const struct blocked_account blocked = { 7, AT(1, offset / 2), 1, 0, 1795320000 };

	assert_true(cursor_block(ctx, &cursor, &blocked) && cursor_write(ctx, store, &cursor));
	cursor_close(&cursor);
}

/* Twice, so that there is a previous file too. */
static void
write_positions(const struct store_config *store)
{
	struct ctx ctx;

	open_ctx(&ctx);
	write_position(&ctx, store, 100);
	write_position(&ctx, store, 200);
	ctx_close(&ctx);
}

/* Reads the cursor with one byte of a file changed; *position is where deliveries would go on. */
static enum cursor_damage
read_changed(const struct store_config *store, const char *path, const uint8_t *text, size_t len,
    size_t at, char byte, struct journal_position *position)
{
	enum cursor_damage damage;
	struct cursor cursor;
	char changed[512];
	struct ctx ctx;

	assert_in_range(len, at + 1, sizeof changed);
	memcpy(changed, text, len);
	changed[at] = byte;
	file_write(path, changed, len, 0600);
	open_ctx(&ctx);
	same_fault("a changed byte", &ctx, cursor_read(&ctx, store, &cursor), FAULT_NONE);
	*position = cursor.position;
	damage = cursor.damage;
	cursor_close(&cursor);
	ctx_close(&ctx);
	return damage;
}

static void
never_skips_events_when_a_byte_changes(void **state)
{
	static const char bytes[] = "0123456789abcdef{}[]\":,- \n";
	struct store_config store = { .path = *state };
	struct journal_position position;
	char path[PATH_SIZE];
	char old_path[PATH_SIZE];
	size_t len;
	uint8_t *text;

	events_path(*state, "cursor", path);
	events_path(*state, "cursor.old", old_path);
	write_positions(&store);
	text = file_read(path, &len);
	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < sizeof bytes; i++) { /* with the NUL */
			enum cursor_damage damage;

			if (bytes[i] == (char)text[at])
				continue;
			damage = read_changed(&store, path, text, len, at, bytes[i], &position);
			if (damage != CURSOR_FROM_PREVIOUS)
				fail_msg("byte %zu changed to 0x%02x is not noticed", at,
				    (unsigned char)bytes[i]);
			same_position("the one before it", &position, 1, 100);
			assert_int_equal(unlink(path), 0);
		}
	/* the present file is corrupt, and the one before it is changed too */
	free(text);
	text = file_read(old_path, &len);
	for (size_t at = 0; at < len; at++) {
		file_write_text(path, "1 0000000000000000 {}");
		same_number("both are damaged",
		    read_changed(&store, old_path, text, len, at, '~', &position),
		    CURSOR_FROM_BEGINNING);
		same_position("before all events", &position, 0, 0);
	}
	free(text);
}

/* A writer that is killed between its two renames leaves the previous file alone. */
static void
goes_on_from_the_previous_file_alone(void **state)
{
	struct store_config store = { .path = *state };
	struct cursor cursor;
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "cursor", path);
	write_positions(&store);
	assert_int_equal(unlink(path), 0);
	open_ctx(&ctx);
	assert_true(cursor_read(&ctx, &store, &cursor));
	same_position("the previous", &cursor.position, 1, 100);
	same_number("no damage", cursor.damage, CURSOR_WHOLE);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
does_not_keep_a_corrupt_file_as_the_previous_one(void **state)
{
	struct store_config store = { .path = *state };
	struct cursor cursor;
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "cursor", path);
	write_positions(&store);
	file_write_text(path, "garbage");
	open_ctx(&ctx);
	assert_true(cursor_read(&ctx, &store, &cursor));
	assert_true(cursor_write(&ctx, &store, &cursor));
	cursor_close(&cursor);
	file_write_text(path, "garbage again");
	assert_true(cursor_read(&ctx, &store, &cursor));
	same_number("the previous is whole", cursor.damage, CURSOR_FROM_PREVIOUS);
	same_position("the previous", &cursor.position, 1, 100);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

/* As written before there were checksums. */
static void
reads_a_file_without_a_checksum(void **state)
{
	struct store_config store = { .path = *state };
	struct cursor cursor;
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "cursor", path);
	file_write_text(path,
	    BEGIN "\"account_id\":5,\"segment\":1,\"offset\":2,\"attempts\":3,\"next_at\":4}]}");
	open_ctx(&ctx);
	assert_true(cursor_read(&ctx, &store, &cursor));
	same_number("no damage", cursor.damage, CURSOR_WHOLE);
	same_position("the common position", &cursor.position, 1, 9);
	same_number("blocked", (long long)cursor.count, 1);
	same_number("attempts", cursor.blocked[0].attempts, 3);
	same_number("rejections", cursor.blocked[0].rejections, 0);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
keeps_the_old_file_when_it_cannot_write(void **state)
{
	struct store_config store = { .path = *state };
	struct cursor cursor = { .position = AT(1, 5) };
	char path[PATH_SIZE];
	struct ctx ctx;

	events_path(*state, "cursor", path);
	open_ctx(&ctx);
	assert_true(cursor_write(&ctx, &store, &cursor));
	events_path(*state, "cursor.new", path); /* a directory cannot be written */
	assert_int_equal(mkdir(path, 0700), 0);
	cursor.position.offset = 6;
	same_fault("written", &ctx, cursor_write(&ctx, &store, &cursor), FAULT_STORAGE);
	has_text("the file that cannot be written", ctx.reason, path);
	ctx_wipe(&ctx);
	assert_true(cursor_read(&ctx, &store, &cursor));
	same_position("unchanged", &cursor.position, 1, 5);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

static void
compares_positions(void **state)
{
	static const struct {
		const char *label;
		struct journal_position a, b;
		bool before;
	} table[] = {
		{ "the same position", AT(1, 5), AT(1, 5), false },
		{ "earlier in the same segment", AT(1, 5), AT(1, 6), true },
		{ "later in the same segment", AT(1, 6), AT(1, 5), false },
		{ "in an earlier segment", AT(1, 600), AT(2, 5), true },
		{ "in a later segment", AT(2, 5), AT(1, 600), false },
		{ "before all events", AT(0, 0), AT(1, 0), true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++)
		if (cursor_before(&table[i].a, &table[i].b) != table[i].before)
			fail_msg("%s", table[i].label);
}

static void
finds_the_oldest_position(void **state)
{
	static const struct blocked_account blocked[] = {
		{ 5, AT(3, 20), 1, 0, 0 },
		{ 6, AT(2, 10), 1, 0, 0 },
		{ 7, AT(2, 30), 1, 0, 0 },
	};
	struct cursor cursor = { .position = AT(4, 0) };
	struct journal_position oldest = cursor_oldest(&cursor);
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	same_position("no account is blocked", &oldest, 4, 0);
	for (size_t i = 0; i < ROWS(blocked); i++)
		assert_true(cursor_block(&ctx, &cursor, &blocked[i]));
	oldest = cursor_oldest(&cursor);
	same_position("of the blocked accounts", &oldest, 2, 10);
	cursor_close(&cursor);
	ctx_close(&ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(starts_before_all_events_without_a_file),
		IN_FOLDER(reads_what_was_written),
		cmocka_unit_test(unblocks_accounts),
		IN_FOLDER(begins_anew_after_a_corrupt_file),
		IN_FOLDER(never_skips_events_when_a_byte_changes),
		IN_FOLDER(goes_on_from_the_previous_file_alone),
		IN_FOLDER(does_not_keep_a_corrupt_file_as_the_previous_one),
		IN_FOLDER(reads_a_file_without_a_checksum),
		IN_FOLDER(keeps_the_old_file_when_it_cannot_write),
		cmocka_unit_test(compares_positions),
		cmocka_unit_test(finds_the_oldest_position),
	};

	return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
