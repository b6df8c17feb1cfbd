/* postgresql.c - see postgresql.h. */
#include "helper/postgresql.h"

#include "base/clock.h"
#include "base/encode.h"
#include "helper/helper.h"
#include "text/json.h"

#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Many clients that reconnect at once would delay the host that takes over. */
#define PAUSE_MIN_MS 200
#define PAUSE_MAX_MS 600

#define HOST_SIZE   65 /* bytes: Linux's HOST_NAME_MAX and a NUL */
#define NONCE_BYTES 8

static int64_t
patience_ms(const struct ctx *ctx)
{
	return ctx->database.patience_ms != 0 ? ctx->database.patience_ms : POSTGRESQL_LIMIT_MS;
}

/* One attempt does not take all of a longer time: a host that was cut off may hang. */
static int64_t
attempt_ms(const struct ctx *ctx)
{
	int64_t half_ms = patience_ms(ctx) / 2;

	return half_ms > POSTGRESQL_LIMIT_MS ? half_ms : POSTGRESQL_LIMIT_MS;
}

static int64_t
attempt_deadline(const struct ctx *ctx)
{
	int64_t longest_ms = clock_ms() + attempt_ms(ctx);
	int64_t end_ms = ctx->database.end_ms;

	if (ctx->database.deadline_ms != 0)
		return ctx->database.deadline_ms;
	return end_ms == 0 || end_ms > longest_ms ? longest_ms : end_ms;
}

void
postgresql_request(
    struct ctx *ctx, const struct store_config *store, const char *verb, struct strbuf *sb)
{
	strbuf_init(ctx, sb);
	strbuf_addf(sb, "{\"do\":\"%s\",\"" HELPER_DEADLINE "\":%lld,\"section\":%d", verb,
	    (long long)attempt_deadline(ctx), ctx->database.sections > 0);
	json_add_member(sb, "database", store->database);
	json_add_member(sb, "password_file", store->password_file);
}

/* A helper that ended, or did not reply, is started anew by the next request. */
static void
make_repeatable(struct ctx *ctx)
{
	if (ctx->kind == FAULT_REPLY_LOST
	    || (ctx->kind == FAULT_SERVER && !ctx->helpers[HELPER_POSTGRESQL].running))
		ctx->kind = FAULT_UNAVAILABLE;
}

struct json_object *
postgresql_send(struct ctx *ctx, struct strbuf *sb)
{
	bool faulty = ctx->kind != FAULT_NONE;
	struct json_object *reply;
	const char *line;

	strbuf_addstr(sb, "}\n");
	if (!strbuf_finish(sb, &line))
		return NULL;
	reply =
	    helper_request(ctx, HELPER_POSTGRESQL, line, attempt_deadline(ctx) + HELPER_GRACE_MS);
	if (reply == NULL && !faulty)
		make_repeatable(ctx);
	return reply;
}

bool
postgresql_refuse_reply(struct ctx *ctx)
{
	return fault(ctx, FAULT_SERVER, "amo-crm-postgresql sent a line that is not a reply");
}

bool
postgresql_finish(struct ctx *ctx, struct json_object *reply, bool decoded)
{
	bool ok = reply != NULL && (decoded || postgresql_refuse_reply(ctx));

	json_object_put(reply);
	return ok;
}

bool
postgresql_tell(struct ctx *ctx, struct strbuf *sb)
{
	struct json_object *reply = postgresql_send(ctx, sb);

	json_object_put(reply);
	return reply != NULL;
}

static int64_t
pause_ms(void)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof random, 0);
	return PAUSE_MIN_MS + random % (PAUSE_MAX_MS - PAUSE_MIN_MS + 1);
}

/* What an attempt leaves behind. */
struct traces {
	size_t mark;
	char notes[CTX_NOTES_MAX];
};

static void
take_back(struct ctx *ctx, const struct traces *before)
{
	arena_rewind(ctx, before->mark);
	memcpy(ctx->notes, before->notes, sizeof ctx->notes);
	ctx_clear_fault(ctx);
}

static bool
repeat(struct ctx *ctx, postgresql_step *step, void *arg)
{
	int64_t end_ms =
	    ctx->database.end_ms != 0 ? ctx->database.end_ms : clock_ms() + patience_ms(ctx);
	struct traces before = { .mark = arena_mark(ctx) };

	memcpy(before.notes, ctx->notes, sizeof before.notes);
	for (;;) {
		int64_t now_ms = clock_ms();
		int64_t left_ms = end_ms - now_ms;
		int64_t pause = pause_ms();
		bool ok;

		ctx->database.deadline_ms =
		    now_ms + (left_ms < attempt_ms(ctx) ? left_ms : attempt_ms(ctx));
		ok = step(ctx, arg);
		ctx->database.deadline_ms = 0;
		if (ok || ctx->kind != FAULT_UNAVAILABLE || clock_ms() + pause >= end_ms)
			return ok;
		clock_sleep(pause);
		take_back(ctx, &before);
	}
}

bool
postgresql_retry(struct ctx *ctx, postgresql_step *step, void *arg)
{
	enum fault_kind kind = ctx->kind;
	long retry_after_s = ctx->retry_after_s;
	char reason[CTX_REASON_MAX];
	bool ok;

	if (ctx->database.sections > 0)
		return step(ctx, arg);
	if (kind == FAULT_NONE)
		return repeat(ctx, step, arg);
	memcpy(reason, ctx->reason, sizeof reason);
	ctx_clear_fault(ctx);
	ok = repeat(ctx, step, arg);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, kind, "%s", reason);
	ctx->retry_after_s = retry_after_s;
	return ok;
}

bool
postgresql_retry_within(struct ctx *ctx, int64_t limit_ms, postgresql_step *step, void *arg)
{
	int64_t end_ms = ctx->database.end_ms;
	bool ok;

	ctx->database.end_ms = clock_ms() + limit_ms;
	ok = postgresql_retry(ctx, step, arg);
	ctx->database.end_ms = end_ms;
	return ok;
}

bool
postgresql_holder(struct ctx *ctx, const char **holder)
{
	char host[HOST_SIZE] = "";
	uint8_t nonce[NONCE_BYTES];
	char hex[2 * NONCE_BYTES + 1];

	if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
		return fault(ctx, FAULT_SERVER, "getrandom failed");
	(void)gethostname(host, sizeof host - 1);
	hex_encode(nonce, sizeof nonce, hex);
	return ctx_printf(ctx, holder, "%s:%ld:%s", host, (long)getpid(), hex);
}
