/* ctx.h - the context of a request: an arena for its memory, and its first fault.
 *
 * Most functions that can fail return bool and take the context first.  False means that the
 * context holds a fault, unless the function's header says otherwise.  The first fault is kept and
 * later ones are ignored, so a chain joined by && is answered once, at its end.  What functions
 * return lives in the arena until ctx_wipe or ctx_close; nothing is freed individually, and wiping
 * leaves no secret behind.
 */
#ifndef CTX_H
#define CTX_H

#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTX_REASON_MAX 240 /* a log line's worth */
#define CTX_NOTES_MAX  480 /* a handful of key=value pairs */

/* The arena's memory comes in blocks, of which each is at least as large as all before it. */
#define ARENA_FIRST_BLOCK (1u << 20) /* bytes; nearly every request fits */
#define ARENA_BLOCKS_MAX  24         /* 2^23 times the first */

/* The helper programs, see helper.h. */
enum helper { HELPER_HTTPS, HELPER_CRYPTO, HELPER_POSTGRESQL, HELPERS };

struct helper_process {
	bool running;
	int pid;
	int fd;
};

/* What a request does in a shared database, see helper/postgresql.h.  All zero: nothing yet. */
struct database_session {
	int sections;        /* open ones, one in another */
	int64_t end_ms;      /* of the operations, by clock_ms; 0: the default for each */
	int64_t patience_ms; /* for one operation, if end_ms is 0; 0: the default */
	int64_t deadline_ms; /* of the open section, by clock_ms */
	const char *lease;   /* the name of the lease under which changes are made; NULL: none */
	int64_t token;       /* of the lease */
};

struct filecache;

struct arena_block {
	char *start;
	size_t size; /* bytes */
	size_t base; /* bytes of the arena that were used when the block became the last */
};

struct ctx {
	char *arena; /* the start of the last block */
	size_t size; /* bytes that may be used in all */
	size_t used;
	struct arena_block blocks[ARENA_BLOCKS_MAX];
	int last; /* of blocks, the index in use */
	enum fault_kind kind;
	char reason[CTX_REASON_MAX]; /* for the log; may quote input, never holds a secret */
	char notes[CTX_NOTES_MAX];   /* see log_note */
	struct helper_process helpers[HELPERS]; /* kept across requests */
	struct database_session database;
	long retry_after_s;          /* Retry-After of the failed response; 0: none */
	struct filecache *filecache; /* NULL: none, as in CGI */
};

/* For the environment of a resident process, see ctx.c. */
#define CTX_TUNABLE  "glibc.malloc.tcache_count=0"
#define CTX_TUNABLES "GLIBC_TUNABLES=" CTX_TUNABLE

/* Opens a context with an arena of at most size bytes.  Address space is taken as it is used, so
 * that a limit on it (RLIMIT_AS, RLIMIT_DATA) matters only to what needs that much.
 * False: out of memory; only its fault may be read, and no allocation succeeds. */
bool ctx_open(struct ctx *ctx, size_t size);

/* Wipes the arena, the fault and the notes, for the next request; frees all of its blocks but the
 * first. */
void ctx_wipe(struct ctx *ctx);

/* Wipes, frees the arena, and closes the connections to the helpers, which then end. */
void ctx_close(struct ctx *ctx);

/* Records a fault, unless there is one already.  Called through the macro fault, whose value is
 * false. */
void ctx_fault(struct ctx *ctx, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define fault(ctx, ...) (ctx_fault((ctx), __VA_ARGS__), false)

/* For loops whose iterations need memory: arena_mark returns the current end of the allocations,
 * and arena_rewind wipes and frees everything allocated after it. */
size_t arena_mark(const struct ctx *ctx);
void arena_rewind(struct ctx *ctx, size_t mark);

/* Clears the fault, for a step that has an alternative. */
void ctx_clear_fault(struct ctx *ctx);

/* Allocates size zero bytes, aligned for any type; out is the address of a pointer.
 * Fault: FAULT_SERVER when the arena is full, or the system has no memory for it. */
bool ctx_alloc(struct ctx *ctx, size_t size, void *out);

/* Copies len bytes at s and appends a NUL. */
bool ctx_strndup(struct ctx *ctx, const char *s, size_t len, const char **out);

/* Formats as printf does. */
bool ctx_printf(struct ctx *ctx, const char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
