/* curl_client.h - libcurl, kept initialised from one call to the next.
 *
 * TLS sessions and the parsed CA certificates are reused for some minutes, unless the file or
 * folder of certificates has changed.  Connections are not: when libcurl finds a reused one closed,
 * it sends the request again, though the server may have received it, and authorization codes and
 * refresh tokens work only once.
 */
#ifndef CURL_CLIENT_H
#define CURL_CLIENT_H

#include "base/ctx.h"
#include "helper/https.h"

#include <curl/curl.h>
#include <stdint.h>
#include <sys/stat.h>

struct curl_client {
	CURL *curl;
	bool used;
	int64_t opened_ms;   /* by clock_ms */
	struct stat ca_stat; /* of the file or folder of certificates at the last call */
};

/* Initialises libcurl ahead of the first call.  If that fails, curl_client_send will report it. */
void curl_client_open(struct curl_client *client);

/* Sends the request; a second time if no byte of it was sent at first.  Faults: as https_send. */
bool curl_client_send(struct ctx *ctx, struct curl_client *client,
    const struct https_request *request, struct https_reply *reply);

void curl_client_close(struct curl_client *client);

#endif
