/* strbuf.h - a string that grows in the arena of a context.
 */
#ifndef STRBUF_H
#define STRBUF_H

#include "base/ctx.h"

/* Appending returns nothing: when the arena is full, ctx holds the fault and strbuf_finish returns
 * false.  Other allocations from the arena are allowed in between; the string then moves.
 * strbuf_finish appends the NUL, which len then includes. */
struct strbuf {
	struct ctx *ctx;
	char *start;
	size_t len;
	bool full;
};

void strbuf_init(struct ctx *ctx, struct strbuf *sb);
void strbuf_addstr(struct strbuf *sb, const char *s);
void strbuf_add(struct strbuf *sb, const void *bytes, size_t len);
void strbuf_addch(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends len bytes that the caller writes at once.  NULL: the arena is full. */
char *strbuf_extend(struct strbuf *sb, size_t len);

bool strbuf_finish(struct strbuf *sb, const char **out);

#endif
