/* encode.h - hexadecimal, base64 and base64url (RFC 4648), and decimal numbers.
 */
#ifndef ENCODE_H
#define ENCODE_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>

/* Writes 2 * len lowercase digits and a NUL to out. */
void hex_encode(const uint8_t *bytes, size_t len, char *out);

/* Decodes the two digits at s, of either case. */
bool hex_byte(const char *s, uint8_t *out);

/* Decodes s, which must consist of exactly 2 * len digits of either case. */
bool hex_decode(const char *s, uint8_t *bytes, size_t len);

/* base64url without padding (RFC 4648 section 5, RFC 7515 section 2). */
void base64url_encode(struct strbuf *sb, const void *bytes, size_t len);

/* Decodes strictly: no padding, no other alphabet, no white space, and the unused bits of the last
 * character must be zero, so that each value has one encoding only.  The bytes are in the arena and
 * followed by a NUL.
 * False without a fault: s is not base64url.  Fault: FAULT_SERVER when the arena is full. */
bool base64url_decode(
    struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len);

/* base64 with padding (RFC 4648 section 4); decodes as strictly as base64url. */
void base64_encode(struct strbuf *sb, const void *bytes, size_t len);
bool base64_decode(
    struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len);

/* Reads a number from 1 to INT64_MAX, without sign or leading zero, which must be all of s. */
bool decimal_parse(const char *s, int64_t *out);

/* The same of len bytes, which need no NUL. */
bool decimal_parse_len(const char *s, size_t len, int64_t *out);

#endif
