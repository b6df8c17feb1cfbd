/* test_seal.c - sealed (encrypted) secrets: the text, its key and its context must all be unchanged
 * for a secret to decrypt. */
#include "../../table.h"

#include "crypto/seal.h"

#include <stdlib.h>

#define CONTEXT "connection:1:2\n{\"host\":\"a.amocrm.ru\"}"
#define SECRET  "{\"access_token\":\"eyJ\",\"refresh_token\":\"def50200\"}"

/* Makes a ring with keys of these ids, of which the first encrypts.  A key's secret depends only on
 * the last character of its id. */
static struct keyring
ring_of(const char *kids)
{
	struct keyring ring = { .count = 0 };

	while (*kids != '\0') {
		struct key *key = &ring.keys[ring.count++];
		size_t len = strcspn(kids, " ");

		memcpy(key->kid, kids, len);
		memset(key->secret, kids[len - 1], KEY_SIZE);
		kids += len;
		kids += strspn(kids, " ");
	}
	return ring;
}

static void
decrypts_what_it_encrypted(void **state)
{
	static const struct {
		const char *label, *context, *secret;
	} table[] = {
		{ "two tokens", CONTEXT, SECRET },
		{ "an empty secret", CONTEXT, "" },
		{ "an empty context", "", SECRET },
		{ "an empty context and an empty secret", "", "" },
		{ "characters that JSON escapes, and bytes that are not UTF-8", "\"\\\n\xff",
		    "\x01\"\\\n\x7f\xd0\xaf\xff" },
	};
	struct keyring ring = ring_of("k1");

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *sealed;
		const char *secret;
		bool ok;

		open_ctx(&ctx);
		ok = seal(&ctx, &ring, table[i].context, table[i].secret, &sealed);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		DEMAND("the sealed text begins with the key id", strncmp(sealed, "k1.", 3) == 0);
		DEMAND("the sealed text is one line", strpbrk(sealed, "\r\n ") == NULL);
		ok = unseal(&ctx, &ring, table[i].context, sealed, &secret);
		same_fault(table[i].label, &ctx, ok, FAULT_NONE);
		same_text(table[i].label, secret, table[i].secret);
		ctx_close(&ctx);
	}
}

static void
decrypts_a_long_secret(void **state)
{
	struct keyring ring = ring_of("k1");
	struct ctx ctx;
	char *long_secret = malloc(100001);
	const char *sealed;
	const char *secret;

	(void)state;
	assert_non_null(long_secret);
	memset(long_secret, 's', 100000);
	long_secret[100000] = '\0';
	open_ctx(&ctx);
	assert_true(seal(&ctx, &ring, CONTEXT, long_secret, &sealed));
	assert_true(unseal(&ctx, &ring, CONTEXT, sealed, &secret));
	assert_string_equal(secret, long_secret);
	ctx_close(&ctx);
	free(long_secret);
}

static void
uses_a_new_nonce_each_time(void **state)
{
	enum { TIMES = 200 };
	struct keyring ring = ring_of("k1");
	struct ctx ctx;
	const char *sealed[TIMES];

	(void)state;
	open_ctx(&ctx);
	for (size_t i = 0; i < TIMES; i++) {
		assert_true(seal(&ctx, &ring, CONTEXT, SECRET, &sealed[i]));
		/* 96 bits are 16 characters of base64url */
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(sealed[i] + 3, sealed[j] + 3, 16);
	}
	ctx_close(&ctx);
}

/* The text was encrypted by another implementation of AES-256-GCM, with the nonce 00 01 … 0b.  The
 * format of sealed texts must not change, because existing stores have it. */
static void
decrypts_the_output_of_another_implementation(void **state)
{
	struct keyring ring = ring_of("k1");
	struct ctx ctx;
	const char *secret;

	(void)state;
	open_ctx(&ctx);
	assert_true(unseal(&ctx, &ring, CONTEXT,
	    "k1.AAECAwQFBgcICQoLBtdhRI-P2aTzFgwwoj7ED05_L31Uf-nARl1_s1-QYZpVqAnWu4fhzrMcuyi57eVA_"
	    "X6fdjpvyHPojhwkFpVKB6k",
	    &secret));
	assert_string_equal(secret, SECRET);
	ctx_close(&ctx);
}

static void
refuses_any_flipped_bit(void **state)
{
	struct keyring ring = ring_of("k1 k3 j1");
	struct ctx outer;
	struct ctx ctx;
	const char *sealed;
	char changed[512];
	size_t len;

	(void)state;
	open_ctx(&outer);
	open_ctx(&ctx);
	assert_true(seal(&outer, &ring, CONTEXT, SECRET, &sealed));
	len = strlen(sealed);
	assert_true(len < sizeof changed);
	for (size_t at = 0; at < len; at++)
		for (int bit = 0; bit < 8; bit++) {
			const char *secret;

			memcpy(changed, sealed, len + 1);
			changed[at] = (char)(changed[at] ^ 1 << bit);
			ctx_wipe(&ctx);
			if (unseal(&ctx, &ring, CONTEXT, changed, &secret))
				fail_msg("bit %d of character %zu is flipped", bit, at);
			assert_int_equal(ctx.kind, FAULT_STORAGE);
		}
	ctx_close(&ctx);
	ctx_close(&outer);
}

static void
refuses_any_other_length(void **state)
{
	struct keyring ring = ring_of("k1");
	struct ctx outer;
	struct ctx ctx;
	const char *sealed;
	char changed[512];
	size_t len;

	(void)state;
	open_ctx(&outer);
	open_ctx(&ctx);
	assert_true(seal(&outer, &ring, CONTEXT, SECRET, &sealed));
	len = strlen(sealed);
	for (size_t cut = 0; cut <= len + 8; cut++) {
		const char *secret;

		if (cut == len)
			continue;
		memset(changed, 'A', sizeof changed);
		memcpy(changed, sealed, cut < len ? cut : len);
		changed[cut] = '\0';
		ctx_wipe(&ctx);
		if (unseal(&ctx, &ring, CONTEXT, changed, &secret))
			fail_msg("%zu of %zu characters", cut, len);
		assert_int_equal(ctx.kind, FAULT_STORAGE);
	}
	ctx_close(&ctx);
	ctx_close(&outer);
}

static void
refuses_another_context(void **state)
{
	static const struct {
		const char *label, *context;
	} table[] = {
		{ "another record", "connection:1:3\n{\"host\":\"a.amocrm.ru\"}" },
		{ "another host", "connection:1:2\n{\"host\":\"b.amocrm.ru\"}" },
		{ "the context with one character less",
		    "connection:1:2\n{\"host\":\"a.amocrm.ru\"" },
		{ "the context with one character more", CONTEXT " " },
		{ "an empty context", "" },
	};
	struct keyring ring = ring_of("k1");
	struct ctx outer;
	const char *sealed;

	(void)state;
	open_ctx(&outer);
	assert_true(seal(&outer, &ring, CONTEXT, SECRET, &sealed));
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *secret;
		bool ok;

		open_ctx(&ctx);
		ok = unseal(&ctx, &ring, table[i].context, sealed, &secret);
		same_fault(table[i].label, &ctx, ok, FAULT_STORAGE);
		has_no_text(table[i].label, ctx.reason, "def50200");
		ctx_close(&ctx);
	}
	ctx_close(&outer);
}

/* The key id and the context are authenticated separately: moving a character from one to the other
 * is detected. */
static void
authenticates_kid_and_context_separately(void **state)
{
	struct keyring one = ring_of("k1");
	struct keyring same_key = ring_of("k1");
	struct ctx ctx;
	const char *sealed;
	const char *moved;
	const char *secret;

	(void)state;
	open_ctx(&ctx);
	assert_true(seal(&ctx, &one, "1context", SECRET, &sealed));
	same_key.keys[0].kid[1] = '\0'; /* "k", with the key of "k1" */
	assert_true(ctx_printf(&ctx, &moved, "k%s", sealed + 2));
	assert_false(unseal(&ctx, &same_key, "11context", moved, &secret));
	assert_int_equal(ctx.kind, FAULT_STORAGE);
	ctx_close(&ctx);
}

static void
encrypts_with_the_first_key_and_decrypts_with_every_key(void **state)
{
	static const struct {
		const char *label, *encrypting, *decrypting;
		enum fault_kind expected;
	} table[] = {
		{ "the same key", "k1", "k1", FAULT_NONE },
		{ "a new key at the top", "k1", "k2 k1", FAULT_NONE },
		{ "the first of two keys encrypts", "k2 k1", "k2", FAULT_NONE },
		{ "the second of two keys does not encrypt", "k2 k1", "k1", FAULT_STORAGE },
		{ "the old key was removed", "k1", "k2 k3", FAULT_STORAGE },
		{ "the same key under another id", "k1", "x1", FAULT_STORAGE },
		{ "a longer id with the same beginning", "k1", "k11", FAULT_STORAGE },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct keyring encrypting = ring_of(table[i].encrypting);
		struct keyring decrypting = ring_of(table[i].decrypting);
		struct ctx ctx;
		const char *sealed;
		const char *secret;
		bool ok;

		open_ctx(&ctx);
		assert_true(seal(&ctx, &encrypting, CONTEXT, SECRET, &sealed));
		ok = unseal(&ctx, &decrypting, CONTEXT, sealed, &secret);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		if (ok)
			same_text(table[i].label, secret, SECRET);
		ctx_close(&ctx);
	}
}

static void
refuses_another_key_of_the_same_id(void **state)
{
	struct keyring ring = ring_of("k1");
	struct keyring changed = ring_of("k1");
	struct ctx outer;
	struct ctx ctx;
	const char *sealed;

	(void)state;
	open_ctx(&outer);
	open_ctx(&ctx);
	assert_true(seal(&outer, &ring, CONTEXT, SECRET, &sealed));
	for (size_t bit = 0; bit < 8 * KEY_SIZE; bit++) {
		const char *secret;

		changed.keys[0].secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ctx_wipe(&ctx);
		if (unseal(&ctx, &changed, CONTEXT, sealed, &secret))
			fail_msg("bit %zu of the key is flipped", bit);
		assert_int_equal(ctx.kind, FAULT_STORAGE);
		has_text("the reason", ctx.reason, "\"k1\"");
		changed.keys[0].secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ctx_close(&ctx);
	ctx_close(&outer);
}

static void
refuses_malformed_texts(void **state)
{
	static const struct {
		const char *label, *sealed;
	} table[] = {
		{ "an empty text", "" },
		{ "only a kid", "k1" },
		{ "a kid and a dot", "k1." },
		{ "only a dot", "." },
		{ "no kid", ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "a kid that is not in the ring", "k9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "not base64url", "k1.!!!!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "one byte short of a nonce and a tag",
		    "k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "a nonce and a tag of zeros", "k1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
		{ "a secret that is not encrypted", SECRET },
	};
	struct keyring ring = ring_of("k1");

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		const char *secret;
		bool ok;

		open_ctx(&ctx);
		ok = unseal(&ctx, &ring, CONTEXT, table[i].sealed, &secret);
		same_fault(table[i].label, &ctx, ok, FAULT_STORAGE);
		ctx_close(&ctx);
	}
}

static bool
seal_in_arena(struct ctx *ctx, void *context)
{
	const char *sealed;
	const char *secret;

	if (!seal(ctx, context, CONTEXT, SECRET, &sealed)
	    || !unseal(ctx, context, CONTEXT, sealed, &secret))
		return false;
	assert_string_equal(secret, SECRET);
	return true;
}

static void
reports_a_full_arena(void **state)
{
	struct keyring ring = ring_of("k1");

	(void)state;
	try_small_arenas("encrypted and decrypted", seal_in_arena, &ring);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decrypts_what_it_encrypted),
		cmocka_unit_test(decrypts_a_long_secret),
		cmocka_unit_test(uses_a_new_nonce_each_time),
		cmocka_unit_test(decrypts_the_output_of_another_implementation),
		cmocka_unit_test(refuses_any_flipped_bit),
		cmocka_unit_test(refuses_any_other_length),
		cmocka_unit_test(refuses_another_context),
		cmocka_unit_test(authenticates_kid_and_context_separately),
		cmocka_unit_test(encrypts_with_the_first_key_and_decrypts_with_every_key),
		cmocka_unit_test(refuses_another_key_of_the_same_id),
		cmocka_unit_test(refuses_malformed_texts),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
