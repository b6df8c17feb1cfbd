/* app_link.h - the syntax of [app] deep_link and android_package.
 *
 * What these functions accept becomes part of a Location header, of a page and of an Android
 * intent, and browsers and both phone systems must be able to parse the result.
 */
#ifndef APP_LINK_H
#define APP_LINK_H

/* NULL: a URL (RFC 3986) to which a browser may be sent and that hands the visitor over to an app.
 * Else why it is not, for the error message; a constant. */
const char *app_link_problem(const char *link);

/* The same for an Android application ID
 * (https://developer.android.com/build/configure-app-module#set-application-id). */
const char *app_package_problem(const char *package);

#endif
