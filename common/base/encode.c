/* encode.c - see encode.h. */
#include "base/encode.h"

#include <string.h>

void
hex_encode(const uint8_t *bytes, size_t len, char *out)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
hex_byte(const char *s, uint8_t *out)
{
	int high = hex_digit(s[0]);
	int low = high < 0 ? -1 : hex_digit(s[1]);

	if (low < 0)
		return false;
	*out = (uint8_t)(high << 4 | low);
	return true;
}

bool
hex_decode(const char *s, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!hex_byte(s + 2 * i, &bytes[i]))
			return false;
	return s[2 * len] == '\0';
}

#define BASE62 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
static const char base64_digits[] = BASE62 "+/";
static const char base64url_digits[] = BASE62 "-_";

/* Without padding. */
static void
encode(struct strbuf *sb, const char *digits, const void *bytes, size_t len)
{
	char *out = strbuf_extend(sb, len / 3 * 4 + (len % 3 == 0 ? 0 : len % 3 + 1));
	const uint8_t *in = bytes;
	uint32_t bits = 0;
	unsigned have = 0;

	if (out == NULL)
		return;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | in[i];
		for (have += 8; have >= 6; have -= 6)
			*out++ = digits[bits >> (have - 6) & 63];
	}
	if (have > 0)
		*out = digits[bits << (6 - have) & 63];
}

/* -1: it is none. */
static int
digit_value(const char *digits, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == digits[62])
		return 62;
	return c == digits[63] ? 63 : -1;
}

/* Decodes text without padding. */
static bool
decode(struct ctx *ctx, const char *digits, const char *s, size_t len, const uint8_t **bytes,
    size_t *bytes_len)
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	uint8_t *out;

	if (len % 4 == 1 || !ctx_alloc(ctx, len / 4 * 3 + 3, &out))
		return false;
	for (size_t i = 0; i < len; i++) {
		int value = digit_value(digits, s[i]);

		if (value < 0)
			return false;
		bits = bits << 6 | (uint32_t)value;
		if ((have += 6) >= 8)
			out[n++] = (uint8_t)(bits >> (have -= 8));
	}
	if ((bits & ((1u << have) - 1)) != 0)
		return false;
	*bytes = out;
	*bytes_len = n;
	return true;
}

void
base64url_encode(struct strbuf *sb, const void *bytes, size_t len)
{
	encode(sb, base64url_digits, bytes, len);
}

bool
base64url_decode(
    struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len)
{
	return decode(ctx, base64url_digits, s, len, bytes, bytes_len);
}

void
base64_encode(struct strbuf *sb, const void *bytes, size_t len)
{
	encode(sb, base64_digits, bytes, len);
	for (; len % 3 != 0; len++)
		strbuf_addch(sb, '=');
}

bool
base64_decode(struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len)
{
	size_t padding = 0;

	if (len % 4 != 0)
		return false;
	while (padding < 2 && padding < len && s[len - 1 - padding] == '=')
		padding++;
	return decode(ctx, base64_digits, s, len - padding, bytes, bytes_len);
}

bool
decimal_parse(const char *s, int64_t *out)
{
	return decimal_parse_len(s, strlen(s), out);
}

bool
decimal_parse_len(const char *s, size_t len, int64_t *out)
{
	int64_t value = 0;

	if (len == 0 || *s < '1' || *s > '9')
		return false;
	for (size_t i = 0; i < len; i++) {
		int digit = s[i] - '0';

		if (digit < 0 || digit > 9 || value > (INT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*out = value;
	return true;
}
