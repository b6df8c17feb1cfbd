/* check_filesystem.c - whether the file system of the store does what a durable change needs. */
#include "check/check.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Not all versions of linux/magic.h have these. */
#define CIFS_MAGIC 0xff534d42
#define SMB2_MAGIC 0xfe534d42
#define FUSE_MAGIC 0x65735546

/* The name as mount(8) shows it; NULL: another one. */
static const char *
name_of(uint32_t magic)
{
	static const struct {
		uint32_t magic;
		const char *name;
	} table[] = {
		{ CIFS_MAGIC, "cifs" },
		{ SMB2_MAGIC, "smb3" },
		{ SMB_SUPER_MAGIC, "smbfs" },
		{ FUSE_MAGIC, "fuse or virtiofs" },
		{ V9FS_MAGIC, "9p" },
		{ NFS_SUPER_MAGIC, "nfs" },
		{ AFS_SUPER_MAGIC, "afs" },
		{ CODA_SUPER_MAGIC, "coda" },
		{ OVERLAYFS_SUPER_MAGIC, "overlay" },
		{ TMPFS_MAGIC, "tmpfs" },
		{ EXT4_SUPER_MAGIC, "ext4" },
		{ BTRFS_SUPER_MAGIC, "btrfs" },
		{ XFS_SUPER_MAGIC, "xfs" },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (table[i].magic == magic)
			return table[i].name;
	return NULL;
}

static bool
describe(struct ctx *ctx, const char *path, const char **name)
{
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	*name = name_of((uint32_t)fs.f_type);
	return *name != NULL
	    || ctx_printf(ctx, name, "a file system of type 0x%x", (unsigned)fs.f_type);
}

/* 0, or the errno of fsync on a directory. */
static int
sync_error(const char *path)
{
	int fd = file_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = fd >= 0 && fsync(fd) == 0 ? 0 : errno;

	if (fd >= 0)
		close(fd);
	return error;
}

void
check_filesystem(struct check *c)
{
	const char *path = c->ctl->cfg.store.path;
	int error = sync_error(path);
	const char *name;

	if (error == 0 || error == EINTR)
		return;
	if (!describe(c->ctl->ctx, path, &name)) {
		report_fault(&c->report, "disk", "check this path");
		return;
	}
	if (file_directory_syncable(error))
		report_wrong(&c->report, "disk",
		    "check the disk (dmesg), and replace it if it fails",
		    "%s: on %s, a directory cannot be synced: %s", path, name, strerror(error));
	else
		report_warning(&c->report, "disk",
		    "move [store] path to a local disk, as ext4 or xfs: a power failure here may "
		    "lose the newest tokens and events",
		    "%s: on %s, which cannot sync a directory: %s", path, name, strerror(error));
}
