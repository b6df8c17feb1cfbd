/* ctx.h - what one request is done in: an arena for its memory, and the first fault it met.
 *
 * Everything that can fail returns bool and takes the work first.  False means the work holds a
 * fault; the first one stays, later ones are ignored, so a chain joined by && can be answered once,
 * at its end.  Whatever a function hands out lives in the arena until ctx_wipe or ctx_close;
 * nothing is freed singly, and wiping leaves no secret behind.
 */
#ifndef CTX_H
#define CTX_H

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_REQUEST,       /* the request is malformed */
	FAULT_MISSING_CODE,  /* no authorization code was sent */
	FAULT_METHOD,        /* the method is not one the URL answers to */
	FAULT_MEDIA,         /* the body is of a type the URL does not read */
	FAULT_TOO_LARGE,     /* the body is over its limit */
	FAULT_TOKEN_MISSING, /* no bearer token was sent */
	FAULT_TOKEN,         /* the bearer token does not verify */
	FAULT_SIGNATURE,     /* amoCRM's signature does not verify */
	FAULT_FORBIDDEN,     /* not for this caller */
	FAULT_CLAIMED,       /* the code belongs to another app user */
	FAULT_REFUSED,       /* amoCRM refused the code or token */
	FAULT_CLIENT,        /* amoCRM refused us: the set-up, or the account, is wrong */
	FAULT_UNAVAILABLE,   /* amoCRM cannot be asked now */
	FAULT_BLOCKED,       /* it answers that the account, or our address, is blocked */
	FAULT_MOVED,         /* the account is at this host no longer, it seems */
	FAULT_REPLY_LOST,    /* amoCRM was asked, and no whole answer came */
	FAULT_STORAGE,       /* our store or journal failed */
	FAULT_CORRUPT,       /* a record is not what was written; others may be read */
	FAULT_CONFIG,        /* our configuration is wrong */
	FAULT_SERVER, /* anything else that is ours: the arena is full, a library's failure */
	FAULT_KINDS
};

#define CTX_REASON_MAX 240 /* a log line's worth */
#define CTX_NOTES_MAX  480 /* a handful of key=value pairs */

/* The programs that are asked for what this one leaves out, see helper.h. */
enum helper { HELPER_HTTPS, HELPER_CRYPTO, HELPERS };

struct helper_process {
	bool running;
	int pid;
	int fd;
};

struct filecache;

struct ctx {
	char *arena;
	size_t size; /* bytes */
	size_t used;
	enum fault_kind kind;
	char reason[CTX_REASON_MAX]; /* for the log; may quote the outside, never holds a secret */
	char notes[CTX_NOTES_MAX];   /* see log_note */
	struct helper_process helpers[HELPERS]; /* kept from one request to the next */
	long retry_after_s;          /* what amoCRM asked for with the fault; 0: nothing */
	struct filecache *filecache; /* see filecache.h; NULL: nothing is, as in CGI */
};

/* For the environment of a process that stays: see ctx.c. */
#define CTX_TUNABLE  "glibc.malloc.tcache_count=0"
#define CTX_TUNABLES "GLIBC_TUNABLES=" CTX_TUNABLE

/* Reserves an arena of size bytes.  Pages are taken from the system only as they are used.
 * False: there is no such memory; the work must not be used. */
bool ctx_open(struct ctx *ctx, size_t size);

/* Overwrites all that was handed out and forgets the fault: ready for the next request. */
void ctx_wipe(struct ctx *ctx);

/* Wipes, gives the arena back, and lets go of the helpers, which then end. */
void ctx_close(struct ctx *ctx);

/* Keeps the first fault.  Called through the macro fault, which is false. */
void ctx_fault(struct ctx *ctx, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define fault(ctx, ...) (ctx_fault((ctx), __VA_ARGS__), false)

/* For a loop whose rounds need memory of their own: what was handed out since the mark is
 * overwritten and given back. */
size_t arena_mark(const struct ctx *ctx);
void arena_rewind(struct ctx *ctx, size_t mark);

/* Forgets the fault: a step that has another way goes on with it. */
void ctx_clear_fault(struct ctx *ctx);

/* size zero bytes, aligned for any type.  Fault: FAULT_SERVER when the arena is full. */
bool ctx_alloc(struct ctx *ctx, size_t size, void *out);

/* A NUL-terminated copy of len bytes at s. */
bool ctx_strndup(struct ctx *ctx, const char *s, size_t len, const char **out);

/* As printf. */
bool ctx_printf(struct ctx *ctx, const char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
