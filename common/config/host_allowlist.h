/* host_allowlist.h - which hosts may receive the integration's secret.
 *
 * The callback posts the secret to a host that its query names, so the name is checked as a string,
 * before any URL exists that a parser could read otherwise (a.amocrm.ru@127.0.0.1, x#.amocrm.ru).
 */
#ifndef HOST_ALLOWLIST_H
#define HOST_ALLOWLIST_H

#include <stdbool.h>

#define HOST_LABEL_MAX 63 /* RFC 1035 section 2.3.4 */
#define HOST_MAX       253
#define HOST_SIZE      (HOST_MAX + 1) /* with the NUL */

/* True when host is <label>.<domain>: one label of letters, digits and inner hyphens, and a domain
 * of the list (separated by spaces), in any case.  Then lowered is the host in lower case. */
bool host_allowed(const char *domains, const char *host, char lowered[HOST_SIZE]);

#endif
