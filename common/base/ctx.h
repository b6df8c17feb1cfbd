/* ctx.h - what one request is done in: a room for its memory, and the first fault it met.
 *
 * Everything that can fail returns bool and takes the work first.  False means the work holds a
 * fault; the first one stays, later ones are ignored, so a chain joined by && can be answered once,
 * at its end.  Whatever a function hands out lives in the room until work_wipe or work_close;
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
	FAULT_DAMAGED,       /* a record is not what was written; others may be read */
	FAULT_CONFIG,        /* our configuration is wrong */
	FAULT_SERVER,        /* anything else that is ours: out of room, a library's failure */
	FAULT_KINDS
};

#define WORK_REASON_MAX 240 /* a log line's worth */
#define WORK_NOTES_MAX  480 /* a handful of key=value pairs */

/* The programs that are asked for what this one leaves out, see helper.h. */
enum helper { HELPER_HTTPS, HELPER_CRYPTO, HELPERS };

struct helper_process {
	bool running;
	int pid;
	int fd;
};

struct kept;

struct work {
	char *room;
	size_t size; /* bytes */
	size_t used;
	enum fault_kind kind;
	char reason[WORK_REASON_MAX]; /* for the log; may quote the outside, never holds a secret */
	char notes[WORK_NOTES_MAX];   /* see log_note */
	struct helper_process helpers[HELPERS]; /* kept from one request to the next */
	long retry_after_s; /* what amoCRM asked for with the fault; 0: nothing */
	struct kept *kept;  /* see filecache.h; NULL: nothing is, as in CGI */
};

/* For the environment of a process that stays: see ctx.c. */
#define WORK_TUNABLE  "glibc.malloc.tcache_count=0"
#define WORK_TUNABLES "GLIBC_TUNABLES=" WORK_TUNABLE

/* Reserves a room of size bytes.  Pages are taken from the system only as they are used.
 * False: there is no such memory; the work must not be used. */
bool work_open(struct work *w, size_t size);

/* Overwrites all that was handed out and forgets the fault: ready for the next request. */
void work_wipe(struct work *w);

/* Wipes, gives the room back, and lets go of the helpers, which then end. */
void work_close(struct work *w);

/* Keeps the first fault.  Called through the macro fault, which is false. */
void work_fault(struct work *w, enum fault_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define fault(w, ...) (work_fault((w), __VA_ARGS__), false)

/* For a loop whose rounds need room of their own: what was handed out since the mark is overwritten
 * and given back. */
size_t work_mark(const struct work *w);
void work_release(struct work *w, size_t mark);

/* Forgets the fault: a step that has another way goes on with it. */
void work_recover(struct work *w);

/* size zero bytes, aligned for any type.  Fault: FAULT_SERVER when the room is full. */
bool work_alloc(struct work *w, size_t size, void *out);

/* A NUL-terminated copy of len bytes at s. */
bool work_copy(struct work *w, const char *s, size_t len, const char **out);

/* As printf. */
bool work_print(struct work *w, const char **out, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text that grows in the room.  Adding never fails by itself: when the room is full the work
 * holds the fault and text_end returns false.  Other allocations may come between two additions;
 * the text then moves.  text_end adds the NUL, which len then counts too. */
struct text {
	struct work *w;
	char *start;
	size_t len;
	bool full;
};

void text_begin(struct work *w, struct text *t);
void text_add(struct text *t, const char *s);
void text_add_bytes(struct text *t, const void *bytes, size_t len);
void text_add_char(struct text *t, char c);
void text_print(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool text_end(struct text *t, const char **out);

#endif
