/* keyring.h - the keys that seal what the store keeps.
 *
 * A text file: lines "<kid> <64 hex digits>"; blank lines and lines that begin with '#' are passed
 * over.  The first key seals, all of them open, so a key is replaced by putting a new line on top.
 */
#ifndef KEYRING_H
#define KEYRING_H

#include "base/ctx.h"

#include <stdint.h>

#define KEYRING_MAX 16 /* keys; replacing one a year for longer than records live */
#define KEY_ID_MAX  32 /* characters: letters, digits, '-', '_' */
#define KEY_SIZE    32 /* bytes: AES-256 */

struct key {
	char kid[KEY_ID_MAX + 1];
	uint8_t secret[KEY_SIZE];
};

struct keyring {
	struct key keys[KEYRING_MAX]; /* the first seals */
	size_t count;                 /* at least 1 */
};

/* The ring lives until the request ends; a process that keeps what it reads (see filecache.h) reads
 * the file again when it has changed.  Fault: FAULT_CONFIG, with file and line. */
bool keyring_read(struct ctx *ctx, const char *path, const struct keyring **ring);

/* The ring to seal with after a wait: as the file stands now, for its first key may be another one,
 * and `amocrmctl rekey` be done already.  The ring that was read before when the file cannot be
 * read. */
const struct keyring *keyring_reload(
    struct ctx *ctx, const char *path, const struct keyring *before);

/* NULL: the ring has no key of that id; kid need not be NUL-terminated. */
const struct key *keyring_find(const struct keyring *ring, const char *kid, size_t kid_len);

/* A key of its own for another purpose: HMAC-SHA256 of the purpose's name under the key
 * (NIST SP 800-108, one block).  Whoever learns it learns nothing of the key. */
void key_derive(const struct key *key, const char *purpose, uint8_t out[KEY_SIZE]);

#endif
