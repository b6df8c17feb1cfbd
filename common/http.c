/* http.c - see http.h. */
#include "http.h"

#include "clock.h"

#include <curl/curl.h>
#include <string.h>

#define USER_AGENT "amo-crm-cgi/1.0"

struct transfer {
	struct text body;
	bool too_long;
};

static size_t
take_body(char *bytes, size_t size, size_t count, void *context)
{
	struct transfer *transfer = context;
	size_t len = size * count;

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
make_headers(struct work *w, const struct http_call *call, struct curl_slist **headers)
{
	const char *authorization;

	if (call->bearer != NULL
	    && (!work_print(w, &authorization, "Authorization: Bearer %s", call->bearer)
		|| !append(headers, authorization)))
		return fault(w, FAULT_SERVER, "no memory for a header");
	if (call->body != NULL && !append(headers, "Content-Type: application/json"))
		return fault(w, FAULT_SERVER, "no memory for a header");
	return append(headers, "Accept: application/json") && append(headers, "Expect:")
	    ? true
	    : fault(w, FAULT_SERVER, "no memory for a header");
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

static bool
set_rules(CURL *curl, const struct amocrm_config *cfg)
{
	return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_PROXY, cfg->proxy == NULL ? "" : cfg->proxy)
	    == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOPROXY, "") == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, (long)HTTP_ANSWER_MAX) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)HTTP_CONNECT_TIMEOUT_S)
	    == CURLE_OK
	    && (cfg->ca_file == NULL
		|| curl_easy_setopt(curl, CURLOPT_CAINFO, cfg->ca_file) == CURLE_OK);
}

static bool
set_call(CURL *curl, const struct http_call *call, const char *url, struct curl_slist *headers,
    struct curl_slist *connect_to, struct transfer *transfer)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK
	    && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to) == CURLE_OK
	    && (call->body == NULL
		|| curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call->body) == CURLE_OK)
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

static bool
take_answer(struct work *w, CURL *curl, CURLcode result, const struct http_call *call,
    struct transfer *transfer, struct http_answer *answer)
{
	const char *type = NULL;

	if (transfer->too_long || result == CURLE_FILESIZE_EXCEEDED)
		return fault(w, FAULT_UNAVAILABLE, "%s: the answer is over %d bytes", call->host,
		    HTTP_ANSWER_MAX);
	if (result == CURLE_SSL_CACERT_BADFILE)
		return fault(w, FAULT_CONFIG, "[amocrm] ca_file cannot be used: %s",
		    curl_easy_strerror(result));
	if (result != CURLE_OK)
		return fault(
		    w, FAULT_UNAVAILABLE, "%s: %s", call->host, curl_easy_strerror(result));
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
	curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
	answer->is_json = type != NULL && strstr(type, "json") != NULL;
	answer->body_len = transfer->body.len;
	return text_end(&transfer->body, &answer->body);
}

bool
http_send(struct work *w, const struct amocrm_config *cfg, const struct http_call *call,
    struct http_answer *answer)
{
	struct transfer transfer = { .too_long = false };
	struct curl_slist *headers = NULL;
	struct curl_slist *connect_to = NULL;
	const char *url;
	CURL *curl = NULL;
	bool done = false;

	if (!work_print(w, &url, "https://%s%s", call->host, call->path))
		return false;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (curl = curl_easy_init()) == NULL)
		return fault(w, FAULT_SERVER, "libcurl cannot be started");
	if (!url_names_host(url, call->host))
		work_fault(w, FAULT_REQUEST, "%s is not a host name to libcurl", call->host);
	else if (make_headers(w, call, &headers)
	    && make_connect_to(w, cfg->connect_to, &connect_to)) {
		text_begin(w, &transfer.body);
		done = (set_rules(curl, cfg)
			   && set_call(curl, call, url, headers, connect_to, &transfer))
		    ? take_answer(
			w, curl, perform(curl, call->deadline_ms), call, &transfer, answer)
		    : fault(w, FAULT_CONFIG, "libcurl refuses ca_file, connect_to or proxy");
	}
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	curl_slist_free_all(connect_to);
	return done;
}
