/* https.c - hands a call to amo-crm-https and takes its answer.
 *
 *   -> {"method":…,"url":…,"host":…,"headers":[…],"body":…,"deadline_ms":…,"ca_file":…,…}
 *   <- {"status":200,"is_json":1,"retry_after_s":0,"body":"…"}
 */
#include "helper/https.h"

#include "helper/helper.h"
#include "text/json.h"

#include <string.h>

#define LATE_MS 1000 /* what amo-crm-https may take beyond the deadline, to load and to answer */

static bool
write_call(struct ctx *ctx, const struct amocrm_config *cfg, const struct http_call *call,
    const char **line)
{
	struct text t;

	text_begin(ctx, &t);
	text_print(&t,
	    "{\"deadline_ms\":%lld,\"plain_allowed\":%d,\"public_only\":%d,\"answer_dropped\":%d",
	    (long long)call->deadline_ms, call->plain_allowed, call->public_only,
	    call->answer_dropped);
	json_add_member(&t, "method", call->method);
	json_add_member(&t, "url", call->url);
	json_add_member(&t, "host", call->host);
	text_add(&t, ",\"headers\":[");
	for (size_t i = 0; i < HTTP_HEADERS_MAX && call->headers[i] != NULL; i++) {
		text_add(&t, i > 0 ? "," : "");
		json_add_string(&t, call->headers[i]);
	}
	text_add_char(&t, ']');
	json_add_member(&t, "body", call->body);
	json_add_member(&t, "ca_file", cfg->ca_file);
	json_add_member(&t, "connect_to", cfg->connect_to);
	json_add_member(&t, "proxy", cfg->proxy);
	text_add(&t, "}\n");
	return text_end(&t, line);
}

static bool
take_answer(struct ctx *ctx, const struct json_object *doc, struct http_answer *answer)
{
	const char *body = json_string(doc, "body");
	int64_t status;
	int64_t is_json;
	int64_t retry_after_s;

	if (body == NULL || !json_integer(doc, "status", &status)
	    || !json_integer(doc, "is_json", &is_json)
	    || !json_integer(doc, "retry_after_s", &retry_after_s))
		return fault(
		    ctx, FAULT_SERVER, "amo-crm-https sent a line that is none of its own");
	answer->status = (long)status;
	answer->is_json = is_json != 0;
	answer->retry_after_s = (long)retry_after_s;
	return ctx_strndup(ctx, body, strlen(body), &answer->body);
}

bool
http_send(struct ctx *ctx, const struct amocrm_config *cfg, const struct http_call *call,
    struct http_answer *answer)
{
	struct json_object *doc;
	const char *line;
	bool done;

	if (!write_call(ctx, cfg, call, &line))
		return false;
	doc = helper_ask(ctx, HELPER_HTTPS, line, call->deadline_ms + LATE_MS);
	done = doc != NULL && take_answer(ctx, doc, answer);
	json_object_put(doc);
	return done;
}
