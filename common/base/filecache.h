/* filecache.h - what a process that stays has made of its files, until they change.
 *
 * A FastCGI process need not read its configuration and its key ring for every request.  Asked what
 * stands in such a file, it looks once in each request whether the file is still the one it has
 * read: the same device, inode, size, and times of the last change of content (mtime) and of
 * anything else (ctime), which a rename, a chmod and an edit that sets the mtime back do not leave
 * alone.
 *
 * A clock ticks slower than files change.  A file that was changed less than FILECACHE_SAFE_AGE_S
 * before it was looked at may change once more without its times telling, so it is read again the
 * next time.
 */
#ifndef FILECACHE_H
#define FILECACHE_H

#include "base/ctx.h"

#include <sys/stat.h>

/* Ticks are 10 ms at most on local disks, 2 s on FAT, which knows no inodes to begin with. */
#define FILECACHE_SAFE_AGE_S 2

/* Address space, not memory; a configuration of some thousand lines. */
#define FILECACHE_ARENA_SIZE (1u << 20) /* bytes */

enum filecache_id { FILECACHE_CONFIG, FILECACHE_KEYRING, FILECACHE_IDS };

struct filecache_entry {
	struct ctx ctx; /* of its own: a request's is wiped when the request ends */
	const char *path;
	struct stat seen;
	bool ok;            /* parsed is what stood in the file seen */
	bool mtime_is_safe; /* and a change of it will show */
	bool checked;       /* it was looked at in this request */
	const void *parsed;
};

struct filecache {
	struct filecache_entry entries[FILECACHE_IDS];
};

/* From now on ctx keeps what it reads, here; until filecache_close.  False: there is no memory for
 * that. */
bool filecache_open(struct ctx *ctx, struct filecache *cache);
void filecache_close(struct ctx *ctx);

/* A new request: what is kept has to be looked at again. */
void filecache_revalidate(struct ctx *ctx);

/* Reads a file into ctx, or tells its fault. */
typedef bool filecache_parse(struct ctx *ctx, const char *path, const void **parsed);

/* What parse makes of the file now: parsed anew only if it has changed, or if ctx keeps nothing.
 * Within one request it is the same, and lives until the request ends.  Fault: as parse; *parsed is
 * then what parse has left there. */
bool filecache_get(struct ctx *ctx, enum filecache_id what, const char *path,
    filecache_parse *parse, const void **parsed);

#endif
