/* helper.h - the helper programs, for work whose libraries load slowly.
 *
 *   amo-crm-https       HTTPS calls: libcurl and the 33 libraries that it loads
 *   amo-crm-crypto      ciphers and public keys: OpenSSL's EVP, whose start costs more than a
 *                       request
 *   amo-crm-postgresql  the database of [store] engine = postgresql: libpq and 23 libraries
 *
 * A helper is started by its first request, or ahead of it by helper_start, and runs until
 * ctx_close.  A request is one line of JSON, and so is its reply; both are encoded and decoded in
 * helper/https.c, crypto/crypto_message.c, and what includes helper/postgresql.h.
 */
#ifndef HELPER_H
#define HELPER_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>

struct json_object;

/* The member of a request that says until when its reply is wanted, by clock_ms; optional. */
#define HELPER_DEADLINE "deadline_ms"

/* The exit status of a helper that gets no memory at its start. */
#define HELPER_NO_MEMORY 71 /* EX_OSERR of sysexits.h */

/* How long after its deadline a reply may come: a helper has to load, and to write the reply. */
#define HELPER_GRACE_MS 1000

/* Starts the helper ahead of its first request, so that it loads while the caller goes on.  If that
 * fails, helper_request will report it. */
void helper_start(struct ctx *ctx, enum helper which);

/* Sends line, which ends with a newline, and waits for the reply until deadline_ms (of clock_ms).
 * The caller releases the reply with json_object_put.
 *
 * NULL with a fault: the helper's own; FAULT_CONFIG when the helper is not installed;
 * FAULT_REPLY_LOST when no complete reply came in time; FAULT_SERVER for any other failure. */
struct json_object *helper_request(
    struct ctx *ctx, enum helper which, const char *line, int64_t deadline_ms);

/* Reaps the child processes that have ended, so that no helper stays a zombie. */
void helper_reap(struct ctx *ctx);

/* The helper's end of the connection.
 *
 * Handles one request: appends the reply, a JSON object, to sb.  False with a fault, which becomes
 * the reply. */
typedef bool helper_handler(
    struct ctx *ctx, void *arg, const struct json_object *request, struct strbuf *sb);

/* Handles the lines of standard input until it ends, and returns main's exit status.  name is the
 * helper's own, for its message to a user who starts it by hand.  Requests and replies are wiped
 * from memory; only handle may keep something, in arg.
 *
 * A helper is started with the signals of signals_blocked_set blocked.  It ends when its caller
 * closes the connection, and within HELPER_GRACE_MS, rounded up to a second, of a request's
 * deadline. */
int helper_serve(const char *name, size_t arena_size, helper_handler *handle, void *arg);

#endif
