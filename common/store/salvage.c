/* salvage.c - see salvage.h. */
#include "store/salvage.h"

#include "base/file.h"
#include "base/sha2.h"
#include "store/gdbm_file.h"
#include "store/store_limits.h"
#include "store/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX_MAX   16   /* letters before the colon of a key; "connection" has ten */
#define BLOCK        4096 /* bytes that a failing disk loses with one unreadable sector */
#define ZEROS        3    /* leading bytes of an expiry before the year 36812 */
#define ZEROS_OFFSET VALUE_CHECK_SIZE

struct salvage {
	const struct gdbm_file *to;
	salvage_kept *kept;
	void *arg;
	bool failed; /* the new shard cannot be written */
};

/* Stores the record unless it is stored already, is not whole, or has expired. */
static bool
keep(struct ctx *ctx, struct salvage *s, datum key, datum content)
{
	const struct encoded_value encoded = { content.dptr, (size_t)content.dsize };
	const char *value;
	const char *name;
	int result;

	if (!value_decode(ctx, key.dptr, (size_t)key.dsize, &encoded, &value))
		return ctx->kind == FAULT_NONE;
	if (value == NULL)
		return true;
	result = gdbm_store(s->to->file, key, content, GDBM_INSERT);
	if (result < 0) {
		s->failed = true;
		return gdbm_file_fault(ctx, s->to, "cannot be written");
	}
	if (result == 0 && ctx_strndup(ctx, key.dptr, (size_t)key.dsize, &name))
		s->kept(s->arg, name);
	return true;
}

static bool
keep_rewound(struct ctx *ctx, struct salvage *s, datum key, datum content)
{
	size_t mark = arena_mark(ctx);
	bool ok = keep(ctx, s, key, content);

	arena_rewind(ctx, mark);
	return ok;
}

/* Keeps what GDBM finds, until it fails. */
static bool
keep_readable(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	struct salvage *s = arg;
	datum key = gdbm_firstkey(db->file);
	bool ok = true;

	while (ok && key.dptr != NULL) {
		datum content = gdbm_fetch(db->file, key);
		datum next;

		if (content.dptr != NULL && key.dsize <= STORE_KEY_MAX)
			ok = keep_rewound(ctx, s, key, content);
		gdbm_file_free_datum(content);
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	return ok;
}

/* The length of the letters and the colon that a key begins with; 0: no key begins here. */
static size_t
prefix_len(const char *at, size_t len)
{
	size_t i = 0;

	while (i < len && i < PREFIX_MAX && at[i] >= 'a' && at[i] <= 'z')
		i++;
	return i > 0 && i < len && at[i] == ':' ? i + 1 : 0;
}

/* Tries a key of that length: behind it come the checksum, the expiry and a text of unknown length.
 * Returns the length of the content; 0: its checksum is wrong. */
static size_t
content_len(const char *at, size_t key_len, size_t len)
{
	const char *content = at + key_len;
	size_t fixed = VALUE_CHECK_SIZE + VALUE_EXPIRY_SIZE;
	char head[STORE_KEY_MAX + 1];
	size_t text;

	if (len < key_len + fixed || memcmp(content + ZEROS_OFFSET, "\0\0", ZEROS) != 0)
		return 0;
	text = strnlen(content + fixed, len - key_len - fixed);
	memcpy(head, at, key_len);
	head[key_len] = '\0';
	text = sha256_prefix(head, key_len + 1, content + VALUE_CHECK_SIZE, VALUE_EXPIRY_SIZE,
	    VALUE_EXPIRY_SIZE + (text > STORE_VALUE_MAX ? STORE_VALUE_MAX : text), content,
	    VALUE_CHECK_SIZE);
	return text == 0 ? 0 : VALUE_CHECK_SIZE + text;
}

/* Keeps the record that begins here, if one does; *used is its length. */
static bool
keep_here(struct ctx *ctx, struct salvage *s, const char *at, size_t len, size_t *used)
{
	size_t key_len = prefix_len(at, len);

	*used = 1;
	if (key_len == 0)
		return true;
	for (; key_len <= STORE_KEY_MAX && key_len < len; key_len++) {
		size_t found = content_len(at, key_len, len);

		if (found > 0) {
			datum key = { (char *)(uintptr_t)at, (int)key_len };
			datum content = { (char *)(uintptr_t)at + key_len, (int)found };

			*used = key_len + found;
			return keep_rewound(ctx, s, key, content);
		}
		if (at[key_len] == '\0')
			break;
	}
	return true;
}

/* Reads all that can be read; the rest stays zero. */
static void
read_bytes(int fd, char *bytes, size_t size)
{
	for (size_t at = 0; at < size;) {
		size_t rest = BLOCK - at % BLOCK;
		ssize_t n = pread(fd, bytes + at, rest < size - at ? rest : size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		at += n > 0 ? (size_t)n : rest;
	}
}

static bool
search(struct ctx *ctx, struct salvage *s, int fd, size_t size)
{
	char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t used;
	bool ok = true;

	if (bytes == MAP_FAILED)
		return fault(ctx, FAULT_SERVER, "no memory for a copy of the shard");
	read_bytes(fd, bytes, size);
	for (size_t at = 0; ok && at < size; at += used)
		ok = keep_here(ctx, s, bytes + at, size - at, &used);
	explicit_bzero(bytes, size);
	munmap(bytes, size);
	return ok;
}

static bool
search_file(struct ctx *ctx, struct salvage *s, const char *path)
{
	int fd = file_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	bool ok = true;

	if (fd < 0)
		return true;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		ok = search(ctx, s, fd,
		    st.st_size > SALVAGE_FILE_MAX ? SALVAGE_FILE_MAX : (size_t)st.st_size);
	close(fd);
	return ok;
}

static bool
check_record(struct ctx *ctx, const struct gdbm_file *db, datum key)
{
	datum content = gdbm_fetch(db->file, key);
	const struct encoded_value encoded = { content.dptr, (size_t)content.dsize };
	const char *value;
	bool ok;

	if (content.dptr == NULL)
		return gdbm_file_fault(ctx, db, "cannot be read");
	ok = value_decode(ctx, key.dptr, (size_t)key.dsize, &encoded, &value)
	    || fault(ctx, FAULT_CORRUPT, "%s: %.*s is corrupt", db->path, key.dsize, key.dptr);
	gdbm_file_free_datum(content);
	return ok;
}

static bool
check_records(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	datum key = gdbm_firstkey(db->file);
	bool ok = true;

	(void)arg;
	while (ok && key.dptr != NULL) {
		size_t mark = arena_mark(ctx);
		datum next;

		ok = check_record(ctx, db, key);
		arena_rewind(ctx, mark);
		next = gdbm_nextkey(db->file, key);
		free(key.dptr);
		key = next;
	}
	free(key.dptr);
	return ok
	    && (gdbm_errno == GDBM_ITEM_NOT_FOUND
		|| gdbm_file_fault(ctx, db, "cannot be read to its end"));
}

bool
salvage_intact(struct ctx *ctx, const char *path)
{
	return gdbm_file_read(ctx, path, check_records, NULL);
}

struct source {
	const char *path;
	struct salvage salvage;
};

static bool
fill(struct ctx *ctx, const struct gdbm_file *db, void *arg)
{
	struct source *source = arg;
	struct salvage *s = &source->salvage;

	s->to = db;
	if (!gdbm_file_read(ctx, source->path, keep_readable, s)) {
		if (s->failed || ctx->kind != FAULT_STORAGE)
			return false;
		ctx_clear_fault(ctx);
	}
	return search_file(ctx, s, source->path);
}

bool
salvage(struct ctx *ctx, const char *path, const char *new_path, salvage_kept *kept, void *arg)
{
	struct source source = { path, { NULL, kept, arg, false } };

	if (unlink(new_path) != 0 && errno != ENOENT && rmdir(new_path) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", new_path, strerror(errno));
	return gdbm_file_write(ctx, new_path, fill, &source);
}
