/* https.c - hands a call to amo-crm-https and takes its answer.
 *
 *   -> {"method":…,"url":…,"host":…,"headers":[…],"body":…,"deadline_ms":…,"ca_file":…,…}
 *   <- {"status":200,"is_json":1,"retry_after_s":0,"body":"…"}
 */
#include "helper/https.h"

#include "base/strbuf.h"
#include "helper/helper.h"
#include "text/json.h"

#include <string.h>

#define LATE_MS 1000 /* what amo-crm-https may take beyond the deadline, to load and to answer */

static bool
write_request(struct ctx *ctx, const struct amocrm_config *cfg, const struct https_request *call,
    const char **line)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb,
	    "{\"deadline_ms\":%lld,\"plain_allowed\":%d,\"public_only\":%d,\"answer_dropped\":%d",
	    (long long)call->deadline_ms, call->plain_allowed, call->public_only,
	    call->answer_dropped);
	json_add_member(&sb, "method", call->method);
	json_add_member(&sb, "url", call->url);
	json_add_member(&sb, "host", call->host);
	strbuf_addstr(&sb, ",\"headers\":[");
	for (size_t i = 0; i < HTTPS_HEADERS_MAX && call->headers[i] != NULL; i++) {
		strbuf_addstr(&sb, i > 0 ? "," : "");
		json_add_string(&sb, call->headers[i]);
	}
	strbuf_addch(&sb, ']');
	json_add_member(&sb, "body", call->body);
	json_add_member(&sb, "ca_file", cfg->ca_file);
	json_add_member(&sb, "connect_to", cfg->connect_to);
	json_add_member(&sb, "proxy", cfg->proxy);
	strbuf_addstr(&sb, "}\n");
	return strbuf_finish(&sb, line);
}

static bool
take_reply(struct ctx *ctx, const struct json_object *doc, struct https_reply *reply)
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
	reply->status = (long)status;
	reply->is_json = is_json != 0;
	reply->retry_after_s = (long)retry_after_s;
	return ctx_strndup(ctx, body, strlen(body), &reply->body);
}

bool
https_send(struct ctx *ctx, const struct amocrm_config *cfg, const struct https_request *call,
    struct https_reply *reply)
{
	struct json_object *doc;
	const char *line;
	bool ok;

	if (!write_request(ctx, cfg, call, &line))
		return false;
	doc = helper_request(ctx, HELPER_HTTPS, line, call->deadline_ms + LATE_MS);
	ok = doc != NULL && take_reply(ctx, doc, reply);
	json_object_put(doc);
	return ok;
}
