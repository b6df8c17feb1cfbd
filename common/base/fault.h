/* fault.h - the kinds of errors.  One table (common/web/response.c) maps them to HTTP statuses.
 */
#ifndef FAULT_H
#define FAULT_H

enum fault_kind {
	FAULT_NONE,
	FAULT_REQUEST,       /* the request is malformed */
	FAULT_MISSING_CODE,  /* no authorization code was sent */
	FAULT_METHOD,        /* the URL does not support the method */
	FAULT_MEDIA,         /* the URL does not support the body's media type */
	FAULT_TOO_LARGE,     /* the body is over its limit */
	FAULT_TOKEN_MISSING, /* no bearer token was sent */
	FAULT_TOKEN,         /* the bearer token does not verify */
	FAULT_SIGNATURE,     /* amoCRM's signature does not verify */
	FAULT_FORBIDDEN,     /* not for this caller */
	FAULT_CLAIMED,       /* the code cannot be claimed, or not by this app user */
	FAULT_REFUSED,       /* the code or token was refused, or nothing usable is connected */
	FAULT_CLIENT,        /* amoCRM refused the client: the set-up or the account is wrong */
	FAULT_OTHER_ACCOUNT, /* the account is not the one that the configuration pins */
	FAULT_UNAVAILABLE,   /* a server, or a lock, is not available now */
	FAULT_BLOCKED,       /* amoCRM replies that the account, or our address, is blocked */
	FAULT_MOVED,         /* the host is unknown, or does not serve the account any more */
	FAULT_REPLY_LOST,    /* a request was sent, and no complete reply came */
	FAULT_STORAGE,       /* the store or the journal failed */
	FAULT_CORRUPT,       /* a record is corrupt; others can still be read */
	FAULT_CONFIG,        /* the configuration is wrong */
	FAULT_SERVER,        /* any other internal error: the arena is full, a library failed */
	FAULT_KINDS
};

/* The name of a kind, under which it is passed between processes: a number would mean another kind
 * to a program built with another enum. */
const char *fault_name(enum fault_kind kind);

/* FAULT_SERVER when no fault has that name, or name is NULL; never FAULT_NONE. */
enum fault_kind fault_by_name(const char *name);

#endif
