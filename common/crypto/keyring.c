/* keyring.c - see keyring.h. */
#include "crypto/keyring.h"

#include "base/encode.h"
#include "base/file.h"
#include "base/filecache.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "base/sha2.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
parse_line(struct ctx *ctx, struct keyring *ring, char *line, const char *path, int number)
{
	static const char kid_alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789-_";
	size_t kid_len = strspn(line, kid_alphabet);
	struct key *key = &ring->keys[ring->count];

	if (ring->count == KEYRING_MAX)
		return fault(
		    ctx, FAULT_CONFIG, "%s:%d: more than %d keys", path, number, KEYRING_MAX);
	if (kid_len == 0 || kid_len > KEY_ID_MAX || line[kid_len] != ' '
	    || !hex_decode(line + kid_len + 1, key->secret, KEY_SIZE))
		return fault(ctx, FAULT_CONFIG, "%s:%d: not \"<kid> <%d hex digits>\"", path,
		    number, 2 * KEY_SIZE);
	if (keyring_find(ring, line, kid_len) != NULL)
		return fault(
		    ctx, FAULT_CONFIG, "%s:%d: this kid occurs in a line above", path, number);
	memcpy(key->kid, line, kid_len);
	ring->count++;
	return true;
}

static bool
parse_lines(struct ctx *ctx, struct keyring *ring, FILE *file, const char *path)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool ok = true;

	for (int number = 1; ok && (len = getline(&line, &size, file)) > 0; number++) {
		if (strlen(line) != (size_t)len)
			ok = fault(ctx, FAULT_CONFIG, "%s:%d: contains a NUL", path, number);
		line[strcspn(line, "\r\n")] = '\0';
		if (ok && line[0] != '\0' && line[0] != '#')
			ok = parse_line(ctx, ring, line, path, number);
		explicit_bzero(line, size);
	}
	free(line);
	if (ok && ferror(file))
		return fault(ctx, FAULT_CONFIG, "%s: cannot be read", path);
	if (ok && ring->count == 0)
		return fault(ctx, FAULT_CONFIG,
		    "%s: contains no key; generate one with: amocrmctl keygen", path);
	return ok;
}

static bool
parse_file(struct ctx *ctx, const char *path, const void **parsed)
{
	struct keyring *ring;
	FILE *file;
	bool ok;

	if (!ctx_alloc(ctx, sizeof *ring, &ring) || !file_open_secret(ctx, path, &file))
		return false;
	ok = parse_lines(ctx, ring, file, path);
	fclose(file);
	*parsed = ring;
	return ok;
}

bool
keyring_read(struct ctx *ctx, const char *path, const struct keyring **out)
{
	const void *parsed = NULL;
	bool ok = filecache_get(ctx, FILECACHE_KEYRING, path, parse_file, &parsed);

	*out = parsed;
	return ok;
}

const struct keyring *
keyring_reload(struct ctx *ctx, const char *path, const struct keyring *before)
{
	const void *ring;

	if (parse_file(ctx, path, &ring))
		return ring;
	log_note(ctx, "keys", ctx->reason);
	ctx_clear_fault(ctx);
	return before;
}

const struct key *
keyring_find(const struct keyring *ring, const char *kid, size_t kid_len)
{
	for (size_t i = 0; i < ring->count; i++)
		if (strncmp(ring->keys[i].kid, kid, kid_len) == 0
		    && ring->keys[i].kid[kid_len] == '\0')
			return &ring->keys[i];
	return NULL;
}

void
key_derive(const struct key *key, const char *purpose, uint8_t out[KEY_SIZE])
{
	hmac_sha256(key->secret, sizeof key->secret, purpose, strlen(purpose), out);
}

bool
keyring_generate(struct ctx *ctx, time_t now, const char **line)
{
	uint8_t secret[KEY_SIZE];
	uint8_t unique[2];
	char hex[2 * KEY_SIZE + 1];
	char date[RFC3339_SIZE];
	bool ok;

	if (getentropy(secret, sizeof secret) != 0 || getentropy(unique, sizeof unique) != 0)
		return fault(ctx, FAULT_SERVER, "the system provides no random bytes");
	rfc3339_write(now, date);
	hex_encode(secret, sizeof secret, hex);
	ok = ctx_printf(ctx, line, "k%.10s-%02x%02x %s", date, unique[0], unique[1], hex);
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(hex, sizeof hex);
	return ok;
}
