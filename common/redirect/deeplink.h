/* deeplink.h - the link that hands the browser back to the app.
 *
 * Values are percent-encoded (form_add_encoded), so that a link is well-formed in a header, in HTML
 * and in an Android intent, whatever the values hold.
 */
#ifndef DEEPLINK_H
#define DEEPLINK_H

#include "base/ctx.h"

/* <base>?code=<code>&state=<state>; state NULL: "&state=" stays. */
bool deeplink_success(
    struct ctx *ctx, const char *base, const char *code, const char *state, const char **link);

/* <base>?error=<error>&error_description=<description>, and &state=<state> unless state is NULL.
 * description NULL: left out. */
bool deeplink_error(struct ctx *ctx, const char *base, const char *error, const char *description,
    const char *state, const char **link);

/* The same link for Chrome on Android (https://developer.chrome.com/docs/android/intents): only the
 * app of that package may open it, and without the app Google Play shows it.  There is no
 * S.browser_fallback_url: Chrome also goes there when it does not let a page open an app without a
 * tap, and would then leave the page whose button works. */
bool deeplink_intent(struct ctx *ctx, const char *link, const char *package, const char **intent);

#endif
