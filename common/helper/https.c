/* https.c - see https.h.
 *
 *   -> {"deadline_ms":…,"plain_allowed":0,"public_only":0,"discard_body":0,"method":…,"url":…,
 *       "host":…,"headers":[…],"body":…,"ca_file":…,"connect_to":…,"proxy":…}
 *   <- {"status":200,"is_json":1,"retry_after_s":0,"body":…}
 *
 * A string that is not set is null.
 */
#include "helper/https.h"

#include "base/strbuf.h"
#include "helper/helper.h"
#include "text/json.h"

#include <string.h>

bool
https_request_encode(struct ctx *ctx, const struct https_request *request, const char **line)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb,
	    "{\"" HELPER_DEADLINE
	    "\":%lld,\"plain_allowed\":%d,\"public_only\":%d,\"discard_body\":%d",
	    (long long)request->deadline_ms, request->plain_allowed, request->public_only,
	    request->discard_body);
	json_add_member(&sb, "method", request->method);
	json_add_member(&sb, "url", request->url);
	json_add_member(&sb, "host", request->host);
	strbuf_addstr(&sb, ",\"headers\":[");
	for (size_t i = 0; i < HTTPS_HEADERS_MAX && request->headers[i] != NULL; i++) {
		strbuf_addstr(&sb, i > 0 ? "," : "");
		json_add_string(&sb, request->headers[i]);
	}
	strbuf_addch(&sb, ']');
	json_add_member(&sb, "body", request->body);
	json_add_member(&sb, "ca_file", request->ca_file);
	json_add_member(&sb, "connect_to", request->connect_to);
	json_add_member(&sb, "proxy", request->proxy);
	strbuf_addstr(&sb, "}\n");
	return strbuf_finish(&sb, line);
}

static bool
decode_flag(const struct json_object *doc, const char *name, bool *flag)
{
	int64_t number;

	if (!json_get_integer(doc, name, &number))
		return false;
	*flag = number != 0;
	return true;
}

/* False: value is something else than a string without NUL. */
static bool
decode_string(struct json_object *value, const char **string)
{
	*string = json_object_get_string(value);
	return json_object_is_type(value, json_type_string)
	    && strlen(*string) == (size_t)json_object_get_string_len(value);
}

static bool
decode_optional(const struct json_object *doc, const char *name, const char **string)
{
	struct json_object *value;

	*string = NULL;
	return json_object_object_get_ex(doc, name, &value)
	    && (value == NULL || decode_string(value, string));
}

static bool
decode_headers(const struct json_object *doc, const char *headers[HTTPS_HEADERS_MAX])
{
	struct json_object *list;
	size_t count;

	if (!json_object_object_get_ex(doc, "headers", &list)
	    || !json_object_is_type(list, json_type_array)
	    || (count = json_object_array_length(list)) > HTTPS_HEADERS_MAX)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!decode_string(json_object_array_get_idx(list, i), &headers[i]))
			return false;
	return true;
}

bool
https_request_decode(struct ctx *ctx, const struct json_object *doc, struct https_request *request)
{
	*request = (struct https_request){
		.method = json_get_string(doc, "method"),
		.url = json_get_string(doc, "url"),
		.host = json_get_string(doc, "host"),
	};
	/* a FastCGI process that runs on after an upgrade may not send it yet */
	(void)decode_flag(doc, "discard_body", &request->discard_body);
	return (request->method != NULL && request->url != NULL && request->host != NULL
		   && json_get_integer(doc, HELPER_DEADLINE, &request->deadline_ms)
		   && decode_flag(doc, "plain_allowed", &request->plain_allowed)
		   && decode_flag(doc, "public_only", &request->public_only)
		   && decode_headers(doc, request->headers)
		   && decode_optional(doc, "body", &request->body)
		   && decode_optional(doc, "ca_file", &request->ca_file)
		   && decode_optional(doc, "connect_to", &request->connect_to)
		   && decode_optional(doc, "proxy", &request->proxy))
	    || fault(ctx, FAULT_SERVER, "amo-crm-https was sent a line that is not a request");
}

void
https_reply_encode(struct strbuf *sb, const struct https_reply *reply)
{
	strbuf_addf(sb, "{\"status\":%ld,\"is_json\":%d,\"retry_after_s\":%ld", reply->status,
	    reply->is_json, reply->retry_after_s);
	json_add_member(sb, "body", reply->body);
	strbuf_addch(sb, '}');
}

bool
https_reply_decode(struct ctx *ctx, const struct json_object *doc, struct https_reply *reply)
{
	const char *body = json_get_string(doc, "body");
	int64_t status;
	int64_t retry_after_s;

	if (body == NULL || !json_get_integer(doc, "status", &status)
	    || !decode_flag(doc, "is_json", &reply->is_json)
	    || !json_get_integer(doc, "retry_after_s", &retry_after_s))
		return fault(ctx, FAULT_SERVER, "amo-crm-https sent a line that is not a reply");
	reply->status = (long)status;
	reply->retry_after_s = (long)retry_after_s;
	return ctx_strndup(ctx, body, strlen(body), &reply->body);
}

bool
https_send(struct ctx *ctx, const struct https_request *request, struct https_reply *reply)
{
	struct json_object *doc;
	const char *line;
	bool ok;

	if (!https_request_encode(ctx, request, &line))
		return false;
	doc = helper_request(ctx, HELPER_HTTPS, line, request->deadline_ms + HELPER_GRACE_MS);
	ok = doc != NULL && https_reply_decode(ctx, doc, reply);
	json_object_put(doc);
	return ok;
}
