/* helper.h - programs of ours that do what would make all others slow to start.
 *
 *   amo-crm-https   HTTPS calls: libcurl, and the 33 libraries behind it
 *   amo-crm-crypto  ciphers and public keys: OpenSSL's EVP, whose start costs more than a request
 *
 * One is started when it is first asked, or before, and kept for as long as the work is open.  A
 * question is one line of JSON, and so is its answer.
 */
#ifndef HELPER_H
#define HELPER_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>

struct json_object;

/* Has one load while other things are done before it is asked.  What fails then, helper_request
 * tells. */
void helper_start(struct ctx *ctx, enum helper which);

/* Asks, and waits for the answer until deadline_ms (of clock_ms).  line ends with a newline.  The
 * answer is to be given back with json_object_put; NULL with a fault: one that the helper met,
 * FAULT_CONFIG when it is not where it was installed, FAULT_REPLY_LOST when it did not answer in
 * time, FAULT_SERVER. */
struct json_object *helper_request(
    struct ctx *ctx, enum helper which, const char *line, int64_t deadline_ms);

/* Lets go of helpers that have ended by themselves, so that none stays a zombie. */
void helper_reap(struct ctx *ctx);

/* The other side.  It is started with signals_blocked_set blocked: it ends when it is
 * asked no more, and never answers for long beyond the deadline_ms of a question that has one.
 *
 * Answers each line of standard input through answer, which returns the answer's members after '{',
 * or has the work hold a fault; until the input ends.  Returns main's exit status.  Of a question
 * and its answer nothing stays in memory, unless answer keeps it in its argument. */
typedef bool helper_handler(
    struct ctx *ctx, void *arg, const struct json_object *request, struct strbuf *reply);
int helper_serve(const char *name, size_t arena_size, helper_handler *reply, void *arg);

#endif
