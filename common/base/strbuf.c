/* strbuf.c - see strbuf.h. */
#include "base/strbuf.h"

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
strbuf_init(struct ctx *ctx, struct strbuf *sb)
{
	sb->ctx = ctx;
	sb->start = arena_end(ctx);
	sb->len = 0;
	sb->full = false;
}

char *
strbuf_extend(struct strbuf *sb, size_t len)
{
	char *end = sb->full ? NULL : arena_extend(sb->ctx, &sb->start, sb->len, len);

	if (end == NULL)
		sb->full = true;
	else
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
