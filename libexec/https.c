/* https.c - amo-crm-https: makes HTTPS calls for the other programs (see helper.h), so that only this
 * one, and only when there is something to ask, loads libcurl and what libcurl loads.
 *
 *   program -- a JSON line -->  amo-crm-https  -- HTTPS -->  amoCRM
 *   program <-- a JSON line --  amo-crm-https  <-- answer --  amoCRM
 *
 * The lines are those of common/http.c.
 */
#include "http.h"

#include "clock.h"
#include "helper.h"
#include "json.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define USER_AGENT "amo-crm-cgi/1.0"
#define ROOM_SIZE  (4u << 20) /* bytes */

/* One request line, see common/http.c; what is not set is NULL. */
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

struct transfer {
	struct text body;
	bool too_long;
	bool dropped;
};

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t len = size * count;

	if (transfer->dropped)
		return len;
	if (len > HTTP_ANSWER_MAX - transfer->body.len) {
		transfer->too_long = true;
		return 0;
	}
	text_add_bytes(&transfer->body, bytes, len);
	return len;
}

/* All of items are appended, or none. */
static bool
append(struct curl_slist **list, const char *item)
{
	struct curl_slist *longer = curl_slist_append(*list, item);

	if (longer == NULL)
		return false;
	*list = longer;
	return true;
}

static bool
make_headers(struct work *w, const struct call *call, struct curl_slist **headers)
{
	size_t count = call->headers == NULL ? 0 : json_object_array_length(call->headers);
	bool done = append(headers, "Expect:");

	for (size_t i = 0; i < count; i++) {
		const char *header =
		    json_object_get_string(json_object_array_get_idx(call->headers, i));

		done = done && header != NULL && append(headers, header);
	}
	return done || fault(w, FAULT_SERVER, "no memory for the headers");
}

static bool
make_connect_to(struct work *w, const char *words, struct curl_slist **list)
{
	while (words != NULL && *words != '\0') {
		size_t len = strcspn(words, " ");
		const char *word;

		if (!work_copy(w, words, len, &word))
			return false;
		if (len > 0 && !append(list, word))
			return fault(w, FAULT_SERVER, "no memory for connect_to");
		words += len;
		words += strspn(words, " ");
	}
	return true;
}

/* The host again, as curl understood the URL: whatever reads a URL differently from us must not get
 * the secret. */
static bool
url_names_host(const char *url, const char *host)
{
	CURLU *parsed = curl_url();
	char *seen = NULL;
	bool same = parsed != NULL && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK
	    && curl_url_get(parsed, CURLUPART_HOST, &seen, 0) == CURLUE_OK
	    && strcmp(seen, host) == 0;

	curl_free(seen);
	curl_url_cleanup(parsed);
	return same;
}

/* Addresses that are not of the internet at large (RFC 6890): a URL in the configuration must not
 * reach what only this machine or its network can. */
static bool
ipv4_is_public(uint32_t address)
{
	static const struct {
		uint32_t net;
		int bits;
	} kept[] = {
		{ 0x00000000, 8 },  /* this network */
		{ 0x0a000000, 8 },  /* private */
		{ 0x64400000, 10 }, /* carrier-grade NAT */
		{ 0x7f000000, 8 },  /* loopback */
		{ 0xa9fe0000, 16 }, /* link-local */
		{ 0xac100000, 12 }, /* private */
		{ 0xc0000000, 24 }, /* protocol assignments */
		{ 0xc0a80000, 16 }, /* private */
		{ 0xc6120000, 15 }, /* benchmarks */
		{ 0xe0000000, 3 },  /* multicast, reserved, broadcast */
	};

	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if ((address ^ kept[i].net) >> (32 - kept[i].bits) == 0)
			return false;
	return true;
}

/* Only 2000::/3 is handed out, and parts of it carry an IPv4 address: 6to4 and Teredo. */
static bool
ipv6_is_public(const struct in6_addr *address)
{
	const uint8_t *b = address->s6_addr;
	uint32_t mapped =
	    (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15];

	if (IN6_IS_ADDR_V4MAPPED(address))
		return ipv4_is_public(mapped);
	return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x02)
	    && !(b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0);
}

static bool
address_is_public(const struct sockaddr *address)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof v4);
		return ipv4_is_public(ntohl(v4.sin_addr.s_addr));
	}
	memcpy(&v6, address, sizeof v6);
	return address->sa_family == AF_INET6 && ipv6_is_public(&v6.sin6_addr);
}

/* Here the name is resolved already, so no name can lead elsewhere afterwards. */
static curl_socket_t
open_public_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)context;
	(void)purpose;
	if (!address_is_public(&address->addr))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static bool
set_rules(CURL *curl, const struct call *call)
{
	return curl_easy_setopt(
		   curl, CURLOPT_PROTOCOLS_STR, call->plain_allowed ? "https,http" : "https")
	    == CURLE_OK
	    && (!call->public_only
		|| curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public_socket)
		    == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_PROXY, call->proxy == NULL ? "" : call->proxy)
	    == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOPROXY, "") == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK
	    && (call->answer_dropped
		|| curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HTTP_ANSWER_MAX) == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_TIMEOUT_S)
	    == CURLE_OK
	    && (call->ca_file == NULL
		|| curl_easy_setopt(curl, CURLOPT_CAINFO, call->ca_file) == CURLE_OK);
}

static bool
set_call(CURL *curl, const struct call *call, struct curl_slist *headers,
    struct curl_slist *connect_to, struct transfer *transfer)
{
	return curl_easy_setopt(curl, CURLOPT_URL, call->url) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to) == CURLE_OK
	    && (call->body == NULL
		|| curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body) == CURLE_OK)
	    && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call->method) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
}

/* Runs the call; once more when it failed before a byte of it was sent. */
static CURLcode
perform(CURL *curl, int64_t deadline_ms)
{
	CURLcode result = CURLE_OPERATION_TIMEDOUT;
	long sent = 0;

	for (int attempt = 0; attempt < 2 && sent == 0 && result != CURLE_OK; attempt++) {
		int64_t left_ms = deadline_ms - clock_ms();

		if (left_ms <= 0)
			return CURLE_OPERATION_TIMEDOUT;
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
		result = curl_easy_perform(curl);
		if (curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent) != CURLE_OK)
			return result;
	}
	return result;
}

/* What it means that no whole answer came. */
static enum fault_kind
kind_of(CURL *curl, CURLcode result)
{
	long sent = 0;

	if (result == CURLE_COULDNT_RESOLVE_HOST)
		return FAULT_MOVED;
	curl_easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
	return sent > 0 ? FAULT_REPLY_LOST : FAULT_UNAVAILABLE;
}

static bool
take_answer(struct work *w, CURL *curl, CURLcode result, const struct call *call,
    struct transfer *transfer, struct http_answer *answer)
{
	const char *type = NULL;
	curl_off_t retry_after_s = 0;

	if (transfer->too_long || result == CURLE_FILESIZE_EXCEEDED)
		return fault(w, FAULT_UNAVAILABLE, "%s: the answer is over %d bytes", call->host,
		    HTTP_ANSWER_MAX);
	if (result == CURLE_SSL_CACERT_BADFILE)
		return fault(w, FAULT_CONFIG, "[amocrm] ca_file cannot be used: %s",
		    curl_easy_strerror(result));
	if (result != CURLE_OK)
		return fault(
		    w, kind_of(curl, result), "%s: %s", call->host, curl_easy_strerror(result));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after_s);
	answer->retry_after_s = (long)retry_after_s;
	answer->is_json = type != NULL && strstr(type, "json") != NULL;
	return text_end(&transfer->body, &answer->body);
}

static bool
send_call(struct work *w, const struct call *call, struct http_answer *answer)
{
	struct transfer transfer = { .dropped = call->answer_dropped != 0 };
	struct curl_slist *headers = NULL;
	struct curl_slist *connect_to = NULL;
	CURL *curl = NULL;
	bool done = false;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (curl = curl_easy_init()) == NULL)
		return fault(w, FAULT_SERVER, "libcurl cannot be started");
	if (!url_names_host(call->url, call->host))
		work_fault(w, FAULT_REQUEST, "%s is not a host name to libcurl", call->host);
	else if (make_headers(w, call, &headers)
	    && make_connect_to(w, call->connect_to, &connect_to)) {
		text_begin(w, &transfer.body);
		done =
		    (set_rules(curl, call) && set_call(curl, call, headers, connect_to, &transfer))
		    ? take_answer(
			w, curl, perform(curl, call->deadline_ms), call, &transfer, answer)
		    : fault(w, FAULT_CONFIG, "libcurl refuses ca_file, connect_to or proxy");
	}
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	curl_slist_free_all(connect_to);
	return done;
}

static bool
read_call(const struct json_object *doc, struct call *call)
{
	call->url = json_string(doc, "url");
	call->host = json_string(doc, "host");
	call->method = json_string(doc, "method");
	call->body = json_string(doc, "body");
	call->ca_file = json_string(doc, "ca_file");
	call->connect_to = json_string(doc, "connect_to");
	call->proxy = json_string(doc, "proxy");
	if (!json_object_object_get_ex(doc, "headers", &call->headers))
		call->headers = NULL;
	return call->url != NULL && call->host != NULL && call->method != NULL
	    && (call->headers == NULL || json_object_is_type(call->headers, json_type_array))
	    && json_integer(doc, "deadline_ms", &call->deadline_ms)
	    && json_integer(doc, "plain_allowed", &call->plain_allowed)
	    && json_integer(doc, "public_only", &call->public_only)
	    && json_integer(doc, "answer_dropped", &call->answer_dropped);
}

static bool
answer_call(struct work *w, const struct json_object *question, struct text *t)
{
	struct http_answer answer = { 0 };
	struct call call;

	if (!read_call(question, &call))
		return fault(
		    w, FAULT_SERVER, "amo-crm-https was sent a line it does not understand");
	if (!send_call(w, &call, &answer))
		return false;
	text_print(t,
	    "\"status\":%ld,\"is_json\":%d,\"retry_after_s\":%ld,\"body\":", answer.status,
	    answer.is_json, answer.retry_after_s);
	json_add_string(t, answer.body);
	return true;
}

int
main(void)
{
	return helper_serve("amo-crm-https", ROOM_SIZE, answer_call);
}
