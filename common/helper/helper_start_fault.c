/* helper_start_fault.c - see helper_start_fault.h. */
#include "helper/helper_start_fault.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* The first folder on the path that this user may not enter, in the arena; NULL: there is none. */
static bool
find_closed_folder(struct ctx *ctx, const char *path, const char **folder)
{
	for (const char *slash = strchr(path + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		if (!ctx_strndup(ctx, path, (size_t)(slash - path), folder))
			return false;
		if (access(*folder, X_OK) != 0 && errno == EACCES)
			return true;
	}
	*folder = NULL;
	return true;
}

static bool
is_on_noexec(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOEXEC) != 0;
}

bool
helper_start_denied(struct ctx *ctx, const char *path, int error)
{
	unsigned long user = geteuid();
	const char *folder;
	struct stat st;

	if (!find_closed_folder(ctx, path, &folder))
		return false;
	if (folder != NULL)
		return fault(ctx, FAULT_CONFIG,
		    "%s: user %lu may not enter this folder, and so cannot start %s: install the "
		    "programs elsewhere (make install), or chmod o+x it",
		    folder, user, strrchr(path, '/') + 1);
	if (stat(path, &st) != 0)
		return fault(ctx, FAULT_CONFIG, "%s: %s", path, strerror(error));
	if (!S_ISREG(st.st_mode))
		return fault(ctx, FAULT_CONFIG, "%s: is not a file: install it again", path);
	if (is_on_noexec(path))
		return fault(ctx, FAULT_CONFIG,
		    "%s: its file system is mounted with noexec: install the programs on another "
		    "one, or remount it with exec",
		    path);
	return fault(ctx, FAULT_CONFIG,
	    "%s: mode %04o does not let user %lu execute it: chmod 0755, or upload it again", path,
	    (unsigned)st.st_mode & 07777, user);
}

bool
helper_start_failed(struct ctx *ctx, const char *path, int error)
{
	switch (error) {
	case ENOENT: /* access has found the file itself */
		return fault(ctx, FAULT_CONFIG,
		    "%s: the system does not have the program loader that it needs: it was built "
		    "for "
		    "another system; build it on this one",
		    path);
	case ENOEXEC:
		return fault(ctx, FAULT_CONFIG,
		    "%s: is no program for this machine: it was built for another processor, or "
		    "uploaded incompletely or as text",
		    path);
	case ETXTBSY:
		return fault(ctx, FAULT_CONFIG,
		    "%s: is being written at this moment: wait for the end of the upload", path);
	case EACCES:
	case EPERM:
		return fault(ctx, FAULT_CONFIG,
		    "%s: may not be executed although its mode allows it: see the logs of SELinux "
		    "or AppArmor",
		    path);
	case EAGAIN:
		return fault(ctx, FAULT_SERVER,
		    "%s: cannot be started: user %lu has as many processes as it may have "
		    "(ulimit -u)",
		    path, (unsigned long)getuid());
	default:
		return fault(ctx, FAULT_SERVER, "%s: cannot be started: %s", path, strerror(error));
	}
}
