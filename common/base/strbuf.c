/* strbuf.c - see strbuf.h. */
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
strbuf_init(struct ctx *ctx, struct strbuf *sb)
{
	sb->ctx = ctx;
	sb->start = ctx->arena + ctx->used;
	sb->len = 0;
	sb->full = false;
}

static char *
strbuf_full(struct strbuf *sb)
{
	sb->full = true;
	ctx_fault(sb->ctx, FAULT_SERVER, "the arena of %zu bytes is full", sb->ctx->size);
	return NULL;
}

/* Makes space for len more bytes and returns it.  The string moves to the end of the arena if
 * something else was allocated behind it. */
static char *
strbuf_extend(struct strbuf *sb, size_t len)
{
	struct ctx *ctx = sb->ctx;
	bool at_end = sb->start + sb->len == ctx->arena + ctx->used;
	size_t left = ctx->size - ctx->used;
	char *end = ctx->arena + ctx->used;

	if (sb->full || left < len || (!at_end && left - len < sb->len))
		return strbuf_full(sb);
	if (!at_end) {
		sb->start = memcpy(end, sb->start, sb->len);
		ctx->used += sb->len;
	}
	end = sb->start + sb->len;
	ctx->used += len;
	sb->len += len;
	return end;
}

void
strbuf_add(struct strbuf *sb, const void *bytes, size_t len)
{
	char *end = strbuf_extend(sb, len);

	if (end != NULL)
		memcpy(end, bytes, len);
}

void
strbuf_addstr(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void
strbuf_addch(struct strbuf *sb, char c)
{
	strbuf_add(sb, &c, 1);
}

void
strbuf_addf(struct strbuf *sb, const char *format, ...)
{
	va_list args;
	int len;
	char *end;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || (end = strbuf_extend(sb, (size_t)len + 1)) == NULL)
		return;
	va_start(args, format);
	vsnprintf(end, (size_t)len + 1, format, args);
	va_end(args);
	sb->len--; /* without vsnprintf's NUL */
	sb->ctx->used--;
}

bool
strbuf_finish(struct strbuf *sb, const char **out)
{
	strbuf_addch(sb, '\0');
	*out = sb->start;
	return !sb->full;
}
