/* endpoints.h - the URLs of our programs, all derived from [amocrm] redirect_uri.
 *
 *   https://crm.example.com:8443/api/amo-crm/callback
 *   '---------- base ----------''-- path ---''-name-'
 *
 * redirect_uri is the callback's URL and the only one that is configured; the other programs
 * answer beside it.  Every redirect_uri here is one that config_read has accepted: an absolute http
 * or https URL in printable ASCII, without a fragment.
 */
#ifndef ENDPOINTS_H
#define ENDPOINTS_H

#include "base/ctx.h"
#include "config/config.h"

/* The path that the web server maps to our programs, as in the example configurations. */
#define ENDPOINTS_PATH "/api/amo-crm/"

enum endpoint {
	ENDPOINT_CALLBACK,
	ENDPOINT_EXCHANGE_CODE,
	ENDPOINT_STATUS,
	ENDPOINT_DISCONNECT,
	ENDPOINT_WEBHOOK,
	ENDPOINTS
};

/* The last segment of the endpoint's path, which is the program's file name: "exchange-code". */
const char *endpoint_name(enum endpoint endpoint);

/* The endpoint's URL: redirect_uri with that last segment in place of "callback".
 * Fault: FAULT_CONFIG when redirect_uri does not end in "/callback". */
bool endpoint_url(
    struct ctx *ctx, const char *redirect_uri, enum endpoint endpoint, const char **url);

/* The URL to which amoCRM is to send webhooks: the endpoint's, with [webhook] secret as its key if
 * that is set.  With the key it is a secret.  Fault: as endpoint_url. */
bool endpoint_webhook_url(struct ctx *ctx, const struct config *cfg, const char **url);

/* Whether url is below ENDPOINTS_PATH on our own site, as an endpoint's is.  Byte by byte: another
 * spelling of the same URL is not recognized. */
bool endpoint_is_own(const char *redirect_uri, const char *url);

/* The parts of redirect_uri. */
struct endpoints_site {
	const char *base;          /* what precedes ENDPOINTS_PATH */
	const char *host;          /* without user name and port; an IPv6 address in its brackets */
	const char *port_and_path; /* of base, after the host: ":8443", ":8443/dir", or "" */
	const char *parent;     /* the host without its first label; NULL: that has no dot left */
	const char *plain_base; /* base with http for https; NULL: redirect_uri has http itself */
};

/* Fault: FAULT_CONFIG when redirect_uri does not end in ENDPOINTS_PATH and "callback". */
bool endpoints_site(struct ctx *ctx, const char *redirect_uri, struct endpoints_site *site);

/* Whether the host of a URL is this machine's name for itself, or an address of a private network,
 * as it is written: no name is looked up. */
bool endpoint_is_private(const char *url);

/* Why amoCRM or a browser could not use a redirect_uri; the first that applies. */
enum redirect_uri_problem {
	REDIRECT_URI_OK,
	REDIRECT_URI_OLD_PATH,       /* below /api/v1/integrations/ */
	REDIRECT_URI_QUERY,          /* amoCRM appends its own */
	REDIRECT_URI_TRAILING_SLASH, /* amoCRM compares byte for byte, and no program answers */
	REDIRECT_URI_UPPER_CASE,
	REDIRECT_URI_USER_NAME,
	REDIRECT_URI_OTHER_PATH, /* it does not end in ENDPOINTS_PATH and "callback" */
	REDIRECT_URI_NOT_HTTPS,
	REDIRECT_URI_PRIVATE /* localhost, an address of a private network, and the like */
};

/* is_trial allows REDIRECT_URI_NOT_HTTPS and REDIRECT_URI_PRIVATE. */
enum redirect_uri_problem redirect_uri_check(const char *redirect_uri, bool is_trial);

#endif
