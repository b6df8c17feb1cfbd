/* siphash.h - SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): the
 * hash of a hash table whose names an attacker chooses.
 *
 * Who does not know the key cannot find names that collide.  The hash must not be shown.
 */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Of the 8 bytes of head, in little-endian order, and the len bytes after them. */
uint64_t siphash(const uint64_t key[2], uint64_t head, const void *bytes, size_t len);

#endif
