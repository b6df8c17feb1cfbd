/* arena.h - the memory of a context, in blocks; for ctx.c and strbuf.c.
 */
#ifndef ARENA_H
#define ARENA_H

#include "base/ctx.h"

/* The first block of an arena of size bytes.  Fault: FAULT_SERVER, out of memory. */
bool arena_open(struct ctx *ctx, size_t size);

/* Frees the arena, which must be empty. */
void arena_close(struct ctx *ctx);

/* Where the next allocation without alignment would be. */
char *arena_end(const struct ctx *ctx);

/* Makes room for more bytes behind the string of len bytes at *start, in its block or in a larger
 * one, into which it then moves, and counts them as used.  Returns where they are, and sets *start.
 * NULL with a fault: as ctx_alloc. */
char *arena_extend(struct ctx *ctx, char **start, size_t len, size_t more);

#endif
