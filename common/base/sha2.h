/* sha2.h - SHA-2, HMAC, and the comparison of secrets.
 *
 * Built on libcrypto's SHA256_* and SHA512_* functions only.  Unlike EVP they do not load OpenSSL's
 * providers, which would cost more than everything else in a short-lived program.
 */
#ifndef SHA2_H
#define SHA2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE     32                    /* bytes */
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* with the NUL */

/* FIPS 180-4. */
void sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE]);

/* The same as lowercase hex, NUL-terminated. */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]);

/* The same of the concatenation of a and b. */
void sha256_concat_hex(
    const void *a, size_t a_len, const void *b, size_t b_len, char out[SHA256_HEX_SIZE]);

/* Finds the shortest length, from min to max, at which the SHA-256 of head and that many bytes of
 * data begins with the given bytes; 0: none.  The time is proportional to max. */
size_t sha256_prefix(const void *head, size_t head_len, const void *data, size_t min, size_t max,
    const void *begin, size_t begin_len);

/* RFC 2104, tested with RFC 4231. */
void hmac_sha256(
    const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA256_SIZE]);

/* The same with SHA-384 and SHA-512. */
#define SHA384_SIZE 48
#define SHA512_SIZE 64
void hmac_sha384(
    const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA384_SIZE]);
void hmac_sha512(
    const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA512_SIZE]);

/* Compares in constant time for strings of the same length.  NULL equals nothing, not even NULL. */
bool timingsafe_equal(const char *a, const char *b);

#endif
