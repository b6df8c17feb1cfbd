/* main.c - amo-crm-https: makes HTTPS calls for the other programs (see helper.h),
 * so that only this one, and only when there is something to ask,
 * loads libcurl and what libcurl loads.
 *
 *   program -- a JSON line -->  amo-crm-https  -- HTTPS -->  amoCRM
 *   program <-- a JSON line --  amo-crm-https  <-- answer --  amoCRM
 *
 * The lines are those of common/helper/https.c.
 */
#include "base/strbuf.h"
#include "curl_client.h"
#include "helper/helper.h"
#include "text/json.h"

#define ARENA_SIZE (4u << 20) /* bytes */

static bool
read_request(const struct json_object *doc, struct call *call)
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
answer_call(struct ctx *ctx, void *client, const struct json_object *request, struct strbuf *sb)
{
	struct https_reply reply = { 0 };
	struct call call;

	if (!read_request(request, &call))
		return fault(
		    ctx, FAULT_SERVER, "amo-crm-https was sent a line it does not understand");
	if (!curl_client_send(ctx, client, &call, &reply))
		return false;
	strbuf_addf(sb,
	    "\"status\":%ld,\"is_json\":%d,\"retry_after_s\":%ld,\"body\":", reply.status,
	    reply.is_json, reply.retry_after_s);
	json_add_string(sb, reply.body);
	return true;
}

int
main(void)
{
	struct curl_client client = { 0 };
	int status;

	curl_client_open(&client);
	status = helper_serve("amo-crm-https", ARENA_SIZE, answer_call, &client);
	curl_client_close(&client);
	return status;
}
