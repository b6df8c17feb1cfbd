/* page.h - the redirect page: what the visitor sees between amoCRM and the app.
 *
 * It says in the visitor's language how the authorization ended and hands the browser to the app:
 * by itself, once, where the page is automatic, and by a button always.  Script and style are
 * constant; only the texts and the link vary, each escaped for its place.
 */
#ifndef PAGE_H
#define PAGE_H

#include "base/ctx.h"
#include "text/html.h"

enum page_kind {
	PAGE_CONNECTED, /* the code is exchanged; the app finishes */
	PAGE_CANCELLED, /* the visitor said no: access_denied */
	PAGE_FAILED,    /* the code or the request is no good; starting again helps */
	PAGE_TRY_LATER, /* amoCRM or we cannot now; waiting helps */
	PAGE_NOTHING,   /* no code and no error came, as when a page already left is reloaded */
	PAGE_KINDS
};

struct page {
	enum page_kind kind;
	const char *app_name; /* NULL, empty or "the app": that, in the language shown */
	const char *link;     /* the deep link */
	const char *intent;   /* Android: the intent: link, put before the plain one; or NULL */
	bool automatic;       /* try the link once without being asked */
	const char *accept_language; /* the request's header, as it came; or NULL */
};

/* The page in the language the visitor prefers of uk, ru and en (RFC 9110 section 12.5.4); English
 * when it is none of them.  *language is its tag, for Content-Language.
 * Fault: FAULT_SERVER, the arena is full. */
bool page_render(
    struct ctx *ctx, const struct page *page, const char **html, const char **language);

/* Both made by htdocs/embed from htdocs/redirect.html: the page's parts, and the whole value of the
 * Content-Security-Policy it is to be served with. */
extern const struct html_part redirect_page[];
extern const char redirect_page_csp[];

#endif
