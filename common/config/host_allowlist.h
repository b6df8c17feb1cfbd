/* host_allowlist.h - which hosts may receive the integration's secret.
 *
 * The callback posts the secret to a host that is named in its query.  The name is therefore
 * checked as a string, before a URL is built from it that a parser could understand differently
 * (a.amocrm.ru@127.0.0.1, x#.amocrm.ru).
 */
#ifndef HOST_ALLOWLIST_H
#define HOST_ALLOWLIST_H

#include <stdbool.h>

#define HOST_LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define HOST_MAX       253
#define HOST_SIZE      (HOST_MAX + 1) /* with the NUL */

/* Whether host is <label>.<domain>, in upper or lower case: one label of letters, digits and inner
 * hyphens, and one of domains, which are separated by spaces.  If so, lowered is the host in lower
 * case; otherwise its content is undefined. */
bool host_allowed(const char *domains, const char *host, char lowered[HOST_SIZE]);

#endif
