/* check_public.c - our own URLs, requested from outside as amoCRM, the app and a browser do.
 *
 * No request changes anything: the program has to refuse it, or only reads.
 */
#include "check/check.h"

#include "base/clock.h"
#include "config/endpoints.h"
#include "helper/https.h"
#include "text/json.h"

#include <string.h>

#define REPLY_MS 5000 /* amoCRM itself waits for 2 to 3 seconds */

struct site {
	struct check *c;
	struct amocrm_config network; /* how the site is reached */
	struct endpoints_site url;
};

static bool
read_site(struct check *c, struct site *site)
{
	site->c = c;
	site->network = c->ctl->cfg.amocrm;
	if (c->is_trial)
		site->network.connect_to = NULL; /* it leads every host to the mock amoCRM server */
	return endpoints_site(c->ctl->ctx, c->ctl->cfg.amocrm.redirect_uri, &site->url);
}

/* Sends a GET request.  A body that is too large to be ours is dropped. */
static bool
request(const struct site *site, const char *host, const char *url, const char *header,
    struct https_reply *reply)
{
	struct ctx *ctx = site->c->ctl->ctx;
	struct https_request call = { .method = "GET",
		.url = url,
		.host = host,
		.headers = { header },
		.deadline_ms = clock_ms() + REPLY_MS,
		.plain_allowed = site->c->is_trial,
		.ca_file = site->network.ca_file,
		.connect_to = site->network.connect_to,
		.proxy = site->network.proxy };

	if (https_send(ctx, &call, reply))
		return true;
	if (ctx->kind != FAULT_UNAVAILABLE || strstr(ctx->reason, HTTPS_TOO_LONG) == NULL)
		return false;
	ctx_clear_fault(ctx);
	call.discard_body = true;
	call.deadline_ms = clock_ms() + REPLY_MS;
	return https_send(ctx, &call, reply);
}

/* The "error" of a reply by one of our programs; NULL: it is no such reply. */
static bool
read_error(struct ctx *ctx, const struct https_reply *reply, const char **error)
{
	struct json_object *doc = json_parse(reply->body, strlen(reply->body));
	bool ok = json_copy_string(ctx, doc, "error", error);

	json_object_put(doc);
	return ok;
}

/* What to do about an unexpected reply, which may be the web server's own. */
static const char *
advice(const struct https_reply *reply, const char *error)
{
	if (error != NULL)
		return reply->status == 500
		    ? "the program cannot use its configuration or store; the web server's error "
		      "log says why"
		    : "the address leads to another program, or the web server changes requests";
	if (strncmp(reply->body, "\177ELF", 4) == 0)
		return "the web server sends the program's file instead of running it: include "
		       "apache.conf.example or lighttpd.conf.example; Apache: a2enmod cgid";
	if (reply->status == 404)
		return "there is no program at this address: include apache.conf.example or "
		       "lighttpd.conf.example in this site's part of the web server's "
		       "configuration";
	if (reply->status == 403)
		return "the web server denies access: the programs need mode 0755, in folders that "
		       "it may enter, and Require all granted; or a filter such as ModSecurity "
		       "refuses the request: see the example configuration";
	if (reply->status == 406)
		return "a filter such as ModSecurity refuses the request: see the example "
		       "configuration";
	if (reply->status >= 500)
		return "the program does not start or exits too early; the web server's error log "
		       "says why";
	if (reply->status >= 300 && reply->status < 400)
		return "the request is redirected; this address itself must reply";
	return "something else replies, or the web server sends the program's file instead of "
	       "running it: check that the name leads to this server, and that the example "
	       "configuration is included";
}

static void
report_reply(struct report *r, const char *part, const char *url, const char *wanted,
    const struct https_reply *reply, const char *error)
{
	report_wrong(r, part, advice(reply, error),
	    "%s: should reply with %s, but replies with %ld%s%s", url, wanted, reply->status,
	    error == NULL ? "" : " ", error == NULL ? "" : error);
}

/* For the first request, which also shows whether the site can be reached. */
static void
report_unreachable(struct check *c)
{
	const struct ctx *ctx = c->ctl->ctx;
	const char *to_do =
	    "open port 443 and start the web server; if only this machine cannot reach its own "
	    "public address, set [amocrm] connect_to = <host>:443:127.0.0.1:443";

	if (ctx->kind == FAULT_MOVED)
		to_do = "the name has no address: enter it in the DNS of the domain, or correct "
			"redirect_uri";
	else if (strstr(ctx->reason, "SSL") != NULL || strstr(ctx->reason, "certificate") != NULL)
		to_do = "TLS fails: give the web server a certificate for this name from a public "
			"authority, with its whole chain (certbot does)";
	report_fault(&c->report, "address", to_do);
}

/* Whether the reply is our page, or the redirect if that is configured. */
static bool
is_callback_reply(const struct config *cfg, const struct https_reply *reply)
{
	if (cfg->app.redirect == REDIRECT_302)
		return reply->status == 302 && strcmp(reply->body, "Opening the app.\n") == 0;
	return reply->status == 200 && strstr(reply->body, "error=missing_code") != NULL;
}

/* False: the site cannot be reached. */
static bool
check_callback(struct site *site)
{
	struct check *c = site->c;
	struct https_reply reply;
	const char *url = c->ctl->cfg.amocrm.redirect_uri;
	const char *error = NULL;

	if (!request(site, site->url.host, url, NULL, &reply)) {
		report_unreachable(c);
		return false;
	}
	report_ok(&c->report, "address", "%s", site->url.base);
	if (is_callback_reply(&c->ctl->cfg, &reply)) {
		report_ok(&c->report, "callback", "%s", url);
		return true;
	}
	if (strstr(reply.body, "error=server_error") != NULL)
		error = "server_error";
	else if (!read_error(c->ctl->ctx, &reply, &error))
		return false;
	report_reply(&c->report, "callback", url, "our page", &reply, error);
	return true;
}

static const struct probe {
	enum endpoint endpoint;
	long status;
	const char *error;
} probes[] = {
	{ ENDPOINT_EXCHANGE_CODE, 405, "method_not_allowed" },
	{ ENDPOINT_STATUS, 401, "missing_token" },
	{ ENDPOINT_DISCONNECT, 403, "invalid_signature" },
	{ ENDPOINT_WEBHOOK, 403, "invalid_signature" },
};
#define PROBES (sizeof probes / sizeof *probes)

/* A GET request without query and token, which each of these programs refuses with its own
 * error. */
static bool
check_endpoint(struct site *site, const struct probe *probe)
{
	struct report *r = &site->c->report;
	struct ctx *ctx = site->c->ctl->ctx;
	const char *part = endpoint_name(probe->endpoint);
	struct https_reply reply;
	const char *error = NULL;
	const char *wanted;
	const char *url;

	if (!endpoint_url(ctx, site->network.redirect_uri, probe->endpoint, &url)
	    || !ctx_printf(ctx, &wanted, "%ld %s", probe->status, probe->error)
	    || !request(site, site->url.host, url, NULL, &reply)
	    || !read_error(ctx, &reply, &error)) {
		report_fault(
		    r, part, "the site has just replied at another address: run the check again");
		return false;
	}
	if (reply.status == probe->status && error != NULL && strcmp(error, probe->error) == 0) {
		report_ok(r, part, "%s", url);
		return true;
	}
	report_reply(r, part, url, wanted, &reply, error);
	return false;
}

static const char *
authorization_advice(const char *error)
{
	if (error != NULL && strcmp(error, "missing_token") == 0)
		return "the web server does not pass the Authorization header to programs: "
		       "CGIPassAuth On for Apache, or the line of dist/htaccess that begins with "
		       "SetEnvIf";
	if (error != NULL && strcmp(error, "invalid_token") == 0)
		return "the program uses another [jwt] section or clock than amocrmctl: check that "
		       "it reads this configuration";
	return "the web server's error log says why";
}

/* With a secret the test token is valid.  With a public key it cannot be, but then the program must
 * reply "invalid_token", not "missing_token". */
static void
check_authorization(struct site *site)
{
	struct check *c = site->c;
	struct ctx *ctx = c->ctl->ctx;
	bool by_secret = c->ctl->cfg.jwt.secret != NULL;
	struct https_reply reply;
	const char *error = NULL;
	const char *header;
	const char *token;
	const char *url;

	if (!test_token_make(ctx, &c->ctl->cfg.jwt, &token)
	    || !ctx_printf(ctx, &header, "Authorization: Bearer %s", token)
	    || !endpoint_url(ctx, site->network.redirect_uri, ENDPOINT_STATUS, &url)
	    || !request(site, site->url.host, url, header, &reply)
	    || !read_error(ctx, &reply, &error))
		report_fault(&c->report, "authorization", "run the check again");
	else if (by_secret ? reply.status == 200 && reply.is_json
			   : error != NULL && strcmp(error, "invalid_token") == 0)
		report_ok(&c->report, "authorization", "the app's token reaches the program");
	else
		report_wrong(&c->report, "authorization", authorization_advice(error),
		    "%s: the response to the app's token is %ld %s", url, reply.status,
		    error == NULL ? "" : error);
}

/* A URL that must not lead to our programs.  No reply is as good as another reply. */
static void
check_wrong_address(struct site *site, const char *host, const char *url, const char *to_do)
{
	struct ctx *ctx = site->c->ctl->ctx;
	struct https_reply reply;
	const char *error = NULL;

	if (request(site, host, url, NULL, &reply) && read_error(ctx, &reply, &error)
	    && error != NULL && strcmp(error, "missing_token") == 0)
		report_warning(&site->c->report, "wrong-address", to_do,
		    "%s: replies like the right address", url);
	else
		report_ok(&site->c->report, "wrong-address", "%s: is not ours", url);
	ctx_clear_fault(ctx);
}

/* The URLs that are entered by mistake, tried with `status` only. */
static void
check_wrong_addresses(struct site *site)
{
	struct ctx *ctx = site->c->ctl->ctx;
	const char *parent = site->url.parent;
	const char *url;

	if (parent != NULL && !site->c->is_trial
	    && ctx_printf(ctx, &url, "https://%s" ENDPOINTS_PATH "status", parent))
		check_wrong_address(site, parent, url,
		    "use only one host: amoCRM compares redirect_uri byte for byte, and accepts no "
		    "other");
	if (ctx_printf(ctx, &url, "%s/api/v1/integrations/amo-crm/status", site->url.base))
		check_wrong_address(site, site->url.host, url,
		    "serve the programs only at " ENDPOINTS_PATH
		    ", as in the example configuration");
	if (ctx_printf(ctx, &url, "%s" ENDPOINTS_PATH "status/", site->url.base))
		check_wrong_address(site, site->url.host, url,
		    "allow no path after a program's name: AcceptPathInfo Off, or the example "
		    "configuration's RedirectMatch");
}

void
check_public(struct check *c)
{
	bool status_ok = false;
	struct site site;

	if (!read_site(c, &site) || !check_callback(&site)) {
		ctx_clear_fault(c->ctl->ctx);
		return;
	}
	for (size_t i = 0; i < PROBES; i++)
		if (check_endpoint(&site, &probes[i]) && probes[i].endpoint == ENDPOINT_STATUS)
			status_ok = true;
	if (status_ok)
		check_authorization(&site);
	check_wrong_addresses(&site);
}
