/* https.h - one HTTPS call, made by amo-crm-https (see helper.h), which alone links libcurl.
 *
 * Only https is called, unless the request allows plain http.  Redirects are not followed, since
 * the body holds secrets; no proxy is used but the configured one; TLS is 1.2 or later, and the
 * server's certificate is always verified; the length of the reply is limited.
 *
 * The messages to amo-crm-https are encoded and decoded here for both ends.
 */
#ifndef HTTPS_H
#define HTTPS_H

#include "base/ctx.h"
#include "base/strbuf.h"

#include <stdint.h>

struct json_object;

#define HTTPS_REPLY_MAX         65536 /* bytes of body; a reply with tokens has about 3 KB */
#define HTTPS_CONNECT_TIMEOUT_S 3

/* Part of the reason of the FAULT_UNAVAILABLE for a reply over HTTPS_REPLY_MAX. */
#define HTTPS_TOO_LONG "the reply is over"

#define HTTPS_HEADERS_MAX 8

struct https_request {
	const char *method; /* "GET", "POST", … */
	const char *url;
	const char *host; /* of url; libcurl's parser must agree: the call may hold a secret */
	const char *headers[HTTPS_HEADERS_MAX]; /* "Name: value"; NULL ends a shorter list */
	const char *body;                       /* NULL: none */
	int64_t deadline_ms;                    /* by clock_ms */
	bool plain_allowed;                     /* http:// is allowed too */
	bool public_only;  /* private, loopback and link-local addresses of the host are refused,
			    * behind a proxy too; the proxy itself may have one */
	bool discard_body; /* of the reply, whatever its length: only the status counts */

	/* Of the part of the configuration that the call belongs to.  NULL: not configured. */
	const char *ca_file;    /* the CA certificates to trust instead of the system's */
	const char *connect_to; /* libcurl's CURLOPT_CONNECT_TO, separated by blanks */
	const char *proxy;
};

struct https_reply {
	long status;
	const char *body;   /* up to its first NUL; bytes that are not UTF-8 are U+FFFD */
	bool is_json;       /* by its Content-Type */
	long retry_after_s; /* 0: not sent */
};

/* Sends the request and waits for the reply, whatever its HTTP status.  A call of which no byte was
 * sent is tried once more.  The reply lives in the arena.
 *
 * Fault: FAULT_UNAVAILABLE when the host was not reached in time, FAULT_MOVED when it does not
 * exist, FAULT_REPLY_LOST when the call was sent and no complete reply came; FAULT_CONFIG for a bad
 * ca_file, connect_to or proxy, or when amo-crm-https is not installed. */
bool https_send(struct ctx *ctx, const struct https_request *request, struct https_reply *reply);

/* The caller's end: a line for helper_request, and its reply.
 * Fault: FAULT_SERVER when doc is not a reply, or the arena is full. */
bool https_request_encode(struct ctx *ctx, const struct https_request *request, const char **line);
bool https_reply_decode(struct ctx *ctx, const struct json_object *doc, struct https_reply *reply);

/* The end of amo-crm-https.  The strings of a decoded request belong to doc.
 * Fault: FAULT_SERVER when doc is not a request. */
bool https_request_decode(
    struct ctx *ctx, const struct json_object *doc, struct https_request *request);
void https_reply_encode(struct strbuf *sb, const struct https_reply *reply);

#endif
