/* ctx.c - see ctx.h. */
#include "base/ctx.h"

#include "base/arena.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WIPED_WITH 0xa5 /* any byte but 0, which disables M_PERTURB */

/* Has malloc overwrite freed memory: libraries do not wipe the secrets in theirs, and GDBM would
 * write them to a file with the next block that it leaves partly unused.
 *
 * glibc does not overwrite blocks in its per-thread cache (up to 1 KB), which only the initial
 * environment can disable.  So a resident process is started with CTX_TUNABLES; a process that ends
 * with its request need not be. */
static void
wipe_freed_memory(void)
{
	mallopt(M_PERTURB, WIPED_WITH);
}

bool
ctx_open(struct ctx *ctx, size_t size)
{
	memset(ctx, 0, sizeof *ctx);
	wipe_freed_memory();
	return arena_open(ctx, size);
}

void
ctx_clear_fault(struct ctx *ctx)
{
	explicit_bzero(ctx->reason, sizeof ctx->reason);
	ctx->kind = FAULT_NONE;
	ctx->retry_after_s = 0;
}

void
ctx_wipe(struct ctx *ctx)
{
	arena_rewind(ctx, 0);
	ctx_clear_fault(ctx);
	explicit_bzero(ctx->notes, sizeof ctx->notes);
	ctx->database = (struct database_session){ .sections = 0 };
}

void
ctx_close(struct ctx *ctx)
{
	ctx_wipe(ctx);
	for (int i = 0; i < HELPERS; i++)
		if (ctx->helpers[i].running)
			close(ctx->helpers[i].fd);
	arena_close(ctx);
}

void
ctx_fault(struct ctx *ctx, enum fault_kind kind, const char *format, ...)
{
	va_list args;

	if (ctx->kind != FAULT_NONE)
		return;
	ctx->kind = kind;
	va_start(args, format);
	vsnprintf(ctx->reason, sizeof ctx->reason, format, args);
	va_end(args);
}

bool
ctx_strndup(struct ctx *ctx, const char *s, size_t len, const char **out)
{
	char *copy;

	if (!ctx_alloc(ctx, len + 1, &copy))
		return false;
	memcpy(copy, s, len);
	copy[len] = '\0';
	*out = copy;
	return true;
}

bool
ctx_printf(struct ctx *ctx, const char **out, const char *format, ...)
{
	char *at;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !ctx_alloc(ctx, (size_t)len + 1, &at))
		return fault(ctx, FAULT_SERVER, "a text cannot be formatted");
	va_start(args, format);
	vsnprintf(at, (size_t)len + 1, format, args);
	va_end(args);
	*out = at;
	return true;
}
