/* store_postgresql_rehearse.c - trying a commit; see store_rehearse in store.h.
 *
 * A lease can be taken, and a small change be made, in a database whose disk is full: there is room
 * in the tables' pages.
 */
#include "store/store_postgresql.h"

#include "base/encode.h"

#include <string.h>
#include <sys/random.h>

#define PLACEHOLDER_BYTES 3072 /* random ones, as base64url a text of 4 KB */

struct placeholder {
	const char *text;
	size_t len;
};

struct rehearsal {
	const struct store_config *store;
	const struct store_op *ops;
	size_t count;
	bool passed;
};

/* The database would compress a text that repeats itself. */
static bool
make_placeholder(struct ctx *ctx, struct placeholder *placeholder)
{
	uint8_t bytes[PLACEHOLDER_BYTES];
	struct strbuf sb;

	if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
		return fault(ctx, FAULT_SERVER, "getrandom failed");
	strbuf_init(ctx, &sb);
	base64url_encode(&sb, bytes, sizeof bytes);
	placeholder->len = sb.len;
	return strbuf_finish(&sb, &placeholder->text);
}

/* At least as long as the old value. */
static bool
put_placeholder(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	const struct placeholder *placeholder = arg;
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	do
		strbuf_add(&sb, placeholder->text, placeholder->len);
	while (old != NULL && sb.len < strlen(old) && sb.len + placeholder->len < STORE_VALUE_MAX);
	return strbuf_finish(&sb, value);
}

/* Always false, so that the section is rolled back. */
static bool
try_commit(struct ctx *ctx, void *arg)
{
	struct rehearsal *rehearsal = arg;

	rehearsal->passed =
	    store_postgresql_commit(ctx, rehearsal->store, rehearsal->ops, rehearsal->count);
	return false;
}

bool
store_postgresql_rehearse(
    struct ctx *ctx, const struct store_config *store, const char *const *keys, size_t count)
{
	size_t mark = arena_mark(ctx);
	struct store_op ops[STORE_OPS_MAX];
	struct rehearsal rehearsal = { store, ops, count, false };
	struct placeholder placeholder;

	if (count > STORE_OPS_MAX)
		return fault(ctx, FAULT_SERVER, "%zu changes at once are too many", count);
	if (ctx->database.sections > 0)
		return fault(ctx, FAULT_SERVER, "a section cannot be rolled back in part");
	if (!make_placeholder(ctx, &placeholder))
		return false;
	for (size_t i = 0; i < count; i++)
		ops[i] = (struct store_op){ keys[i], 0, put_placeholder, &placeholder };
	(void)store_postgresql_together(ctx, store, NULL, try_commit, &rehearsal);
	arena_rewind(ctx, mark);
	return rehearsal.passed && ctx->kind == FAULT_NONE;
}
