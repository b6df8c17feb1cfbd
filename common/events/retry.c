/* retry.c - see retry.h. */
#include "events/retry.h"

#include "base/file.h"
#include "events/ndjson.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define RETRY_AFTER_MAX_S 86400

static const long schedule_s[RETRIES] = { 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400 };

static const long rejected_s[REJECTIONS - 1] = { 5, 40 };

/* Up to a tenth more or less, so that accounts that failed together are not retried together. */
static long
with_jitter(long seconds)
{
	unsigned short random = 0;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = 0;
	return seconds - seconds / 10 + (long)((double)random / 65536 * (double)seconds / 5);
}

long
retry_wait_s(int attempt, long retry_after_s)
{
	long wait_s = with_jitter(schedule_s[attempt - 1]);
	long asked_s = retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S;

	return asked_s > wait_s ? asked_s : wait_s;
}

long
retry_rejected_wait_s(int rejection)
{
	return with_jitter(rejected_s[rejection - 1]);
}

static bool
dead_letter_path(struct ctx *ctx, const struct store_config *store, const char **path)
{
	return ctx_printf(ctx, path, "%s/events/dead.ndjson", store->path);
}

bool
dead_letter_append(struct ctx *ctx, const struct store_config *store, const char *line)
{
	const char *path;
	const char *directory;
	struct ndjson file;
	bool ok;

	if (!ctx_printf(ctx, &directory, "%s/events", store->path)
	    || !dead_letter_path(ctx, store, &path) || !ndjson_open(ctx, path, &file))
		return false;
	ok = ndjson_append(ctx, &file, line, strlen(line))
	    && (fdatasync(file.fd) == 0
		|| fault(ctx, FAULT_STORAGE, "%s: %s", path, strerror(errno)))
	    && (file.size > 0 || file_sync_directory(ctx, directory));
	close(file.fd);
	return ok;
}

bool
dead_letter_count(struct ctx *ctx, const struct store_config *store, size_t *count)
{
	const char *path;
	FILE *file;
	int c;

	*count = 0;
	if (!dead_letter_path(ctx, store, &path))
		return false;
	file = file_open_stream(path);
	if (file == NULL)
		return errno == ENOENT
		    || fault(ctx, FAULT_STORAGE, "%s: %s", path, file_open_error(errno));
	while ((c = getc(file)) != EOF)
		*count += c == '\n';
	fclose(file);
	return true;
}
