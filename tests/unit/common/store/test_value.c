/* test_value.c - a value as it is stored in a shard: any changed bit is detected. */
#include "../../table.h"

#include "store/value.h"

static void
decodes_what_it_encoded(void **state)
{
	time_t now = time(NULL);
	const struct {
		const char *label, *key;
		size_t key_len;
		const char *value;
		time_t expires;
		const char *expected; /* NULL: expired */
	} table[] = {
		{ "never expires", "connection:1:1", 14, "value", 0, "value" },
		{ "an empty value", "a", 1, "", 0, "" },
		{ "an empty key", "", 0, "value", 0, "value" },
		{ "a key shorter than the checksum", "k:1", 3, "value", 0, "value" },
		{ "a key with a NUL", "k\0:1", 4, "value", 0, "value" },
		{ "expires later", "code:1", 6, "value", now + 1000, "value" },
		{ "an expiry beyond 32 bits", "code:1", 6, "value", (time_t)1 << 40, "value" },
		{ "expires now", "code:1", 6, "value", now, NULL },
		{ "expired long ago", "code:1", 6, "value", 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct encoded_value encoded;
		struct ctx ctx;
		const char *value;

		open_ctx(&ctx);
		assert_true(value_encode(&ctx, table[i].key, table[i].key_len, table[i].value,
		    table[i].expires, &encoded));
		same_number(
		    table[i].label, (long long)encoded.len, 16 + (long long)strlen(table[i].value));
		DEMAND(table[i].label,
		    value_decode(&ctx, table[i].key, table[i].key_len, &encoded, &value));
		same_text(table[i].label, value, table[i].expected);
		DEMAND(table[i].label, value_expired(&encoded, now) == (table[i].expected == NULL));
		ctx_close(&ctx);
	}
}

static void
detects_any_changed_bit(void **state)
{
	struct encoded_value encoded;
	struct ctx ctx;
	uint8_t bytes[64];
	const struct encoded_value changed = { bytes, 16 + 5 };
	const char *value;

	(void)state;
	open_ctx(&ctx);
	assert_true(value_encode(&ctx, "code:1", 6, "value", (time_t)4102444800, &encoded));
	assert_int_equal(encoded.len, changed.len);
	for (size_t at = 0; at < encoded.len; at++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(bytes, encoded.bytes, encoded.len);
			bytes[at] ^= (uint8_t)(1 << bit);
			if (value_decode(&ctx, "code:1", 6, &changed, &value))
				fail_msg("bit %d of byte %zu is flipped", bit, at);
			assert_int_equal(ctx.kind, FAULT_NONE);
		}
	for (size_t len = 0; len < encoded.len; len++) {
		const struct encoded_value cut = { encoded.bytes, len };

		if (value_decode(&ctx, "code:1", 6, &cut, &value))
			fail_msg("%zu of %zu bytes", len, encoded.len);
	}
	DEMAND("the value of another key", !value_decode(&ctx, "code:2", 6, &encoded, &value));
	DEMAND("the value of a shorter key", !value_decode(&ctx, "code:", 5, &encoded, &value));
	assert_int_equal(ctx.kind, FAULT_NONE);
	ctx_close(&ctx);
}

static void
does_not_expire_a_value_that_is_too_short(void **state)
{
	static const uint8_t past[16] = { [15] = 1 };

	(void)state;
	for (size_t len = 0; len <= 16; len++) {
		const struct encoded_value encoded = { len == 0 ? NULL : past, len };

		if (value_expired(&encoded, time(NULL)) != (len == 16))
			fail_msg("%zu bytes", len);
	}
}

static bool
encode_and_decode(struct ctx *ctx, void *arg)
{
	struct encoded_value encoded;
	const char *value;

	(void)arg;
	if (!value_encode(ctx, "code:1", 6, "value", 0, &encoded)
	    || !value_decode(ctx, "code:1", 6, &encoded, &value))
		return false;
	assert_string_equal(value, "value");
	return true;
}

static void
reports_a_full_arena(void **state)
{
	(void)state;
	try_small_arenas("encode and decode", encode_and_decode, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_what_it_encoded),
		cmocka_unit_test(detects_any_changed_bit),
		cmocka_unit_test(does_not_expire_a_value_that_is_too_short),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
