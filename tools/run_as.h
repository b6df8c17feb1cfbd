/* run_as.h - continue as another user.
 */
#ifndef RUN_AS_H
#define RUN_AS_H

#include <stdbool.h>
#include <sys/types.h>

/* Gives up root's privileges permanently: the process continues as user, with the user's groups and
 * group.  False: errno has the reason. */
bool run_as(uid_t user, gid_t group);

#define RUN_AS_NAME_SIZE 256 /* bytes; a longer name is truncated */

/* The user's name and primary group by /etc/passwd.  False: it has no entry of the user. */
bool run_as_find(uid_t user, char name[RUN_AS_NAME_SIZE], gid_t *group);

#endif
