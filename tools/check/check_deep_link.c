/* check_deep_link.c - the link that opens the app, and the responses that carry it. */
#include "check/check.h"

#include "config/endpoints.h"
#include "redirect/app_redirect.h"
#include "redirect/deeplink.h"

#include <string.h>

/* A browser on Android, for which there is an intent, and any other. */
static const char *const user_agents[] = { "Mozilla/5.0 (Linux; Android 15)", "Mozilla/5.0" };

static bool
compose(struct ctx *ctx, const struct config *cfg, const struct request *req, enum page_kind kind)
{
	struct response res;
	const char *link;

	return (kind == PAGE_CONNECTED
		       ? deeplink_success(ctx, cfg->app.deep_link, "def502", "state", &link)
		       : deeplink_error(
			   ctx, cfg->app.deep_link, "auth_failed", "Why.", "state", &link))
	    && app_redirect(ctx, cfg, req, kind, link, &res);
}

/* Composes each response that the callback sends to a browser, in each language.  False: with a
 * fault. */
static bool
all_compose(struct ctx *ctx, const struct config *cfg)
{
	size_t mark = arena_mark(ctx);

	for (size_t i = 0; i < sizeof user_agents / sizeof *user_agents; i++)
		for (const struct page_text *text = page_texts; text->language != NULL; text++)
			for (int kind = 0; kind < PAGE_KINDS; kind++) {
				const struct request req = { .user_agent = user_agents[i],
					.accept_language = text->language };

				if (!compose(ctx, cfg, &req, (enum page_kind)kind))
					return false;
				arena_rewind(ctx, mark);
			}
	return true;
}

/* Whether an http or https link has our own host, up to a port or path. */
static bool
has_our_host(const char *link, const struct endpoints_site *site)
{
	const char *host = strstr(link, "://") + 3;
	size_t len = strlen(site->host);

	return strncmp(host, site->host, len) == 0 && strchr(":/?", host[len]) != NULL;
}

/* False, with a finding or a fault.  A link of a scheme of the app's own has nothing to check. */
static bool
web_link_ok(struct check *c)
{
	const struct config *cfg = &c->ctl->cfg;
	const char *link = cfg->app.deep_link;
	struct report *r = &c->report;
	struct endpoints_site site;

	if (strncmp(link, "http", 4) != 0 || strstr(link, "://") == NULL || c->is_trial
	    || redirect_uri_check(cfg->amocrm.redirect_uri, false) != REDIRECT_URI_OK)
		return true;
	if (strncmp(link, "http:", 5) == 0) {
		report_wrong(r, "deep_link", "use https://, or a scheme of the app's own",
		    "%s: plain http shows the code to the network, and opens no app on iOS", link);
		return false;
	}
	if (!endpoints_site(c->ctl->ctx, cfg->amocrm.redirect_uri, &site))
		return false;
	if (!has_our_host(link, &site))
		return true;
	if (cfg->app.redirect == REDIRECT_302 && strstr(link, ENDPOINTS_PATH) == NULL)
		return true;
	report_wrong(r, "deep_link",
	    "use another host, such as app.<your domain>, with the two files of "
	    "htdocs/.well-known on it, or a scheme of the app's own",
	    "%s: is on redirect_uri's own host: a browser that is on a site opens links to the "
	    "same site itself, not in an app",
	    link);
	return false;
}

void
check_deep_link(struct check *c)
{
	static const char *const modes[] = { "a page, and its button", "a page's button",
		"a redirect" };
	const struct app_config *app = &c->ctl->cfg.app;
	struct ctx *ctx = c->ctl->ctx;

	if (all_compose(ctx, &c->ctl->cfg) && web_link_ok(c))
		report_ok(&c->report, "deep_link", "%s, opened by %s%s%s", app->deep_link,
		    modes[app->redirect], app->android_package == NULL ? "" : ", on Android by ",
		    app->android_package == NULL ? "" : app->android_package);
	else if (ctx->kind != FAULT_NONE)
		report_fault(&c->report, "deep_link",
		    "the page that opens the app cannot be made: correct [app], of which "
		    "amo-crm.conf.example explains every key");
}
