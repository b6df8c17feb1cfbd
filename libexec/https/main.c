/* main.c - amo-crm-https: makes HTTPS calls for the other programs (see helper.h), so that libcurl
 * and the libraries it needs are loaded only by this program, and only when there is a call to
 * make.
 *
 *   program -- a line of JSON -->  amo-crm-https  -- HTTPS request -->  host
 *   program <-- a line of JSON --  amo-crm-https  <-- HTTPS reply ----  host
 *
 * The host is amoCRM's, a webhook receiver's, or our own, which `amocrmctl check` requests.  The
 * lines are encoded and decoded in common/helper/https.c.
 */
#include "base/harden.h"
#include "curl_client.h"
#include "helper/helper.h"
#include "helper/https.h"

#define ARENA_SIZE (4u << 20) /* bytes */

static bool
handle(struct ctx *ctx, void *client, const struct json_object *doc, struct strbuf *sb)
{
	struct https_request request;
	struct https_reply reply = { 0 };

	if (!https_request_decode(ctx, doc, &request)
	    || !curl_client_send(ctx, client, &request, &reply))
		return false;
	https_reply_encode(sb, &reply);
	return true;
}

int
main(void)
{
	struct curl_client client = { 0 };
	int status;

	harden_process();
	curl_client_open(&client);
	status = helper_serve("amo-crm-https", ARENA_SIZE, handle, &client);
	curl_client_close(&client);
	return status;
}
