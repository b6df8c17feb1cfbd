/* web_url.h - the syntax of [amocrm] redirect_uri and authorize_url.
 */
#ifndef WEB_URL_H
#define WEB_URL_H

/* NULL: an https URL in printable ASCII, or plain http for the local machine.  Else why it is not,
 * for the error message; a constant. */
const char *web_url_problem(const char *url);

#endif
