/* store.c - 256 shards, chosen by a hash of the key, so that one change copies little.
 *
 *   <path>/connections/00.gdbm … ff.gdbm    the records
 *   <path>/locks                            bytes 0 to 255: a shard's writer; behind them: names
 */
#include "store.h"

#include "digest.h"
#include "shard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHARDS           256
#define ROOM_FOR_CHANGES 524288 /* bytes; copies of four shards with a hundred connections each */

static bool
shard_path(struct work *w, const struct store_config *store, unsigned shard, const char **path)
{
	return work_print(w, path, "%s/connections/%02x.gdbm", store->path, shard);
}

static unsigned
shard_of(const char *key)
{
	uint8_t digest[SHA256_SIZE];

	sha256(key, strlen(key), digest);
	return digest[0];
}

static bool
check_key(struct work *w, const char *key)
{
	if (strlen(key) > STORE_KEY_MAX)
		return fault(w, FAULT_REQUEST, "a record's name is over %d bytes", STORE_KEY_MAX);
	return true;
}

/* A store that is not there must not look like one that is empty. */
static bool
check_there(struct work *w, const struct store_config *store)
{
	if (access(store->path, R_OK | X_OK) != 0)
		return fault(w, FAULT_STORAGE,
		    "%s: %s; [store] path must be the web server user's directory", store->path,
		    strerror(errno));
	return true;
}

bool
store_get(struct work *w, const struct store_config *store, const char *key, const char **value)
{
	const char *path;

	return check_key(w, key) && shard_path(w, store, shard_of(key), &path)
	    && shard_get(w, path, key, value) && (*value != NULL || check_there(w, store));
}

static bool
make_directory(struct work *w, const struct store_config *store)
{
	const char *path;

	if (!work_print(w, &path, "%s/connections", store->path))
		return false;
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	return true;
}

bool
store_ready(struct work *w, const struct store_config *store)
{
	const char *path;
	int fd;
	int error;

	if (!make_directory(w, store) || !work_print(w, &path, "%s/connections/room", store->path))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return fault(w, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	unlink(path); /* at once: nothing is left if we are killed */
	error = posix_fallocate(fd, 0, ROOM_FOR_CHANGES);
	close(fd);
	return error == 0 || fault(w, FAULT_STORAGE, "%s: %s", store->path, strerror(error));
}

static bool
take_lock(struct work *w, const struct store_config *store, int64_t offset, int64_t wait_ms,
    struct lock *lock)
{
	const char *path;

	return work_print(w, &path, "%s/locks", store->path)
	    && lock_take(w, path, offset, wait_ms, lock);
}

bool
store_lock(struct work *w, const struct store_config *store, const char *name, int64_t wait_ms,
    struct lock *lock)
{
	uint8_t digest[SHA256_SIZE];
	int64_t offset = 0;

	sha256(name, strlen(name), digest);
	for (int i = 0; i < 7; i++) /* 56 bits: an offset is a positive 63-bit number */
		offset = offset << 8 | digest[i];
	return take_lock(w, store, SHARDS + offset, wait_ms, lock);
}

/* Under the shard's lock. */
static bool
change_locked(struct work *w, const char *path, const char *key, time_t expires, store_edit *edit,
    void *context)
{
	const char *old;
	const char *value;

	if (!shard_get(w, path, key, &old))
		return false;
	value = old;
	if (!edit(w, context, old, &value))
		return false;
	if (value == old)
		return true;
	if (value != NULL && strlen(value) > STORE_VALUE_MAX)
		return fault(w, FAULT_SERVER, "a record is over %d bytes", STORE_VALUE_MAX);
	return shard_set(w, path, key, value, expires);
}

bool
store_change(struct work *w, const struct store_config *store, const char *key, time_t expires,
    store_edit *edit, void *context)
{
	unsigned shard = shard_of(key);
	struct lock lock;
	const char *path;
	bool done;

	if (!check_key(w, key) || !shard_path(w, store, shard, &path)
	    || !take_lock(w, store, shard, STORE_WAIT_MS, &lock))
		return false;
	done = make_directory(w, store) && change_locked(w, path, key, expires, edit, context);
	lock_release(&lock);
	return done;
}

static bool
replace(struct work *w, void *context, const char *old, const char **value)
{
	(void)w;
	(void)old;
	*value = context;
	return true;
}

bool
store_put(struct work *w, const struct store_config *store, const char *key, const char *value,
    time_t expires)
{
	return store_change(w, store, key, expires, replace, (void *)(uintptr_t)value);
}

bool
store_erase(struct work *w, const struct store_config *store, const char *key)
{
	return store_change(w, store, key, 0, replace, NULL);
}

bool
store_each(struct work *w, const struct store_config *store, const char *prefix, store_visit *visit,
    void *context)
{
	const char *path;

	if (!check_there(w, store))
		return false;
	for (unsigned shard = 0; shard < SHARDS; shard++)
		if (!shard_path(w, store, shard, &path)
		    || !shard_each(w, path, prefix, visit, context))
			return false;
	return true;
}
