/* keyring.h - the AES-256 keys that encrypt the tokens in the store; see seal.h.
 *
 * A text file with one key on each line, "<kid> <64 hex digits>"; blank lines and lines that begin
 * with '#' are ignored.  The first key encrypts ("seals"); every key decrypts ("opens").  So keys
 * are rotated by putting a new line at the top; `amocrmctl rekey` then re-encrypts what was
 * encrypted with an older key.
 */
#ifndef KEYRING_H
#define KEYRING_H

#include "base/ctx.h"

#include <stdint.h>
#include <time.h>

#define KEYRING_MAX 16 /* keys; enough for a rotation every year for longer than records live */
#define KEY_ID_MAX  32 /* characters: letters, digits, '-', '_' */
#define KEY_SIZE    32 /* bytes: AES-256 */

struct key {
	char kid[KEY_ID_MAX + 1];
	uint8_t secret[KEY_SIZE];
};

struct keyring {
	struct key keys[KEYRING_MAX]; /* the first one encrypts */
	size_t count;                 /* at least 1 */
};

/* Reads the file, or takes the ring from the file cache (see filecache.h) if the file has not
 * changed.  The ring lives until the request ends.  Fault: FAULT_CONFIG, with file and line. */
bool keyring_read(struct ctx *ctx, const char *path, const struct keyring **ring);

/* Reads the file again, for an encryption after a long wait: since then a new key may have been put
 * at the top, and `amocrmctl rekey` may have run already.  Returns `before` if the file cannot be
 * read. */
const struct keyring *keyring_reload(
    struct ctx *ctx, const char *path, const struct keyring *before);

/* Returns NULL if the ring has no key with that id.  kid need not be NUL-terminated. */
const struct key *keyring_find(const struct keyring *ring, const char *kid, size_t kid_len);

/* Derives a separate key for another purpose: HMAC-SHA256 of the purpose's name under the key
 * (NIST SP 800-108, one block).  The derived key reveals nothing about the key. */
void key_derive(const struct key *key, const char *purpose, uint8_t out[KEY_SIZE]);

/* Generates a line for the file, without its newline: a random key, and an id made of the date and
 * 16 random bits, as "k2026-11-22-a1b2".  Fault: FAULT_SERVER when the system gives no random
 * bytes, or the arena is full. */
bool keyring_generate(struct ctx *ctx, time_t now, const char **line);

#endif
