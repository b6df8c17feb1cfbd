/* app_redirect.c - see app_redirect.h. */
#include "redirect/app_redirect.h"

#include "redirect/deeplink.h"

#include <string.h>

static bool
respond_page(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum page_kind kind, const char *link, struct response *res)
{
	struct page page = {
		.kind = kind,
		.app_name = cfg->app.name,
		.link = link,
		.automatic = cfg->app.redirect != REDIRECT_BUTTON,
		.accept_language = req->accept_language,
	};
	const char *html;
	const char *language;

	if (cfg->app.android_package != NULL && req->user_agent != NULL
	    && strstr(req->user_agent, "Android") != NULL
	    && !deeplink_intent(ctx, link, cfg->app.android_package, &page.intent))
		return false;
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
	if (cfg->app.redirect != REDIRECT_302 || !cfg->valid)
		return respond_page(ctx, cfg, req, kind, link, res);
	return respond_redirect(ctx, link, res);
}
