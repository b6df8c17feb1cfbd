/* cursor.c - see cursor.h. */
#include "events/cursor.h"

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

struct held_up *
cursor_held_up(struct cursor *cursor, int64_t account_id)
{
	for (size_t i = 0; i < cursor->count; i++)
		if (cursor->held_up[i].account_id == account_id)
			return &cursor->held_up[i];
	return NULL;
}

bool
cursor_hold(struct ctx *ctx, struct cursor *cursor, const struct held_up *held_up)
{
	struct held_up *longer =
	    reallocarray(cursor->held_up, cursor->count + 1, sizeof *cursor->held_up);

	if (longer == NULL)
		return fault(ctx, FAULT_SERVER, "no memory for the accounts that are held up");
	longer[cursor->count++] = *held_up;
	cursor->held_up = longer;
	return true;
}

void
cursor_let_go(struct cursor *cursor, struct held_up *held_up)
{
	*held_up = cursor->held_up[--cursor->count];
}

void
cursor_close(struct cursor *cursor)
{
	free(cursor->held_up);
	memset(cursor, 0, sizeof *cursor);
}

static bool
take_place(const struct json_object *doc, struct journal_position *place)
{
	return json_integer(doc, "segment", &place->segment)
	    && json_integer(doc, "offset", &place->offset) && place->segment >= 0
	    && place->offset >= 0;
}

static bool
take_held_up(struct ctx *ctx, const struct json_object *doc, struct cursor *cursor)
{
	struct held_up held_up;
	int64_t attempts;
	int64_t next_at;

	if (!json_integer(doc, "account_id", &held_up.account_id)
	    || !take_place(doc, &held_up.place) || !json_integer(doc, "attempts", &attempts)
	    || attempts < 0 || attempts >= INT_MAX || !json_integer(doc, "next_at", &next_at))
		return false;
	held_up.attempts = (int)attempts;
	held_up.next_at = (time_t)next_at;
	return cursor_hold(ctx, cursor, &held_up);
}

static bool
take_document(struct ctx *ctx, struct json_object *doc, struct cursor *cursor)
{
	struct json_object *list;
	bool sound = json_object_is_type(doc, json_type_object) && take_place(doc, &cursor->place)
	    && json_object_object_get_ex(doc, "held_up", &list)
	    && json_object_is_type(list, json_type_array);

	for (size_t i = 0; sound && i < json_object_array_length(list); i++)
		sound = take_held_up(ctx, json_object_array_get_idx(list, i), cursor);
	return sound || fault(ctx, FAULT_STORAGE, "events/cursor is damaged");
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
	bool done;

	memset(cursor, 0, sizeof *cursor);
	if (!file_path(ctx, store, "", &path))
		return false;
	file = fopen(path, "re");
	if (file == NULL)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
	len = getdelim(&text, &size, '\0', file);
	doc = len > 0 ? json_read(text, (size_t)len) : NULL;
	done = take_document(ctx, doc, cursor);
	json_object_put(doc);
	free(text);
	fclose(file);
	return done;
}

static bool
print(struct ctx *ctx, const struct cursor *cursor, const char **text)
{
	struct strbuf sb;

	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "{\"segment\":%lld,\"offset\":%lld,\"held_up\":[",
	    (long long)cursor->place.segment, (long long)cursor->place.offset);
	for (size_t i = 0; i < cursor->count; i++) {
		const struct held_up *held_up = &cursor->held_up[i];

		strbuf_addf(&sb,
		    "%s{\"account_id\":%lld,\"segment\":%lld,\"offset\":%lld,\"attempts\":%d,"
		    "\"next_at\":%lld}",
		    i > 0 ? "," : "", (long long)held_up->account_id,
		    (long long)held_up->place.segment, (long long)held_up->place.offset,
		    held_up->attempts, (long long)held_up->next_at);
	}
	strbuf_addstr(&sb, "]}");
	return strbuf_finish(&sb, text);
}

static bool
write_file(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool done;

	if (fd < 0)
		return false;
	errno = ENOSPC; /* what a short write means; a failed one says so itself */
	done = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
	return close(fd) == 0 && done;
}

bool
cursor_write(struct ctx *ctx, const struct store_config *store, const struct cursor *cursor)
{
	const char *path;
	const char *new_path;
	const char *text;

	if (!file_path(ctx, store, "", &path) || !file_path(ctx, store, ".new", &new_path)
	    || !print(ctx, cursor, &text))
		return false;
	return (write_file(new_path, text) && rename(new_path, path) == 0)
	    || fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno));
}
