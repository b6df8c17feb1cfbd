/* app_redirect.h - the browser goes on into the app, the way [app] redirect asks for.
 */
#ifndef APP_REDIRECT_H
#define APP_REDIRECT_H

#include "base/ctx.h"
#include "config/config.h"
#include "redirect/page.h"
#include "web/request.h"
#include "web/response.h"

/* Answers with the page, or with 302, that leads to link, a deep link; kind is what the page tells.
 * While the configuration cannot be read it is the page, with status 500.  Of a redirect whose link
 * is NULL, not known yet, Location is left out.  Fault: FAULT_SERVER. */
bool app_redirect(struct ctx *ctx, const struct config *cfg, const struct request *req,
    enum page_kind kind, const char *link, struct response *res);

#endif
