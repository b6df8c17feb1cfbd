/* public_target.c - see public_target.h. */
#include "public_target.h"

#include "base/clock.h"
#include "public_address.h"

#include <curl/curl.h>

struct addresses {
	int count;
	bool all_public;
};

/* libcurl is about to connect to one of the host's addresses: it is noted, and nothing connects. */
static curl_socket_t
note_address(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct addresses *seen = arg;

	(void)purpose;
	seen->count++;
	seen->all_public = seen->all_public && is_public_address(&address->addr);
	return CURL_SOCKET_BAD;
}

/* libcurl resolves, so that every form of an address that it accepts in a URL counts as that
 * address here too.  False: libcurl cannot be set up. */
static bool
resolve(const struct https_request *request, struct addresses *seen)
{
	int64_t left_ms = request->deadline_ms - clock_ms();
	CURL *curl = curl_easy_init();
	bool ok = curl != NULL && curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(left_ms > 0 ? left_ms : 1))
		== CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTPS_CONNECT_TIMEOUT_S)
		== CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, note_address) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, seen) == CURLE_OK;

	if (ok)
		(void)curl_easy_perform(curl); /* it fails, as it gets no socket */
	curl_easy_cleanup(curl);
	return ok;
}

bool
public_target_check(struct ctx *ctx, const struct https_request *request)
{
	struct addresses seen = { 0, true };

	if (!resolve(request, &seen))
		return fault(ctx, FAULT_SERVER, "libcurl cannot be initialized");
	if (seen.count == 0)
		return fault(ctx, FAULT_MOVED,
		    "%s: its address is not known here, so it is not asked for through the proxy; "
		    "allow_private = yes would leave that to the proxy",
		    request->host);
	return seen.all_public
	    || fault(ctx, FAULT_UNAVAILABLE,
		"%s: has a private address, which only allow_private = yes allows", request->host);
}
