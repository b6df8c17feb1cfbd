/* test_utf8.c - utf8_sequence_len, compared with table 3-7 of the Unicode Standard and with every
 * code point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

static void
accepts_the_limits_of_each_row(void **state)
{
	static const struct {
		const char *label, *bytes;
		size_t len, expected;
	} table[] = {
		{ "no bytes", "", 0, 0 },
		{ "NUL", "\0", 1, 1 },
		{ "U+007F", "\x7F", 1, 1 },
		{ "a trailing byte alone", "\x80", 1, 0 },
		{ "overlong slash, C0", "\xC0\xAF", 2, 0 },
		{ "overlong, C1", "\xC1\xBF", 2, 0 },
		{ "U+0080", "\xC2\x80", 2, 2 },
		{ "two bytes, the second too low", "\xC2\x7F", 2, 0 },
		{ "two bytes, the second too high", "\xC2\xC0", 2, 0 },
		{ "two bytes, cut short", "\xC2", 1, 0 },
		{ "U+07FF", "\xDF\xBF", 2, 2 },
		{ "overlong of three bytes", "\xE0\x9F\xBF", 3, 0 },
		{ "U+0800", "\xE0\xA0\x80", 3, 3 },
		{ "three bytes, cut short", "\xE0\xA0", 2, 0 },
		{ "three bytes, the third a letter", "\xE0\xA0z", 3, 0 },
		{ "U+D7FF", "\xED\x9F\xBF", 3, 3 },
		{ "U+D800, a surrogate", "\xED\xA0\x80", 3, 0 },
		{ "U+DFFF, a surrogate", "\xED\xBF\xBF", 3, 0 },
		{ "U+E000", "\xEE\x80\x80", 3, 3 },
		{ "U+FFFF", "\xEF\xBF\xBF", 3, 3 },
		{ "overlong of four bytes", "\xF0\x8F\xBF\xBF", 4, 0 },
		{ "U+10000", "\xF0\x90\x80\x80", 4, 4 },
		{ "four bytes, cut short", "\xF0\x90\x80", 3, 0 },
		{ "four bytes, the fourth a letter", "\xF0\x90\x80z", 4, 0 },
		{ "U+10FFFF", "\xF4\x8F\xBF\xBF", 4, 4 },
		{ "above U+10FFFF", "\xF4\x90\x80\x80", 4, 0 },
		{ "F5", "\xF5\x80\x80\x80", 4, 0 },
		{ "FF", "\xFF", 1, 0 },
		{ "only the first of two characters", "z\x80", 2, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t got = utf8_sequence_len(table[i].bytes, table[i].len);

		if (got != table[i].expected)
			fail_msg("%s: %zu, not %zu", table[i].label, got, table[i].expected);
	}
}

/* Encodes a code point by RFC 3629 section 3, independently of table 3-7. */
static size_t
encode(uint32_t point, char *out)
{
	size_t len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = len; i-- > 1; point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3F));
	out[0] = (char)(lead[len] | point);
	return len;
}

static void
accepts_every_code_point_except_surrogates(void **state)
{
	(void)state;
	for (uint32_t point = 0; point <= 0x10FFFF; point++) {
		char bytes[4];
		size_t len = encode(point, bytes);
		size_t expected = point >= 0xD800 && point <= 0xDFFF ? 0 : len;

		if (utf8_sequence_len(bytes, len) != expected)
			fail_msg("U+%04X", (unsigned)point);
		for (size_t cut = 1; cut < len; cut++)
			if (utf8_sequence_len(bytes, cut) != 0)
				fail_msg("U+%04X cut to %zu bytes", (unsigned)point, cut);
	}
}

/* As many sequences of three bytes are accepted as there are code points of that length. */
static void
accepts_no_other_three_bytes(void **state)
{
	size_t accepted = 0;

	(void)state;
	for (uint32_t n = 0; n <= 0xFFFFFF; n++) {
		const char bytes[] = { (char)(n >> 16), (char)(n >> 8), (char)n };

		accepted += utf8_sequence_len(bytes, 3) == 3;
	}
	assert_int_equal(accepted, 0x10000 - 0x800 - 0x800);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_the_limits_of_each_row),
		cmocka_unit_test(accepts_every_code_point_except_surrogates),
		cmocka_unit_test(accepts_no_other_three_bytes),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
