/* encode.h - bytes and numbers as text and back (RFC 4648).
 */
#ifndef ENCODE_H
#define ENCODE_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>

/* Writes 2 * len lowercase digits and a NUL. */
void hex_encode(const uint8_t *bytes, size_t len, char *out);

/* Reads the two digits at s, of either case. */
bool hex_byte(const char *s, uint8_t *out);

/* Reads exactly 2 * len digits of either case, then the end of s.  False: s is not that. */
bool hex_decode(const char *s, uint8_t *bytes, size_t len);

/* base64url without padding (RFC 4648 section 5, RFC 7515 section 2). */
void base64url_encode(struct strbuf *sb, const void *bytes, size_t len);

/* The strict inverse of it: no padding, no other alphabet, no white space, and the unused bits of
 * the last character are zero, so that a value has one spelling.  The bytes stand in the arena with
 * a NUL behind them.
 * False without a fault: s is not base64url.  Fault: FAULT_SERVER when the arena is full. */
bool base64url_decode(
    struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len);

/* base64 with padding (RFC 4648 section 4), and its strict inverse, as for base64url. */
void base64_encode(struct strbuf *sb, const void *bytes, size_t len);
bool base64_decode(
    struct ctx *ctx, const char *s, size_t len, const uint8_t **bytes, size_t *bytes_len);

/* 1 to 19 digits without sign or leading zero, at least 1, at most INT64_MAX; then the end of s. */
bool decimal_read(const char *s, int64_t *out);

#endif
