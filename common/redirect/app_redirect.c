/* app_redirect.c - see app_redirect.h. */
#include "redirect/app_redirect.h"

#include "redirect/deeplink.h"

#include <string.h>

/* Whether the browser follows intent: links.  An Android WebView ("; wv", see
 * https://developer.chrome.com/docs/multidevice/user-agent) does not; the app around it only
 * intercepts links of its own scheme. */
static bool
follows_intents(const char *user_agent)
{
	return user_agent != NULL && strstr(user_agent, "Android") != NULL
	    && strstr(user_agent, "; wv") == NULL;
}

/* *intent is NULL when the link itself is to be used. */
static bool
make_intent(struct ctx *ctx, const struct config *cfg, const struct request *req, const char *link,
    const char **intent)
{
	*intent = NULL;
	return link == NULL || cfg->app.android_package == NULL || !follows_intents(req->user_agent)
	    || deeplink_intent(ctx, link, cfg->app.android_package, intent);
}

static bool
respond_page(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum page_kind kind, const char *link, const char *intent, struct response *res)
{
	struct page page = {
		.kind = kind,
		.app_name = cfg->app.name,
		.link = link,
		.intent = intent,
		.automatic = cfg->app.redirect != REDIRECT_BUTTON,
		.accept_language = req->accept_language,
	};
	const char *html;
	const char *language;

	if (!page_render(ctx, &page, &html, &language))
		return false;
	respond(res, cfg->valid ? 200 : 500, "text/html; charset=utf-8", html);
	return response_header(ctx, res, "Content-Language", language)
	    && response_header(ctx, res, "Vary", "Accept-Language, User-Agent")
	    && response_header(ctx, res, "Content-Security-Policy", redirect_page_csp)
	    && response_header(ctx, res, "Referrer-Policy", "no-referrer")
	    && response_header(ctx, res, "X-Frame-Options", "DENY")
	    && response_header(ctx, res, "X-Robots-Tag", "noindex");
}

static bool
respond_redirect(struct ctx *ctx, const char *link, struct response *res)
{
	respond(res, 302, "text/plain; charset=utf-8", "Opening the app.\n");
	return (link == NULL || response_header(ctx, res, "Location", link))
	    && response_header(ctx, res, "Referrer-Policy", "no-referrer");
}

bool
app_redirect(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum page_kind kind, const char *link, struct response *res)
{
	const char *intent;

	if (!make_intent(ctx, cfg, req, link, &intent))
		return false;
	if (cfg->app.redirect != REDIRECT_302 || !cfg->valid)
		return respond_page(ctx, cfg, req, kind, link, intent, res);
	return respond_redirect(ctx, intent != NULL ? intent : link, res);
}
