/* test_encode.c - hex, base64, base64url and decimal numbers, written and read strictly. */
#include "../../table.h"

#include "base/encode.h"
#include "base/strbuf.h"

static void
reads_hex(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;        /* bytes to decode */
		const char *bytes; /* NULL: refused */
	} table[] = {
		{ "RFC 4648 section 10", "666F6F626172", 6, "foobar" },
		{ "lower case", "666f6f626172", 6, "foobar" },
		{ "no bytes", "", 0, "" },
		{ "all bits", "fF00", 2, "\xff\0" },
		{ "digits where none are expected", "66", 0, NULL },
		{ "a digit short", "666", 2, NULL },
		{ "a byte short", "66", 2, NULL },
		{ "a digit long", "66666", 2, NULL },
		{ "a byte long", "666666", 2, NULL },
		{ "an empty text", "", 1, NULL },
		{ "a plus", "+666", 2, NULL },
		{ "a prefix", "0x66", 2, NULL },
		{ "a space", "66 6", 2, NULL },
		{ "a newline at the end", "6666\n", 2, NULL },
		{ "the character before 0", "/0", 1, NULL },
		{ "the character after 9", ":0", 1, NULL },
		{ "the character before A", "@0", 1, NULL },
		{ "the character after F", "G0", 1, NULL },
		{ "the character before a", "0`", 1, NULL },
		{ "the character after f", "0g", 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		uint8_t bytes[8];
		bool ok = hex_decode(table[i].text, bytes, table[i].len);

		DEMAND(table[i].label, ok == (table[i].bytes != NULL));
		if (ok)
			same_bytes(table[i].label, bytes, table[i].bytes, table[i].len);
	}
}

static void
writes_hex(void **state)
{
	char out[2 * 256 + 1];
	uint8_t bytes[256];
	uint8_t back[256];

	(void)state;
	hex_encode((const uint8_t *)"foobar", 6, out);
	assert_string_equal(out, "666f6f626172");
	hex_encode(NULL, 0, out);
	assert_string_equal(out, "");
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	hex_encode(bytes, sizeof bytes, out);
	assert_true(hex_decode(out, back, sizeof back));
	assert_memory_equal(bytes, back, sizeof back);
}

static void
reads_the_two_digits_of_a_byte(void **state)
{
	uint8_t byte = 0;

	(void)state;
	assert_true(hex_byte("4Fz", &byte));
	assert_int_equal(byte, 0x4f);
	assert_false(hex_byte("4", &byte));
	assert_false(hex_byte("", &byte));
	assert_false(hex_byte("g4", &byte));
	assert_false(hex_byte("4g", &byte));
}

static const struct {
	const char *label, *bytes;
	size_t len;
	const char *text;
} base64url_table[] = {
	{ "RFC 4648 section 10, nothing", "", 0, "" },
	{ "RFC 4648 section 10, f", "f", 1, "Zg" },
	{ "RFC 4648 section 10, fo", "fo", 2, "Zm8" },
	{ "RFC 4648 section 10, foo", "foo", 3, "Zm9v" },
	{ "RFC 4648 section 10, foob", "foob", 4, "Zm9vYg" },
	{ "RFC 4648 section 10, fooba", "fooba", 5, "Zm9vYmE" },
	{ "RFC 4648 section 10, foobar", "foobar", 6, "Zm9vYmFy" },
	{ "RFC 7515 appendix C", "\x03\xec\xff\xe0\xc1", 5, "A-z_4ME" },
	{ "zero bytes", "\0\0\0", 3, "AAAA" },
	{ "all bits", "\xff\xff\xff\xff", 4, "_____w" },
};

static void
writes_base64url(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(base64url_table); i++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *out;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		base64url_encode(&sb, base64url_table[i].bytes, base64url_table[i].len);
		assert_true(strbuf_finish(&sb, &out));
		same_text(base64url_table[i].label, out, base64url_table[i].text);
		ctx_close(&ctx);
	}
}

static void
reads_base64url(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(base64url_table); i++) {
		const char *text = base64url_table[i].text;
		struct ctx ctx;
		const uint8_t *bytes;
		size_t len;
		bool ok;

		open_ctx(&ctx);
		ok = base64url_decode(&ctx, text, strlen(text), &bytes, &len);
		same_fault(base64url_table[i].label, &ctx, ok, FAULT_NONE);
		same_number(
		    base64url_table[i].label, (long long)len, (long long)base64url_table[i].len);
		same_bytes(base64url_table[i].label, bytes, base64url_table[i].bytes, len);
		DEMAND("the bytes are followed by a NUL", bytes[len] == '\0');
		ctx_close(&ctx);
	}
}

static void
refuses_a_second_encoding_in_base64url(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
	} table[] = {
		{ "padding", "Zg==", 4 },
		{ "only padding", "====", 4 },
		{ "one character", "Z", 1 },
		{ "one character after four", "Zm9vY", 5 },
		{ "the plus of base64", "A+z_", 4 },
		{ "the slash of base64", "A-z/", 4 },
		{ "a space", "Zm9 v", 5 },
		{ "a newline at the end", "Zm9v\n", 5 },
		{ "a newline as the fourth character", "Zm8\n", 4 },
		{ "a NUL", "Zm\0v", 4 },
		{ "a NUL at the end", "Zm8", 4 },
		{ "a dot", "Zm.v", 4 },
		{ "not ASCII", "Zm9\xc3\xa4", 5 },
		{ "unused bits of two characters: the lowest", "Zh", 2 },
		{ "unused bits of two characters: the highest", "Zo", 2 },
		{ "unused bits of three characters: the lowest", "Zm9", 3 },
		{ "unused bits of three characters: the highest", "Zm-", 3 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const uint8_t *bytes;
		size_t len;

		open_ctx(&ctx);
		DEMAND(table[i].label,
		    !base64url_decode(&ctx, table[i].text, table[i].len, &bytes, &len));
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
	}
}

static void
writes_and_reads_padded_base64(void **state)
{
	static const struct {
		const char *label, *bytes;
		size_t len;
		const char *text;
	} table[] = {
		{ "RFC 4648 section 10, nothing", "", 0, "" },
		{ "RFC 4648 section 10, f", "f", 1, "Zg==" },
		{ "RFC 4648 section 10, fo", "fo", 2, "Zm8=" },
		{ "RFC 4648 section 10, foo", "foo", 3, "Zm9v" },
		{ "RFC 4648 section 10, foob", "foob", 4, "Zm9vYg==" },
		{ "RFC 4648 section 10, fooba", "fooba", 5, "Zm9vYmE=" },
		{ "RFC 4648 section 10, foobar", "foobar", 6, "Zm9vYmFy" },
		{ "the plus and slash of base64", "\x03\xec\xff\xe0\xc1", 5, "A+z/4ME=" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *out;
		const uint8_t *bytes;
		size_t len;
		bool ok;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		base64_encode(&sb, table[i].bytes, table[i].len);
		assert_true(strbuf_finish(&sb, &out));
		same_text(table[i].label, out, table[i].text);
		ok = base64_decode(&ctx, table[i].text, strlen(table[i].text), &bytes, &len);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_number(table[i].label, (long long)len, (long long)table[i].len);
		same_bytes(table[i].label, bytes, table[i].bytes, len);
		ctx_close(&ctx);
	}
}

static void
refuses_a_second_encoding_in_base64(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
	} table[] = {
		{ "no padding of one byte", "Zg", 2 },
		{ "no padding of two bytes", "Zm8", 3 },
		{ "one padding character of two", "Zg=", 3 },
		{ "one padding character too many", "Zm8==", 5 },
		{ "padding after three bytes", "Zm9v====", 8 },
		{ "only padding", "====", 4 },
		{ "one character and padding", "Z===", 4 },
		{ "padding in the middle", "Zg==Zg==", 8 },
		{ "a character after the padding", "Zg==Z", 5 },
		{ "the minus of base64url", "A-z/4ME=", 8 },
		{ "the underscore of base64url", "A+z_4ME=", 8 },
		{ "a newline", "Zm9v\nZm9v", 9 },
		{ "a NUL", "Zm\0v", 4 },
		{ "unused bits of two characters", "Zh==", 4 },
		{ "unused bits of three characters", "Zm9=", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const uint8_t *bytes;
		size_t len;

		open_ctx(&ctx);
		DEMAND(table[i].label,
		    !base64_decode(&ctx, table[i].text, table[i].len, &bytes, &len));
		DEMAND(table[i].label, ctx.kind == FAULT_NONE);
		ctx_close(&ctx);
	}
}

static void
decodes_what_it_encodes(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(255 - i);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		struct ctx ctx;
		struct strbuf sb;
		const char *text;
		const uint8_t *back;
		size_t back_len;

		open_ctx(&ctx);
		strbuf_init(&ctx, &sb);
		base64url_encode(&sb, bytes, len);
		assert_true(strbuf_finish(&sb, &text));
		assert_true(base64url_decode(&ctx, text, strlen(text), &back, &back_len));
		assert_int_equal(back_len, len);
		assert_memory_equal(back, bytes, len);

		strbuf_init(&ctx, &sb);
		base64_encode(&sb, bytes, len);
		assert_true(strbuf_finish(&sb, &text));
		assert_true(base64_decode(&ctx, text, strlen(text), &back, &back_len));
		assert_int_equal(back_len, len);
		assert_memory_equal(back, bytes, len);
		ctx_close(&ctx);
	}
}

static bool
decode_and_encode(struct ctx *ctx, void *arg)
{
	const char *text = arg;
	const uint8_t *bytes;
	size_t len;
	struct strbuf sb;
	const char *again;

	if (!base64url_decode(ctx, text, strlen(text), &bytes, &len))
		return false;
	strbuf_init(ctx, &sb);
	base64url_encode(&sb, bytes, len);
	if (!strbuf_finish(&sb, &again))
		return false;
	assert_string_equal(again, text);
	return true;
}

static void
reports_a_full_arena(void **state)
{
	char four[] = "Zm9vYmFy";
	char three[] = "Zm9vYmE";
	char two[] = "Zm9vYg";

	(void)state;
	try_small_arenas("a multiple of three", decode_and_encode, four);
	try_small_arenas("a multiple of three and two bytes", decode_and_encode, three);
	try_small_arenas("a multiple of three and one byte", decode_and_encode, two);
}

static void
reads_a_decimal_id(void **state)
{
	static const struct {
		const char *label, *text;
		int64_t number; /* 0: refused */
	} table[] = {
		{ "the smallest", "1", 1 },
		{ "an account", "31920194", 31920194 },
		{ "the largest", "9223372036854775807", INT64_MAX },
		{ "one more than the largest", "9223372036854775808", 0 },
		{ "ten times the largest", "9223372036854775810", 0 },
		{ "19 digits too large", "9999999999999999999", 0 },
		{ "20 digits", "10000000000000000000", 0 },
		{ "a number that overflows to 1", "18446744073709551617", 0 },
		{ "zero", "0", 0 },
		{ "a leading zero", "01", 0 },
		{ "an empty text", "", 0 },
		{ "a minus", "-1", 0 },
		{ "a plus", "+1", 0 },
		{ "a space before the number", " 1", 0 },
		{ "a space after the number", "1 ", 0 },
		{ "a newline after the number", "1\n", 0 },
		{ "a letter after the number", "1a", 0 },
		{ "hex", "0x1", 0 },
		{ "a fraction", "1.0", 0 },
		{ "an exponent", "1e3", 0 },
		{ "digits that are not ASCII", "\xd9\xa1", 0 },
		{ "the character after 9", "1:", 0 },
		{ "the character before 0", "1/", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		int64_t number = -1;
		bool ok = decimal_parse(table[i].text, &number);

		DEMAND(table[i].label, ok == (table[i].number != 0));
		same_number(table[i].label, number, ok ? table[i].number : -1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_hex),
		cmocka_unit_test(writes_hex),
		cmocka_unit_test(reads_the_two_digits_of_a_byte),
		cmocka_unit_test(writes_base64url),
		cmocka_unit_test(reads_base64url),
		cmocka_unit_test(refuses_a_second_encoding_in_base64url),
		cmocka_unit_test(writes_and_reads_padded_base64),
		cmocka_unit_test(refuses_a_second_encoding_in_base64),
		cmocka_unit_test(decodes_what_it_encodes),
		cmocka_unit_test(reports_a_full_arena),
		cmocka_unit_test(reads_a_decimal_id),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
