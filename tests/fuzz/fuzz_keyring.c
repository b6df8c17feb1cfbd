/* fuzz_keyring.c - key rings are read completely, or refused with the line. */
#include "folder.h"

#include "crypto/keyring.h"

static void
check_ring(const struct keyring *ring)
{
	MUST(ring->count >= 1 && ring->count <= KEYRING_MAX);
	for (size_t i = 0; i < ring->count; i++) {
		const char *kid = ring->keys[i].kid;

		MUST(kid[0] != '\0' && memchr(kid, '\0', sizeof ring->keys[i].kid) != NULL);
		MUST(keyring_find(ring, kid, strlen(kid)) == &ring->keys[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct keyring *ring = NULL;
	char path[FUZZ_PATH_SIZE];
	struct ctx ctx;

	fuzz_write("keys", data, size);
	fuzz_path("keys", path);
	MUST(ctx_open(&ctx, 1 << 20));
	if (keyring_read(&ctx, path, &ring))
		check_ring(ring);
	else
		MUST(ctx.kind == FAULT_CONFIG && ctx.reason[0] != '\0');
	ctx_close(&ctx);
	return 0;
}
