/* arena.c - the arena is a list of anonymous mappings, each allocated from its start to its end. */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

static struct arena_block *
last_block(struct ctx *ctx)
{
	return &ctx->blocks[ctx->last];
}

char *
arena_end(const struct ctx *ctx)
{
	return ctx->arena + (ctx->used - ctx->blocks[ctx->last].base);
}

static char *
map(size_t size)
{
	char *start = mmap(
	    NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return start == MAP_FAILED ? NULL : start;
}

bool
arena_open(struct ctx *ctx, size_t size)
{
	if (size > PTRDIFF_MAX - 1)
		return fault(ctx, FAULT_SERVER, "an arena cannot have %zu bytes", size);
	ctx->blocks[0].size = size < ARENA_FIRST_BLOCK ? size : ARENA_FIRST_BLOCK;
	ctx->arena = ctx->blocks[0].start = map(ctx->blocks[0].size);
	if (ctx->arena == NULL)
		return fault(ctx, FAULT_SERVER, "no memory for an arena of %zu bytes", size);
	ctx->size = size;
	return true;
}

void
arena_close(struct ctx *ctx)
{
	munmap(ctx->arena, ctx->blocks[0].size);
	ctx->arena = NULL;
	ctx->size = 0;
}

static bool
full(struct ctx *ctx)
{
	return fault(ctx, FAULT_SERVER, "the arena of %zu bytes is full", ctx->size);
}

static bool
no_memory(struct ctx *ctx, size_t size)
{
	return fault(ctx, FAULT_SERVER,
	    "the system has no memory: %zu bytes are in use and %zu more are needed", ctx->used,
	    size);
}

/* Begins a block with room for size bytes, and for wanted ones if there is that much memory. */
static bool
add_block(struct ctx *ctx, size_t size, size_t wanted)
{
	struct arena_block block = { .size = wanted > size ? wanted : size, .base = ctx->used };

	if (ctx->last == ARENA_BLOCKS_MAX - 1)
		return full(ctx);
	block.start = map(block.size);
	if (block.start == NULL) {
		block.size = size;
		block.start = map(size);
	}
	if (block.start == NULL)
		return no_memory(ctx, size);
	ctx->blocks[++ctx->last] = block;
	ctx->arena = block.start;
	return true;
}

/* As much again as all blocks have, but not more than may still be used. */
static size_t
usual_size(const struct ctx *ctx)
{
	size_t all = 0;

	for (int i = 0; i <= ctx->last; i++)
		all += ctx->blocks[i].size;
	return all < ctx->size - ctx->used ? all : ctx->size - ctx->used;
}

static void
drop_block(struct ctx *ctx)
{
	struct arena_block *block = last_block(ctx);

	explicit_bzero(block->start, ctx->used - block->base);
	munmap(block->start, block->size);
	ctx->used = block->base;
	ctx->last--;
	ctx->arena = last_block(ctx)->start;
}

size_t
arena_mark(const struct ctx *ctx)
{
	return ctx->used;
}

void
arena_rewind(struct ctx *ctx, size_t mark)
{
	while (ctx->last > 0 && last_block(ctx)->base >= mark)
		drop_block(ctx);
	explicit_bzero(ctx->arena + mark - last_block(ctx)->base, ctx->used - mark);
	ctx->used = mark;
}

bool
ctx_alloc(struct ctx *ctx, size_t size, void *out)
{
	const size_t alignment = alignof(max_align_t);
	size_t base = last_block(ctx)->base;
	size_t start = (ctx->used - base + alignment - 1) / alignment * alignment;
	char *at;

	if (base + start > ctx->size || size > ctx->size - base - start)
		return full(ctx);
	if (start > last_block(ctx)->size || size > last_block(ctx)->size - start) {
		if (!add_block(ctx, size, usual_size(ctx)))
			return false;
		base = ctx->used;
		start = 0;
	}
	at = ctx->arena + start;
	ctx->used = base + start + size;
	memcpy(out, &at, sizeof at);
	return true;
}

/* A block that holds only a string grows with it, without a copy.  The kernel may move it: no
 * pointer leads into a string that is not finished, except its own. */
static bool
grow_block(struct ctx *ctx, size_t size, size_t wanted)
{
	struct arena_block *block = last_block(ctx);
	char *start = mremap(block->start, block->size, wanted, MREMAP_MAYMOVE);

	if (start == MAP_FAILED) {
		wanted = size;
		start = mremap(block->start, block->size, wanted, MREMAP_MAYMOVE);
	}
	if (start == MAP_FAILED)
		return no_memory(ctx, size);
	ctx->arena = block->start = start;
	block->size = wanted;
	return true;
}

/* Moves the string into a block of its own. */
static bool
move_string(struct ctx *ctx, char *start, size_t len, bool at_end, size_t size)
{
	char *before = start;

	if (at_end)
		ctx->used -= len; /* which are free again in the block before */
	if (!add_block(ctx, size, usual_size(ctx))) {
		ctx->used += at_end ? len : 0;
		return false;
	}
	memcpy(ctx->arena, before, len);
	if (at_end)
		explicit_bzero(before, len);
	ctx->used += len;
	return true;
}

char *
arena_extend(struct ctx *ctx, char **start, size_t len, size_t more)
{
	struct arena_block *block = last_block(ctx);
	char *end = arena_end(ctx);
	bool at_end = *start + len == end;
	size_t left = ctx->size - ctx->used;
	size_t size = len + more;

	if (at_end && more <= left && more <= (size_t)(block->start + block->size - end)) {
		ctx->used += more; /* as nearly always */
		return end;
	}
	if (left < more || (!at_end && left - more < len)) {
		(void)full(ctx);
		return NULL;
	}
	if ((size_t)(block->start + block->size - end) < (at_end ? more : size)) {
		bool own = at_end && *start == block->start && ctx->last > 0;

		if (own ? !grow_block(ctx, size, size + usual_size(ctx))
			: !move_string(ctx, *start, len, at_end, size))
			return NULL;
		*start = ctx->arena;
	} else if (!at_end) {
		*start = memcpy(end, *start, len);
		ctx->used += len;
	}
	ctx->used += more;
	return *start + len;
}
