/* run_as.h - working as another user.
 */
#ifndef RUN_AS_H
#define RUN_AS_H

#include <stdbool.h>
#include <sys/types.h>

/* Gives up being root, for good: the process goes on as that user, with their groups and that one.
 * False: it could not, and errno tells why. */
bool run_as(uid_t user, gid_t group);

/* The user's name and the group their entry in /etc/passwd names; false: there is no such entry. */
#define RUN_AS_NAME_SIZE 256 /* bytes; longer names are cut */
bool run_as_find(uid_t user, char name[RUN_AS_NAME_SIZE], gid_t *group);

#endif
