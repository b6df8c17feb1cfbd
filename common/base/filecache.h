/* filecache.h - parsed files, cached by a resident process until they change.
 *
 * A FastCGI process need not read its configuration and its key ring for every request.  Once per
 * request it checks that each is still the file that was parsed: the same device, inode, size,
 * mtime and ctime.  The ctime changes on a rename, on a chmod, and on an edit that sets the mtime
 * back.
 *
 * The timestamps of a filesystem are coarse: a file that was changed less than FILECACHE_SAFE_AGE_S
 * ago can change again without new timestamps.  What was parsed from such a file is parsed again in
 * the next request.
 */
#ifndef FILECACHE_H
#define FILECACHE_H

#include "base/ctx.h"

#include <sys/stat.h>

/* Timestamps have a granularity of 10 ms at most on local disks, and of 2 s on FAT. */
#define FILECACHE_SAFE_AGE_S 2

/* Address space, not memory; enough for a configuration of some thousand lines. */
#define FILECACHE_ARENA_SIZE (1u << 20) /* bytes */

enum filecache_id { FILECACHE_CONFIG, FILECACHE_KEYRING, FILECACHE_IDS };

struct filecache_entry {
	struct ctx ctx; /* for what was parsed: a request's arena is wiped at its end */
	const char *path;
	struct stat seen;
	bool ok;            /* parsed is the content of the file seen */
	bool mtime_is_safe; /* any later change shows in the timestamps */
	bool checked;       /* in this request */
	const void *parsed;
};

struct filecache {
	struct filecache_entry entries[FILECACHE_IDS];
};

/* Gives ctx this cache, until filecache_close.  Fault: FAULT_SERVER when there is no memory. */
bool filecache_open(struct ctx *ctx, struct filecache *cache);
void filecache_close(struct ctx *ctx);

/* Begins a request: every file has to be checked again. */
void filecache_revalidate(struct ctx *ctx);

/* Parses a file into the arena of ctx, or leaves a fault in it. */
typedef bool filecache_parse(struct ctx *ctx, const char *path, const void **parsed);

/* Gives the parsed file, which is parsed again only if it has changed, or if ctx has no cache.  The
 * result stays the same within a request and is valid until the request ends.
 * Fault: as parse; *parsed is then what parse has left there. */
bool filecache_get(struct ctx *ctx, enum filecache_id what, const char *path,
    filecache_parse *parse, const void **parsed);

#endif
