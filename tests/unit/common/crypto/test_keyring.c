/* test_keyring.c - the file of the key ring: its syntax, faults that name the line, and generated
 * keys. */
#include "../../folder.h"

#include "base/encode.h"
#include "crypto/keyring.h"

#include <stdio.h>

#define HEX    "0123456789abcdef"
#define KEY_A  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define KEY_B  "FFEEDDCCBBAA99887766554433221100ffeeddccbbaa99887766554433221100"
#define KID_32 "abcdefghijklmnopqrstuvwxyzABCD-_"
#define LONG_COMMENT                                                                               \
	"# a comment that is longer than any line with a key can be, because somebody explains "   \
	"why this key has been put here, and when it was, and who did it, and what for.\n"

static void
reads_keys(void **state)
{
	static const struct {
		const char *label, *text;
		size_t count;
		const char *first, *last; /* kids */
	} table[] = {
		{ "one key", "k1 " KEY_A "\n", 1, "k1", "k1" },
		{ "no newline at the end", "k1 " KEY_A, 1, "k1", "k1" },
		{ "two keys, in the order of the file", "k2 " KEY_B "\nk1 " KEY_A "\n", 2, "k2",
		    "k1" },
		{ "blank lines and comments", "# sealed until March\n\nk1 " KEY_A "\n\n#\n", 1,
		    "k1", "k1" },
		{ "a key that is commented out", "#k2 " KEY_B "\nk1 " KEY_A "\n", 1, "k1", "k1" },
		{ "a long comment", LONG_COMMENT "k1 " KEY_A "\n", 1, "k1", "k1" },
		{ "lines that end with CR LF", "k1 " KEY_A "\r\n\r\nk2 " KEY_B "\r\n", 2, "k1",
		    "k2" },
		{ "a kid at the limit", KID_32 " " KEY_A "\n", 1, KID_32, KID_32 },
		{ "a kid that is a prefix of another", "k " KEY_A "\nk1 " KEY_B "\n", 2, "k",
		    "k1" },
		{ "kids that differ in case", "k " KEY_A "\nK " KEY_B "\n", 2, "k", "K" },
	};
	char path[PATH_SIZE];

	path_in(*state, "keys", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const struct keyring *ring;
		bool ok;

		file_write_text(path, table[i].text);
		open_ctx(&ctx);
		ok = keyring_read(&ctx, path, &ring);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_number(table[i].label, (long long)ring->count, (long long)table[i].count);
		same_text(table[i].label, ring->keys[0].kid, table[i].first);
		same_text(table[i].label, ring->keys[ring->count - 1].kid, table[i].last);
		ctx_close(&ctx);
	}
}

static void
decodes_every_bit(void **state)
{
	char path[PATH_SIZE];
	struct ctx ctx;
	const struct keyring *ring;
	char hex[2 * KEY_SIZE + 1];

	path_in(*state, "keys", path);
	file_write_text(path, "a " KEY_A "\nb " KEY_B "\n");
	open_ctx(&ctx);
	assert_true(keyring_read(&ctx, path, &ring));
	hex_encode(ring->keys[0].secret, KEY_SIZE, hex);
	assert_string_equal(hex, KEY_A);
	hex_encode(ring->keys[1].secret, KEY_SIZE, hex);
	assert_string_equal(
	    hex, "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100");
	ctx_close(&ctx);
}

#define TEXT(s) s, sizeof s - 1

static void
names_file_and_line_of_a_syntax_error(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
		const char *place; /* after the path */
	} table[] = {
		{ "an empty file", TEXT(""), ": contains no key" },
		{ "only comments", TEXT("# " KEY_A "\n"), ": contains no key" },
		{ "no kid", TEXT(KEY_A "\n"), ":1: " },
		{ "an empty kid", TEXT(" " KEY_A "\n"), ":1: " },
		{ "a kid over the limit", TEXT(KID_32 "x " KEY_A "\n"), ":1: " },
		{ "a kid with a dot", TEXT("k.1 " KEY_A "\n"), ":1: " },
		{ "a kid with a letter that is not ASCII", TEXT("\xd0\xba " KEY_A "\n"), ":1: " },
		{ "no key", TEXT("k1\n"), ":1: " },
		{ "no key after the space", TEXT("k1 \n"), ":1: " },
		{ "one digit less",
		    TEXT("k1 0112233445566778899aabbccddeeff00112233445566778899aab"
			 "bccddeeff\n"),
		    ":1: " },
		{ "one digit more", TEXT("k1 " KEY_A "0\n"), ":1: " },
		{ "a letter that is not a digit",
		    TEXT("k1 g0112233445566778899aabbccddeeff0011223344"
			 "5566778899aabbccddeef\n"),
		    ":1: " },
		{ "two spaces", TEXT("k1  " KEY_A "\n"), ":1: " },
		{ "a tab", TEXT("k1\t" KEY_A "\n"), ":1: " },
		{ "a space after the key", TEXT("k1 " KEY_A " \n"), ":1: " },
		{ "a comment after the key", TEXT("k1 " KEY_A " # new\n"), ":1: " },
		{ "a NUL after the key", TEXT("k1 " KEY_A "\0\n"), ":1: " },
		{ "a line after a NUL", TEXT("k1 " KEY_A "\n\0k2 " KEY_B "\n"), ":2: " },
		{ "the third line", TEXT("# x\nk1 " KEY_A "\nk2\n"), ":3: " },
		{ "the line after a long comment", TEXT(LONG_COMMENT "k2\n"), ":2: " },
		{ "a kid twice", TEXT("k1 " KEY_A "\nk2 " KEY_A "\nk1 " KEY_B "\n"), ":3: " },
		{ "a line far over the limit", TEXT("k1 " KEY_A KEY_A KEY_A "\nk2 " KEY_A "\n"),
		    ":1: " },
	};
	char path[PATH_SIZE];
	char place[PATH_SIZE + 32];

	path_in(*state, "keys", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const struct keyring *ring;
		bool ok;

		file_write(path, table[i].text, table[i].len, 0600);
		open_ctx(&ctx);
		ok = keyring_read(&ctx, path, &ring);
		same_fault(table[i].label, &ctx, ok, FAULT_CONFIG);
		snprintf(place, sizeof place, "%s%s", path, table[i].place);
		has_text(table[i].label, ctx.reason, place);
		has_no_text(table[i].label, ctx.reason, "2233");
		ctx_close(&ctx);
	}
}

static void
limits_the_number_of_keys(void **state)
{
	char path[PATH_SIZE];

	path_in(*state, "keys", path);
	for (int count = KEYRING_MAX; count <= KEYRING_MAX + 1; count++) {
		struct ctx ctx;
		const struct keyring *ring;
		FILE *file = fopen(path, "w");
		bool ok;

		assert_non_null(file);
		for (int i = 0; i < count; i++)
			fprintf(file, "k%d " KEY_A "\n", i);
		assert_int_equal(fclose(file), 0);
		assert_int_equal(chmod(path, 0600), 0);

		open_ctx(&ctx);
		ok = keyring_read(&ctx, path, &ring);
		same_fault("keys at the limit and over it", &ctx, ok,
		    count <= KEYRING_MAX ? FAULT_NONE : FAULT_CONFIG);
		if (ok)
			assert_int_equal(ring->count, KEYRING_MAX);
		else
			has_text("one key too many", ctx.reason, ":17: ");
		ctx_close(&ctx);
	}
}

static void
refuses_a_file_that_others_can_read(void **state)
{
	char path[PATH_SIZE];
	struct ctx ctx;
	const struct keyring *ring;

	path_in(*state, "keys", path);
	file_write(path, "k1 " KEY_A "\n", sizeof "k1 " KEY_A, 0644);
	open_ctx(&ctx);
	assert_false(keyring_read(&ctx, path, &ring));
	assert_int_equal(ctx.kind, FAULT_CONFIG);
	has_text("the reason", ctx.reason, "mode 0644");
	ctx_close(&ctx);
}

static void
finds_a_key(void **state)
{
	static const struct {
		const char *label, *kid;
		size_t len;
		const char *found; /* NULL: none */
	} table[] = {
		{ "the first kid", "k1", 2, "k1" },
		{ "the last kid", "longer", 6, "longer" },
		{ "bytes after len are ignored", "k1.abc", 2, "k1" },
		{ "the beginning of a kid", "long", 4, NULL },
		{ "a kid with a character more", "k12", 3, NULL },
		{ "an unknown kid", "k3", 2, NULL },
		{ "a kid in another case", "K1", 2, NULL },
		{ "an empty kid", "", 0, NULL },
		{ "a text far longer than a kid", KEY_A KEY_A, 128, NULL },
	};
	char path[PATH_SIZE];
	struct ctx ctx;
	const struct keyring *ring;

	path_in(*state, "keys", path);
	file_write_text(path, "k1 " KEY_A "\nlonger " KEY_B "\n");
	open_ctx(&ctx);
	assert_true(keyring_read(&ctx, path, &ring));
	for (size_t i = 0; i < ROWS(table); i++) {
		const struct key *key = keyring_find(ring, table[i].kid, table[i].len);

		same_text(table[i].label, key == NULL ? NULL : key->kid, table[i].found);
	}
	ctx_close(&ctx);
}

static void
derives_keys(void **state)
{
	struct key key = { .kid = "k1" };
	struct key other = { .kid = "k1" };
	uint8_t states[KEY_SIZE];
	uint8_t again[KEY_SIZE];
	char hex[2 * KEY_SIZE + 1];

	(void)state;
	assert_true(hex_decode(KEY_A, key.secret, KEY_SIZE));
	assert_true(hex_decode(KEY_B, other.secret, KEY_SIZE));
	key_derive(&key, "state", states);
	hex_encode(states, sizeof states, hex);
	assert_string_equal(
	    hex, "2c3f596e0ef44b72ff812d8690ae30367980791bd475d83c2b4093bd775f69ec");
	key_derive(&key, "states", again);
	assert_memory_not_equal(states, again, sizeof states);
	key_derive(&other, "state", again);
	assert_memory_not_equal(states, again, sizeof states);
}

static bool
read_in_arena(struct ctx *ctx, void *arg)
{
	const struct keyring *ring;

	if (!keyring_read(ctx, arg, &ring))
		return false;
	assert_int_equal(ring->count, 1);
	return true;
}

static void
reports_a_full_arena_while_reading(void **state)
{
	char path[PATH_SIZE];

	path_in(*state, "keys", path);
	file_write_text(path, "k1 " KEY_A "\n");
	try_small_arenas("a key ring", read_in_arena, path);
}

static void
generates_keys(void **state)
{
	char path[PATH_SIZE];
	struct ctx ctx;
	const struct keyring *ring;
	const char *lines[2];
	const char *text;

	path_in(*state, "keys", path);
	open_ctx(&ctx);
	for (size_t i = 0; i < ROWS(lines); i++)
		assert_true(keyring_generate(&ctx, 1795320000, &lines[i])); /* 2026-11-22 */
	DEMAND(
	    "no key is generated twice", strcmp(strchr(lines[0], ' '), strchr(lines[1], ' ')) != 0);
	for (size_t i = 0; i < ROWS(lines); i++) {
		DEMAND("the id begins with the date", strncmp(lines[i], "k2026-11-22-", 12) == 0);
		same_number("the length of the id", (long long)strcspn(lines[i], " "), 16);
		same_number("the random part of the id", (long long)strspn(lines[i] + 12, HEX), 4);
		same_number(
		    "the length of the key", (long long)strspn(lines[i] + 17, HEX), 2 * KEY_SIZE);
		same_number(
		    "the length of the line", (long long)strlen(lines[i]), 17 + 2 * KEY_SIZE);

		assert_true(ctx_printf(&ctx, &text, "%s\nk1 " KEY_A "\n", lines[i]));
		file_write_text(path, text);
		assert_true(keyring_read(&ctx, path, &ring));
		DEMAND("the new line is the first key of the ring",
		    strncmp(ring->keys[0].kid, lines[i], 16) == 0);
	}
	ctx_close(&ctx);
}

static bool
generate_in_arena(struct ctx *ctx, void *arg)
{
	const char *line;

	(void)arg;
	return keyring_generate(ctx, 0, &line);
}

static void
reports_a_full_arena_while_generating(void **state)
{
	(void)state;
	try_small_arenas("a line", generate_in_arena, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(reads_keys),
		IN_FOLDER(decodes_every_bit),
		IN_FOLDER(names_file_and_line_of_a_syntax_error),
		IN_FOLDER(limits_the_number_of_keys),
		IN_FOLDER(refuses_a_file_that_others_can_read),
		IN_FOLDER(finds_a_key),
		cmocka_unit_test(derives_keys),
		IN_FOLDER(reports_a_full_arena_while_reading),
		IN_FOLDER(generates_keys),
		cmocka_unit_test(reports_a_full_arena_while_generating),
	};

	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
