/* escrow_slot.c - see escrow_slot.h. */
#include "store/escrow_slot.h"

#include "base/clock.h"
#include "base/sha2.h"
#include "store/store_limits.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define MAGIC      "amoescr1"
#define MAGIC_SIZE 8
#define LEN_AT     MAGIC_SIZE
#define DIGEST_AT  (LEN_AT + 4)
#define HEAD_SIZE  (DIGEST_AT + SHA256_SIZE)
#define TRIES      4 /* after an error that may pass */
#define PAUSE_MS   20

/* False with errno 0: the file ends before. */
static bool
read_at(int fd, void *bytes, size_t len, off_t at)
{
	size_t done = 0;

	for (int errors = 0; done < len;) {
		ssize_t n = pread(fd, (char *)bytes + done, len - done, at + (off_t)done);

		if (n == 0)
			errno = 0;
		if (n == 0 || (n < 0 && errno != EINTR && ++errors == TRIES))
			return false;
		done += n < 0 ? 0 : (size_t)n;
	}
	return true;
}

static bool
write_at_start(int fd, const void *bytes, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)done);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		done += n < 0 ? 0 : (size_t)n;
	}
	return true;
}

/* Writes the whole again after a failed sync, which may have dropped the written pages. */
static bool
write_durably(int fd, const void *bytes, size_t len)
{
	for (int i = 0; i < TRIES; i++) {
		if (write_at_start(fd, bytes, len) && fdatasync(fd) == 0)
			return true;
		if (errno != EINTR)
			clock_sleep(PAUSE_MS);
	}
	return false;
}

static size_t
get_len(const uint8_t *head)
{
	size_t len = 0;

	for (int i = 0; i < 4; i++)
		len = len << 8 | head[LEN_AT + i];
	return len;
}

/* A slot that ends early is free; one that cannot be read may hold a text. */
static bool
check_end(struct ctx *ctx, const char *path)
{
	return errno == 0
	    || fault(ctx, FAULT_STORAGE, "%s: cannot be read: %s", path, strerror(errno));
}

bool
escrow_slot_read(struct ctx *ctx, int fd, const char *path, const char **text)
{
	uint8_t head[HEAD_SIZE];
	uint8_t digest[SHA256_SIZE];
	char *bytes;
	size_t len;

	*text = NULL;
	if (!read_at(fd, head, sizeof head, 0))
		return check_end(ctx, path);
	if (memcmp(head, MAGIC, MAGIC_SIZE) != 0 || (len = get_len(head)) > ESCROW_TEXT_MAX)
		return true;
	if (!ctx_alloc(ctx, len + 1, &bytes))
		return false;
	if (!read_at(fd, bytes, len, HEAD_SIZE))
		return check_end(ctx, path);
	sha256(bytes, len, digest);
	if (memcmp(digest, head + DIGEST_AT, sizeof digest) == 0 && strlen(bytes) == len)
		*text = bytes;
	return true;
}

bool
escrow_slot_write(struct ctx *ctx, int fd, const char *text, bool sync)
{
	size_t len = strlen(text);
	uint8_t *bytes;

	if (len > ESCROW_TEXT_MAX)
		return fault(ctx, FAULT_SERVER, "a text is over %d bytes", ESCROW_TEXT_MAX);
	if (!ctx_alloc(ctx, HEAD_SIZE + len, &bytes))
		return false;
	memcpy(bytes, MAGIC, MAGIC_SIZE);
	for (int i = 0; i < 4; i++)
		bytes[LEN_AT + i] = (uint8_t)(len >> (8 * (3 - i)));
	sha256(text, len, bytes + DIGEST_AT);
	memcpy(bytes + HEAD_SIZE, text, len);
	return (sync ? write_durably(fd, bytes, HEAD_SIZE + len)
		     : write_at_start(fd, bytes, HEAD_SIZE + len))
	    || fault(ctx, FAULT_STORAGE, "the escrow cannot be written: %s", strerror(errno));
}

bool
escrow_slot_clear(int fd)
{
	static const uint8_t zeros[HEAD_SIZE];

	return write_at_start(fd, zeros, sizeof zeros);
}

bool
escrow_slot_free(struct ctx *ctx, int fd, size_t len)
{
	uint8_t *zeros;

	return ctx_alloc(ctx, HEAD_SIZE + len, &zeros)
	    && (write_durably(fd, zeros, HEAD_SIZE + len)
		|| fault(ctx, FAULT_STORAGE, "the escrow cannot be freed: %s", strerror(errno)));
}
