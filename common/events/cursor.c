/* cursor.c - see cursor.h. */
#include "events/cursor.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "text/json.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
file_path(struct ctx *ctx, const struct store_config *store, const char *suffix, const char **path)
{
	return ctx_printf(ctx, path, "%s/events/cursor%s", store->path, suffix);
}

bool
cursor_before(const struct journal_position *a, const struct journal_position *b)
{
	return a->segment != b->segment ? a->segment < b->segment : a->offset < b->offset;
}

struct journal_position
cursor_oldest(const struct cursor *cursor)
{
	struct journal_position oldest = cursor->position;

	for (size_t i = 0; i < cursor->count; i++)
		if (cursor_before(&cursor->blocked[i].position, &oldest))
			oldest = cursor->blocked[i].position;
	return oldest;
}

struct blocked_account *
cursor_find_blocked(struct cursor *cursor, int64_t account_id)
{
	for (size_t i = 0; i < cursor->count; i++)
		if (cursor->blocked[i].account_id == account_id)
			return &cursor->blocked[i];
	return NULL;
}

bool
cursor_block(struct ctx *ctx, struct cursor *cursor, const struct blocked_account *blocked)
{
	struct blocked_account *grown =
	    reallocarray(cursor->blocked, cursor->count + 1, sizeof *cursor->blocked);

	if (grown == NULL)
		return fault(ctx, FAULT_SERVER, "no memory for the blocked accounts");
	grown[cursor->count++] = *blocked;
	cursor->blocked = grown;
	return true;
}

void
cursor_unblock(struct cursor *cursor, struct blocked_account *blocked)
{
	*blocked = cursor->blocked[--cursor->count];
}

void
cursor_close(struct cursor *cursor)
{
	free(cursor->blocked);
	memset(cursor, 0, sizeof *cursor);
}

static bool
parse_position(const struct json_object *doc, struct journal_position *position)
{
	return json_get_integer(doc, "segment", &position->segment)
	    && json_get_integer(doc, "offset", &position->offset) && position->segment >= 0
	    && position->offset >= 0;
}

static bool
parse_blocked(struct ctx *ctx, const struct json_object *doc, struct cursor *cursor)
{
	struct blocked_account blocked;
	int64_t attempts;
	int64_t next_at;

	if (!json_get_integer(doc, "account_id", &blocked.account_id)
	    || !parse_position(doc, &blocked.position)
	    || !json_get_integer(doc, "attempts", &attempts) || attempts < 0 || attempts >= INT_MAX
	    || !json_get_integer(doc, "next_at", &next_at))
		return false;
	blocked.attempts = (int)attempts;
	blocked.next_at = (time_t)next_at;
	return cursor_block(ctx, cursor, &blocked);
}

static bool
parse_document(struct ctx *ctx, struct json_object *doc, struct cursor *cursor)
{
	struct json_object *list;
	bool ok = json_object_is_type(doc, json_type_object)
	    && parse_position(doc, &cursor->position)
	    && json_object_object_get_ex(doc, "held_up", &list)
	    && json_object_is_type(list, json_type_array);

	for (size_t i = 0; ok && i < json_object_array_length(list); i++)
		ok = parse_blocked(ctx, json_object_array_get_idx(list, i), cursor);
	return ok || fault(ctx, FAULT_STORAGE, "events/cursor is corrupt");
}

bool
cursor_read(struct ctx *ctx, const struct store_config *store, struct cursor *cursor)
{
	struct json_object *doc;
	const char *path;
	char *text = NULL;
	size_t size = 0;
	FILE *file;
	ssize_t len;
	bool ok;

	memset(cursor, 0, sizeof *cursor);
	if (!file_path(ctx, store, "", &path))
		return false;
	file = file_open_stream(path);
	if (file == NULL)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	len = getdelim(&text, &size, '\0', file);
	doc = len > 0 ? json_parse(text, (size_t)len) : NULL;
	ok = parse_document(ctx, doc, cursor);
	json_object_put(doc);
	free(text);
	fclose(file);
	return ok;
}

static bool
format_cursor(struct ctx *ctx, const struct cursor *cursor, const char **text)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"segment\":%lld,\"offset\":%lld,\"held_up\":[",
	    (long long)cursor->position.segment, (long long)cursor->position.offset);
	for (size_t i = 0; i < cursor->count; i++) {
		const struct blocked_account *blocked = &cursor->blocked[i];

		strbuf_addf(&sb,
		    "%s{\"account_id\":%lld,\"segment\":%lld,\"offset\":%lld,\"attempts\":%d,"
		    "\"next_at\":%lld}",
		    i > 0 ? "," : "", (long long)blocked->account_id,
		    (long long)blocked->position.segment, (long long)blocked->position.offset,
		    blocked->attempts, (long long)blocked->next_at);
	}
	strbuf_addstr(&sb, "]}");
	return strbuf_finish(&sb, text);
}

static bool
write_file(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = file_open_regular(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	errno = ENOSPC; /* for a short write, which sets no errno */
	ok = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	return close(fd) == 0 && ok;
}

bool
cursor_write(struct ctx *ctx, const struct store_config *store, const struct cursor *cursor)
{
	const char *path;
	const char *new_path;
	const char *text;

	if (!file_path(ctx, store, "", &path) || !file_path(ctx, store, ".new", &new_path)
	    || !format_cursor(ctx, cursor, &text))
		return false;
	return (write_file(new_path, text) && rename(new_path, path) == 0)
	    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
}
