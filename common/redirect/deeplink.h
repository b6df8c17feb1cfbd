/* deeplink.h - the deep link that opens the app with the result of the authorization.
 *
 * Values are percent-encoded (form_add_encoded), so that a link is well-formed in a header, in HTML
 * and in an Android intent, whatever the values hold.
 */
#ifndef DEEPLINK_H
#define DEEPLINK_H

#include "base/ctx.h"

/* <base>?code=<code>&state=<state>; a NULL state is empty. */
bool deeplink_success(
    struct ctx *ctx, const char *base, const char *code, const char *state, const char **link);

/* <base>?error=<error>&error_description=<description>&state=<state>; a NULL description or state
 * is omitted. */
bool deeplink_error(struct ctx *ctx, const char *base, const char *error, const char *description,
    const char *state, const char **link);

/* The same link for browsers on Android (https://developer.chrome.com/docs/android/intents): only
 * the app of that package may open it, and if it is not installed, Google Play shows it.  What
 * follows the link's scheme follows "intent:", with "//" or without; Android puts the two together
 * again (Intent.parseUri).  There is no S.browser_fallback_url: Chrome would follow it also when it
 * does not allow a page to open an app without a tap, and so leave the page whose button works.
 * Fault: FAULT_CONFIG if link has no scheme. */
bool deeplink_intent(struct ctx *ctx, const char *link, const char *package, const char **intent);

#endif
