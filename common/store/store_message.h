/* store_message.h - the messages about records between a program and amo-crm-postgresql (see
 * helper/postgresql.h), encoded and decoded here for both ends.
 *
 * The functions of the caller's end append members to a request that postgresql_request has
 * started.  Those that decode give false without a fault if doc is no such message; what they give
 * belongs to doc or to the arena.
 */
#ifndef STORE_MESSAGE_H
#define STORE_MESSAGE_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "store/store_limits.h"

#include <stdint.h>

struct json_object;

/* "begin": begins a transaction, or takes a further turn in the one that is open. */
struct store_begin {
	const char *turn;  /* no other transaction has the turn of that name; NULL: none */
	const char *lease; /* under which the changes are made; NULL: none */
	int64_t token;     /* of the lease */
};
void store_begin_encode(struct strbuf *sb, const struct store_begin *begin);
bool store_begin_decode(const struct json_object *doc, struct store_begin *begin);

/* "read": reads records that the transaction is going to change, and locks them.  Replies with
 * struct store_values in their order. */
struct store_keys {
	const char *keys[STORE_OPS_MAX];
	size_t count;
};
void store_keys_encode(struct strbuf *sb, const struct store_keys *keys);
bool store_keys_decode(const struct json_object *doc, struct store_keys *keys);

/* The reply of "get" has one value. */
struct store_values {
	const char *values[STORE_OPS_MAX]; /* NULL: there is none, or it has expired */
	size_t lengths[STORE_OPS_MAX];     /* bytes */
	size_t count;
};
void store_values_encode(struct strbuf *sb, const struct store_values *values);
bool store_values_decode(
    struct ctx *ctx, const struct json_object *doc, struct store_values *values);

/* "write": changes records that "read" has read. */
struct store_change {
	const char *key;
	const char *value; /* NULL: erases it */
	size_t len;        /* bytes of value */
	int64_t expires;   /* seconds since the epoch; 0: never */
	bool absent;       /* "read" gave no value */
};
struct store_changes {
	struct store_change changes[STORE_OPS_MAX];
	size_t count;
};
void store_changes_encode(struct strbuf *sb, const struct store_changes *changes);
bool store_changes_decode(
    struct ctx *ctx, const struct json_object *doc, struct store_changes *changes);

/* "each": replies with a page of the records whose key begins with prefix, in the order of their
 * keys, as [[key, value], …], and whether there may be more. */
struct store_range {
	const char *prefix;
	const char *after; /* the last key of the page before; "": none */
};
void store_range_encode(struct strbuf *sb, const struct store_range *range);
bool store_range_decode(const struct json_object *doc, struct store_range *range);

void store_page_begin(struct strbuf *sb);
void store_page_add(
    struct strbuf *sb, const char *key, size_t key_len, const void *value, size_t len);
void store_page_end(struct strbuf *sb, bool more);

struct store_page {
	struct json_object *records;
	size_t count;
	bool more;
};
bool store_page_decode(const struct json_object *doc, struct store_page *page);
bool store_page_record(struct ctx *ctx, const struct store_page *page, size_t index,
    const char **key, const char **value);

/* "hold": takes a lease, unless another holder has it.  It is the holder's already if an earlier
 * request was carried out, but its reply lost. */
struct store_claim {
	const char *name;
	const char *holder; /* differs for each time that a lease is taken */
	int64_t term_ms;
};
void store_claim_encode(struct strbuf *sb, const struct store_claim *claim);
bool store_claim_decode(const struct json_object *doc, struct store_claim *claim);

struct store_claimed {
	int64_t token;  /* 0: another holder has the lease */
	bool abandoned; /* by a holder before */
};
void store_claimed_encode(struct strbuf *sb, const struct store_claimed *claimed);
bool store_claimed_decode(const struct json_object *doc, struct store_claimed *claimed);

/* "let_go": ends a lease, if it still is the one with the token. */
struct store_release {
	const char *name;
	int64_t token;
	bool abandoned; /* for the next holder */
};
void store_release_encode(struct strbuf *sb, const struct store_release *release);
bool store_release_decode(const struct json_object *doc, struct store_release *release);

#endif
