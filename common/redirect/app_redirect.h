/* app_redirect.h - redirects the browser into the app, in the way that [app] redirect sets.
 */
#ifndef APP_REDIRECT_H
#define APP_REDIRECT_H

#include "base/ctx.h"
#include "config/config.h"
#include "redirect/page.h"
#include "web/request.h"
#include "web/response.h"

/* Composes a response that leads to link, a deep link: a page of the given kind, or a 302 redirect.
 * If the configuration could not be read, it is the page, with status 500.  link may be NULL in a
 * redirect, when it is not known; the response then has no Location.  Fault: FAULT_SERVER. */
bool app_redirect(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum page_kind kind, const char *link, struct response *res);

#endif
