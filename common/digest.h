/* digest.h - SHA-256 and HMAC-SHA256, and comparing secrets.
 *
 * Built on libcrypto's SHA256_* functions alone: a program that needs no more than these does not
 * start OpenSSL's providers, which costs more than everything else it does.
 */
#ifndef DIGEST_H
#define DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE     32                    /* bytes */
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1) /* with the NUL */

/* FIPS 180-4. */
void sha256(const void *data, size_t len, uint8_t out[SHA256_SIZE]);

/* The same as lowercase hex, NUL-terminated. */
void sha256_hex(const void *data, size_t len, char out[SHA256_HEX_SIZE]);

/* RFC 2104, tested with RFC 4231. */
void hmac_sha256(
    const void *key, size_t key_len, const void *data, size_t len, uint8_t out[SHA256_SIZE]);

/* In a time that tells nothing of where they differ.  Two absent values are never equal. */
bool secret_equal(const char *a, const char *b);

#endif
