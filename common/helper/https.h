/* https.h - one HTTPS call.
 *
 * https only, unless a call says otherwise; no redirect is followed, since the body holds the
 * secret; no proxy but the configured one; TLS 1.2 up, certificates always verified;
 * the answer is capped.
 *
 * The call is made by amo-crm-https (libexec/https/main.c, see helper.h):
 * OpenSSL for TLS and OpenSSL for sealing never meet in one process.
 */
#ifndef HTTPS_H
#define HTTPS_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

#define HTTPS_REPLY_MAX         65536 /* bytes; a token answer is about 3 KB */
#define HTTPS_CONNECT_TIMEOUT_S 3

#define HTTPS_HEADERS_MAX 8

struct https_request {
	const char *method; /* "GET", "POST", … */
	const char *url;
	const char *host; /* what libcurl must understand the URL to name: it may get a secret */
	const char *headers[HTTPS_HEADERS_MAX]; /* whole lines; NULL: no more */
	const char *body;                       /* NULL: none */
	int64_t deadline_ms;                    /* by clock_ms */
	bool plain_allowed;                     /* http:// is allowed too */
	bool public_only;    /* no private, loopback or link-local address is called */
	bool answer_dropped; /* whatever its length; only the status counts */
};

struct https_reply {
	long status;
	const char *body;   /* up to its first NUL; what is not UTF-8 in it is U+FFFD */
	bool is_json;       /* by its Content-Type */
	long retry_after_s; /* 0: not sent */
};

/* Any HTTP status is an answer.  A call of which no byte was sent is tried once more.
 * Fault: FAULT_UNAVAILABLE when nobody was reached in time, FAULT_MOVED when there is no such host,
 * FAULT_REPLY_LOST when the call was sent and no whole answer came; FAULT_CONFIG for a bad ca_file,
 * connect_to or proxy, or when amo-crm-https is not where it was installed. */
bool https_send(struct ctx *ctx, const struct amocrm_config *cfg, const struct https_request *call,
    struct https_reply *reply);

#endif
