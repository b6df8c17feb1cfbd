/* http.h - one HTTPS call.
 *
 * https only; no redirect is followed, since the body holds the secret; no proxy but the configured
 * one; TLS 1.2 up, certificates always verified; the answer is capped.
 *
 * The call is made by a program of its own, amo-crm-https (libexec/https.c): whoever never calls
 * never loads libcurl and the 33 libraries behind it, and OpenSSL for TLS and OpenSSL for sealing
 * never meet in one process.
 */
#ifndef HTTP_H
#define HTTP_H

#include "config.h"
#include "work.h"

#include <stdint.h>

#define HTTP_ANSWER_MAX        65536 /* bytes; a token answer is about 3 KB */
#define HTTP_CONNECT_TIMEOUT_S 3

struct http_call {
	const char *method;  /* "GET", "POST", … */
	const char *host;    /* allowed already, see host.h */
	const char *path;    /* begins with '/' */
	const char *body;    /* JSON; NULL: none */
	const char *bearer;  /* access token, or NULL */
	int64_t deadline_ms; /* by clock_ms */
};

struct http_answer {
	long status;
	const char *body; /* up to its first NUL; what is not UTF-8 in it is U+FFFD */
	bool is_json;     /* by its Content-Type */
};

/* Any HTTP status is an answer.  A call of which no byte was sent is tried once more.
 * Fault: FAULT_UNAVAILABLE when no whole answer came in time; FAULT_CONFIG for a bad ca_file,
 * connect_to or proxy, or when amo-crm-https is not where it was installed. */
bool http_send(struct work *w, const struct amocrm_config *cfg, const struct http_call *call,
    struct http_answer *answer);

#endif
