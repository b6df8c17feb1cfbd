/* curl_client.h - libcurl, kept from one call to the next.
 *
 * What is kept are TLS sessions and the certificates that were read, for some minutes, and not when
 * the file or folder of certificates has changed.  A connection is not: when one that was kept
 * turns out to be closed, libcurl sends again what it may have sent already, and codes and refresh
 * tokens work once.
 */
#ifndef CURL_CLIENT_H
#define CURL_CLIENT_H

#include "base/ctx.h"
#include "helper/https.h"

#include <curl/curl.h>
#include <stdint.h>
#include <sys/stat.h>

struct json_object;

/* A call as amo-crm-https is asked for it, see common/helper/https.c; what is not set is NULL. */
struct call {
	const char *url;
	const char *host;
	const char *method;
	struct json_object *headers; /* an array of lines */
	const char *body;
	const char *ca_file;
	const char *connect_to;
	const char *proxy;
	int64_t deadline_ms;
	int64_t plain_allowed;
	int64_t public_only;
	int64_t answer_dropped;
};

struct curl_client {
	CURL *curl;
	bool used;
	int64_t since_ms;        /* by clock_ms */
	struct stat authorities; /* the file or folder of certificates, as it was then */
};

/* Loads what can be loaded before there is a call; what fails then, curl_client_send tells. */
void curl_client_open(struct curl_client *client);

/* Sends the call, a second time when no byte of it was sent at the first.  Faults: see
 * https_send. */
bool curl_client_send(struct ctx *ctx, struct curl_client *client, const struct call *call,
    struct https_reply *reply);

void curl_client_close(struct curl_client *client);

#endif
