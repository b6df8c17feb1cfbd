/* check_hosts.h - the hosts that [store] database names: whether they answer, which is the primary,
 * and how the connection to them is secured.
 */
#ifndef CHECK_HOSTS_H
#define CHECK_HOSTS_H

#include "check/check.h"

struct json_object;

/* Of a database that can be used; probe is its reply. */
void check_hosts(struct check *c, const struct json_object *probe);

/* Of one that cannot; ctx holds the fault. */
void check_hosts_unusable(struct check *c);

#endif
