/* cursor_file.c - the file of a cursor; see cursor.h.
 *
 *   1 <first 16 hex digits of the SHA-256 of the JSON> <JSON>
 *
 * A wrong digit in a position would skip events, hence the checksum.  Earlier versions wrote the
 * JSON alone; it is still read.
 */
#include "events/cursor.h"

#include "base/file.h"
#include "base/sha2.h"
#include "base/strbuf.h"
#include "text/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK         "1 "
#define CHECKSUM_LEN 16 /* hex digits */
#define PREVIOUS     ".old"

static bool
file_path(struct ctx *ctx, const struct store_config *store, const char *suffix, const char **path)
{
	return ctx_printf(ctx, path, "%s/events/cursor%s", store->path, suffix);
}

static bool
parse_position(const struct json_object *doc, struct journal_position *position)
{
	if (!json_get_integer(doc, "line", &position->line) /* earlier versions wrote neither */
	    || !json_get_integer(doc, "checksum", &position->checksum))
		position->line = position->checksum = 0;
	return json_get_integer(doc, "segment", &position->segment)
	    && json_get_integer(doc, "offset", &position->offset) && position->segment >= 0
	    && position->offset >= 0 && position->line >= 0
	    && (position->checksum == 0 || position->line < position->offset);
}

static bool
parse_blocked(struct ctx *ctx, const struct json_object *doc, struct cursor *cursor)
{
	struct blocked_account blocked;
	int64_t attempts;
	int64_t rejections;
	int64_t next_at;

	if (!json_get_integer(doc, "rejections", &rejections)) /* earlier versions wrote none */
		rejections = 0;
	if (!json_get_integer(doc, "account_id", &blocked.account_id)
	    || !parse_position(doc, &blocked.position)
	    || !json_get_integer(doc, "attempts", &attempts) || attempts < 0 || attempts >= INT_MAX
	    || rejections < 0 || rejections > attempts
	    || !json_get_integer(doc, "next_at", &next_at))
		return false;
	blocked.attempts = (int)attempts;
	blocked.rejections = (int)rejections;
	blocked.next_at = (time_t)next_at;
	return cursor_block(ctx, cursor, &blocked);
}

static bool
parse_document(struct ctx *ctx, struct json_object *doc, struct cursor *cursor)
{
	struct json_object *list;
	int64_t saved_at;
	bool ok = json_object_is_type(doc, json_type_object)
	    && parse_position(doc, &cursor->position)
	    && json_object_object_get_ex(doc, "held_up", &list)
	    && json_object_is_type(list, json_type_array);

	/* earlier versions wrote none */
	if (json_get_integer(doc, "saved_at", &saved_at) && saved_at > 0)
		cursor->saved_at = (time_t)saved_at;
	for (size_t i = 0; ok && i < json_object_array_length(list); i++)
		ok = parse_blocked(ctx, json_object_array_get_idx(list, i), cursor);
	return ok;
}

/* The JSON within the text of a file; NULL: the checksum is wrong. */
static const char *
checked_json(const char *text)
{
	char hex[SHA256_HEX_SIZE];
	const char *checksum = text + strlen(MARK);
	const char *json = checksum + CHECKSUM_LEN + 1;

	if (text[0] == '{')
		return text;
	if (strlen(text) < strlen(MARK) + CHECKSUM_LEN + 1 || strncmp(text, MARK, strlen(MARK)) != 0
	    || json[-1] != ' ')
		return NULL;
	sha256_hex(json, strlen(json), hex);
	return strncmp(checksum, hex, CHECKSUM_LEN) == 0 ? json : NULL;
}

/* False without a fault: it is corrupt. */
static bool
parse_file(struct ctx *ctx, FILE *file, struct cursor *cursor)
{
	struct json_object *doc = NULL;
	const char *json = NULL;
	char *text = NULL;
	size_t size = 0;
	ssize_t len = getdelim(&text, &size, '\0', file);
	bool ok;

	if (len > 0 && strlen(text) == (size_t)len)
		json = checked_json(text);
	if (json != NULL)
		doc = json_parse(json, strlen(json));
	ok = parse_document(ctx, doc, cursor);
	json_object_put(doc);
	free(text);
	return ok;
}

/* *found: there is such a file.  *whole: it could be read. */
static bool
read_file(struct ctx *ctx, const struct store_config *store, const char *suffix,
    struct cursor *cursor, bool *found, bool *whole)
{
	const char *path;
	FILE *file;

	cursor_close(cursor);
	if (!file_path(ctx, store, suffix, &path))
		return false;
	file = file_open_stream(path);
	*found = file != NULL || errno != ENOENT;
	*whole = false;
	if (file == NULL)
		return !*found || fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
	*whole = parse_file(ctx, file, cursor);
	fclose(file);
	return ctx->kind == FAULT_NONE;
}

bool
cursor_read(struct ctx *ctx, const struct store_config *store, struct cursor *cursor)
{
	bool found;
	bool whole;
	bool older_found;

	memset(cursor, 0, sizeof *cursor);
	if (!read_file(ctx, store, "", cursor, &found, &whole))
		return false;
	if (whole)
		return true;
	if (!read_file(ctx, store, PREVIOUS, cursor, &older_found, &whole))
		return false;
	if (!whole)
		cursor_close(cursor);
	/* Without the file alone, a writer was killed between its two renames. */
	if (found)
		cursor->damage = whole ? CURSOR_FROM_PREVIOUS : CURSOR_FROM_BEGINNING;
	else if (older_found && !whole)
		cursor->damage = CURSOR_FROM_BEGINNING;
	return true;
}

static bool
add_checksum(struct ctx *ctx, const char *json, const char **text)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(json, strlen(json), hex);
	return ctx_printf(ctx, text, MARK "%.*s %s", CHECKSUM_LEN, hex, json);
}

static void
add_position(struct strbuf *sb, const struct journal_position *position)
{
	strbuf_addf(sb, "\"segment\":%lld,\"offset\":%lld,\"line\":%lld,\"checksum\":%lld",
	    (long long)position->segment, (long long)position->offset, (long long)position->line,
	    (long long)position->checksum);
}

static bool
format_cursor(struct ctx *ctx, const struct cursor *cursor, time_t now, const char **text)
{
	struct strbuf sb;
	const char *json;

	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "{");
	add_position(&sb, &cursor->position);
	strbuf_addf(&sb, ",\"saved_at\":%lld,\"held_up\":[", (long long)now);
	for (size_t i = 0; i < cursor->count; i++) {
		const struct blocked_account *blocked = &cursor->blocked[i];

		strbuf_addf(&sb, "%s{\"account_id\":%lld,", i > 0 ? "," : "",
		    (long long)blocked->account_id);
		add_position(&sb, &blocked->position);
		strbuf_addf(&sb, ",\"attempts\":%d,\"rejections\":%d,\"next_at\":%lld}",
		    blocked->attempts, blocked->rejections, (long long)blocked->next_at);
	}
	strbuf_addstr(&sb, "]}");
	return strbuf_finish(&sb, &json) && add_checksum(ctx, json, text);
}

static bool
write_file(struct ctx *ctx, const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = file_open_regular(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
	errno = ENOSPC; /* for a short write, which sets no errno */
	ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	return (close(fd) == 0 && ok) || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
}

/* The present file becomes the previous one.  A corrupt one does not: the previous is better. */
bool
cursor_write(struct ctx *ctx, const struct store_config *store, struct cursor *cursor)
{
	time_t now = time(NULL);
	const char *path;
	const char *new_path;
	const char *old_path;
	const char *text;

	if (!file_path(ctx, store, "", &path) || !file_path(ctx, store, ".new", &new_path)
	    || !file_path(ctx, store, PREVIOUS, &old_path)
	    || !format_cursor(ctx, cursor, now, &text) || !write_file(ctx, new_path, text))
		return false;
	if ((cursor->damage == CURSOR_WHOLE && rename(path, old_path) != 0 && errno != ENOENT)
	    || rename(new_path, path) != 0)
		return fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	cursor->saved_at = now;
	return true;
}
