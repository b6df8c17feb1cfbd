/* curl_client.c - see curl_client.h. */
#include "curl_client.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "ca_certs.h"
#include "public_address.h"
#include "public_target.h"

#include <string.h>

#define USER_AGENT "amo-crm-cgi/1.0"

/* Resuming a TLS session skips the verification of the server's certificate, so sessions are
 * discarded after this time. */
#define SESSION_MAX_AGE_MS 600000

struct transfer {
	struct strbuf body;
	bool too_long;
	bool discard_body;
};

static size_t
append_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;

	if (transfer->discard_body)
		return len;
	if (len > HTTPS_REPLY_MAX - transfer->body.len) {
		transfer->too_long = true;
		return 0;
	}
	strbuf_add(&transfer->body, bytes, len);
	return len;
}

static bool
add_item(struct curl_slist **list, const char *item)
{
	struct curl_slist *longer = curl_slist_append(*list, item);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
make_headers(struct ctx *ctx, const struct https_request *request, struct curl_slist **headers)
{
	bool ok = add_item(headers, "Expect:"); /* no "100-continue" */

	for (size_t i = 0; i < HTTPS_HEADERS_MAX && request->headers[i] != NULL; i++)
		ok = ok && add_item(headers, request->headers[i]);
	return ok || fault(ctx, FAULT_SERVER, "no memory for the headers");
}

static bool
make_connect_to(struct ctx *ctx, const char *words, struct curl_slist **list)
{
	while (words != NULL && *words != '\0') {
		size_t len = strcspn(words, " ");
		const char *word;

		if (!ctx_strndup(ctx, words, len, &word))
			return false;
		if (len > 0 && !add_item(list, word))
			return fault(ctx, FAULT_SERVER, "no memory for connect_to");
		words += len;
		words += strspn(words, " ");
	}
	return true;
}

/* The caller has allowed this host.  If libcurl's parser found another one in the URL, the secrets
 * would go there. */
static bool
url_names_host(const char *url, const char *host)
{
	CURLU *parsed = curl_url();
	char *found = NULL;
	bool same = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK
	    && curl_url_get(parsed, CURLUPART_HOST, &found, 0) == CURLUE_OK
	    && strcmp(found, host) == 0;

	curl_free(found);
	curl_url_cleanup(parsed);
	return same;
}

/* The name is resolved at this point, so it cannot resolve to another address after the check. */
static curl_socket_t
open_public_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	if (!is_public_address(&address->addr))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool
has_proxy(const struct https_request *request)
{
	return request->proxy != NULL && request->proxy[0] != '\0';
}

static bool
set_policy(CURL *curl, const struct https_request *request)
{
	return curl_easy_setopt(
		   curl, CURLOPT_PROTOCOLS_STR, request->plain_allowed ? "https,http" : "https")
	    == CURLE_OK
	    && (!request->public_only || has_proxy(request)
		|| curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public_socket)
		    == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_PROXY, request->proxy == NULL ? "" : request->proxy)
	    == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOPROXY, "") == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK
	    && (request->discard_body
		|| curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HTTPS_REPLY_MAX) == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTPS_CONNECT_TIMEOUT_S)
	    == CURLE_OK
	    && ca_certs_set(curl, request->ca_file, true);
}

static bool
set_request(CURL *curl, const struct https_request *request, struct curl_slist *headers,
    struct curl_slist *connect_to, struct transfer *transfer)
{
	return curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to) == CURLE_OK
	    && (request->body == NULL
		|| curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body) == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append_body) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

/* Runs the call.  If it fails before a byte of the request was sent, it is retried once, without
 * the cached TLS sessions and with the system's file of certificates instead of the folder. */
static CURLcode
perform(CURL *curl, const struct https_request *request)
{
	CURLcode result = CURLE_OPERATION_TIMEDOUT;
	long sent = 0;

	for (int attempt = 0; attempt < 2 && sent == 0 && result != CURLE_OK; attempt++) {
		int64_t left_ms = request->deadline_ms - clock_ms();

		if (left_ms <= 0)
			return CURLE_OPERATION_TIMEDOUT;
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
		if (attempt > 0
		    && (curl_easy_setopt(curl, CURLOPT_SSL_SESSIONID_CACHE, 0L) != CURLE_OK
			|| !ca_certs_set(curl, request->ca_file, false)))
			return result;
		result = curl_easy_perform(curl);
		if (curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK)
			return result;
	}
	return result;
}

/* The fault for a call without a complete reply. */
static enum fault_kind
fault_kind_of(CURL *curl, CURLcode result)
{
	long sent = 0;

	if (result == CURLE_COULDNT_RESOLVE_HOST)
		return FAULT_MOVED;
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0 ? FAULT_REPLY_LOST : FAULT_UNAVAILABLE;
}

static bool
read_reply(struct ctx *ctx, CURL *curl, CURLcode result, const struct https_request *request,
    struct transfer *transfer, struct https_reply *reply)
{
	const char *type = NULL;
	curl_off_t retry_after_s = 0;

	if (transfer->too_long || result == CURLE_FILESIZE_EXCEEDED)
		return fault(ctx, FAULT_UNAVAILABLE, "%s: " HTTPS_TOO_LONG " %d bytes",
		    request->host, HTTPS_REPLY_MAX);
	if (result == CURLE_SSL_CACERT_BADFILE)
		return fault(ctx, FAULT_CONFIG, "ca_file %s cannot be used: %s",
		    request->ca_file == NULL ? "(the system's)" : request->ca_file,
		    curl_easy_strerror(result));
	if (result != CURLE_OK)
		return fault(ctx, fault_kind_of(curl, result), "%s: %s", request->host,
		    curl_easy_strerror(result));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
	reply->retry_after_s = (long)retry_after_s;
	reply->is_json = type != NULL && strstr(type, "json") != NULL;
	return strbuf_finish(&transfer->body, &reply->body);
}

static bool
send_with(
    struct ctx *ctx, CURL *curl, const struct https_request *request, struct https_reply *reply)
{
	struct transfer transfer = { .discard_body = request->discard_body };
	struct curl_slist *headers = NULL;
	struct curl_slist *connect_to = NULL;
	bool ok = false;

	if (!url_names_host(request->url, request->host))
		ctx_fault(
		    ctx, FAULT_REQUEST, "libcurl does not accept %s as a host name", request->host);
	else if ((!request->public_only || !has_proxy(request) || public_target_check(ctx, request))
	    && make_headers(ctx, request, &headers)
	    && make_connect_to(ctx, request->connect_to, &connect_to)) {
		strbuf_init(ctx, &transfer.body);
		ok = (set_policy(curl, request)
			 && set_request(curl, request, headers, connect_to, &transfer))
		    ? read_reply(ctx, curl, perform(curl, request), request, &transfer, reply)
		    : fault(
			ctx, FAULT_CONFIG, "libcurl does not accept ca_file, connect_to or proxy");
	}
	curl_easy_reset(curl); /* the next call starts without this one's settings */
	curl_slist_free_all(headers);
	curl_slist_free_all(connect_to);
	return ok;
}

/* Sessions were verified with the certificates of their time. */
static void
discard_old_sessions(struct curl_client *client, const struct https_request *request)
{
	bool changed = ca_certs_changed(request->ca_file, &client->ca_stat);

	if (client->used && (changed || clock_ms() - client->opened_ms >= SESSION_MAX_AGE_MS)) {
		curl_client_close(client);
		curl_client_open(client);
	}
	client->used = true;
}

/* A FIFO would make libcurl wait for a writer.  A missing file, whose status is all zero, is
 * reported by libcurl. */
static bool
ca_file_usable(struct ctx *ctx, const struct stat *st, const char *path)
{
	if (st->st_mode != 0 && !S_ISREG(st->st_mode))
		return fault(ctx, FAULT_CONFIG, "%s: is not a regular file", path);
	return file_trusted(ctx, st, path);
}

void
curl_client_open(struct curl_client *client)
{
	client->opened_ms = clock_ms();
	if (curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
		client->curl = curl_easy_init();
}

void
curl_client_close(struct curl_client *client)
{
	curl_easy_cleanup(client->curl);
	client->curl = NULL;
}

bool
curl_client_send(struct ctx *ctx, struct curl_client *client, const struct https_request *request,
    struct https_reply *reply)
{
	discard_old_sessions(client, request);
	if (request->ca_file != NULL && !ca_file_usable(ctx, &client->ca_stat, request->ca_file))
		return false;
	return client->curl != NULL ? send_with(ctx, client->curl, request, reply)
				    : fault(ctx, FAULT_SERVER, "libcurl cannot be initialized");
}
