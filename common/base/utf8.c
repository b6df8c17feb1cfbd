/* utf8.c - see utf8.h. */
#include "base/utf8.h"

#include <stdbool.h>

struct range {
	unsigned char min, max;
};

/* Table 3-7, row by row.  The ranges of the second byte exclude overlong forms, surrogates and
 * everything above U+10FFFF; later bytes are 80..BF. */
static const struct {
	struct range first, second;
	size_t len;
} rows[] = {
	{ { 0x00, 0x7F }, { 0x00, 0x00 }, 1 }, /* U+0000..U+007F */
	{ { 0xC2, 0xDF }, { 0x80, 0xBF }, 2 }, /* U+0080..U+07FF */
	{ { 0xE0, 0xE0 }, { 0xA0, 0xBF }, 3 }, /* U+0800..U+0FFF */
	{ { 0xE1, 0xEC }, { 0x80, 0xBF }, 3 }, /* U+1000..U+CFFF */
	{ { 0xED, 0xED }, { 0x80, 0x9F }, 3 }, /* U+D000..U+D7FF */
	{ { 0xEE, 0xEF }, { 0x80, 0xBF }, 3 }, /* U+E000..U+FFFF */
	{ { 0xF0, 0xF0 }, { 0x90, 0xBF }, 4 }, /* U+10000..U+3FFFF */
	{ { 0xF1, 0xF3 }, { 0x80, 0xBF }, 4 }, /* U+40000..U+FFFFF */
	{ { 0xF4, 0xF4 }, { 0x80, 0x8F }, 4 }, /* U+100000..U+10FFFF */
};

static const struct range trailing = { 0x80, 0xBF };

static bool
within(struct range range, char c)
{
	unsigned char byte = (unsigned char)c;

	return byte >= range.min && byte <= range.max;
}

size_t
utf8_sequence_len(const char *s, size_t len)
{
	if (len == 0)
		return 0;
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		if (!within(rows[row].first, s[0]))
			continue;
		if (len < rows[row].len)
			return 0;
		if (rows[row].len > 1 && !within(rows[row].second, s[1]))
			return 0;
		for (size_t at = 2; at < rows[row].len; at++)
			if (!within(trailing, s[at]))
				return 0;
		return rows[row].len;
	}
	return 0;
}
