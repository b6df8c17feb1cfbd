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

/* A key that differs between processes: what the kernel gave to this one as random bytes.  It takes
 * no system call, and is as secret as the stack protector's. */
void siphash_process_key(uint64_t key[2]);

#endif
