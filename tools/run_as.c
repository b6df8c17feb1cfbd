/* run_as.c - see run_as.h.  /etc/passwd and /etc/group are read directly, since a statically linked
 * program cannot use the name service. */
#include "run_as.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 64 /* a web server's user has two or three */

struct groups {
	gid_t ids[GROUPS_MAX];
	size_t count;
};

static void
add(struct groups *groups, gid_t id)
{
	if (groups->count < GROUPS_MAX)
		groups->ids[groups->count++] = id;
}

bool
run_as_find(uid_t user, char name[RUN_AS_NAME_SIZE], gid_t *group)
{
	FILE *file = fopen("/etc/passwd", "re");
	struct passwd *entry = NULL;

	if (file == NULL)
		return false;
	while ((entry = fgetpwent(file)) != NULL && entry->pw_uid != user)
		;
	if (entry != NULL) {
		snprintf(name, RUN_AS_NAME_SIZE, "%s", entry->pw_name);
		*group = entry->pw_gid;
	}
	fclose(file);
	return entry != NULL;
}

static void
add_memberships(struct groups *groups, const char *name)
{
	FILE *file = fopen("/etc/group", "re");
	struct group *entry;

	if (file == NULL)
		return;
	while ((entry = fgetgrent(file)) != NULL)
		for (char **member = entry->gr_mem; *member != NULL; member++)
			if (strcmp(*member, name) == 0)
				add(groups, entry->gr_gid);
	fclose(file);
}

bool
run_as(uid_t user, gid_t group)
{
	struct groups groups = { .ids = { group }, .count = 1 };
	gid_t own = group;
	char name[RUN_AS_NAME_SIZE];

	if (run_as_find(user, name, &own)) {
		add(&groups, own);
		add_memberships(&groups, name);
	}
	return setgroups(groups.count, groups.ids) == 0 && setgid(own) == 0 && setuid(user) == 0;
}
