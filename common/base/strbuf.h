/* strbuf.h - a string that grows in the arena of a context.
 */
#ifndef STRBUF_H
#define STRBUF_H

#include "base/ctx.h"

/* Adding never fails by itself: when the arena is full the work holds the fault and strbuf_finish
 * returns false.  Other allocations may come between two additions; the string then moves.
 * strbuf_finish adds the NUL, which len then counts too. */
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
bool strbuf_finish(struct strbuf *sb, const char **out);

#endif
