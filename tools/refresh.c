/* refresh.c - `amocrmctl refresh`: one connection, all, or all that are due (for cron). */
#include "ctl.h"

#include "base/clock.h"
#include "base/encode.h"
#include "connection/connection.h"
#include "connection/refresh.h"
#include "crypto/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PACE_MS     150 /* between two calls: amoCRM allows 7 requests a second */
#define PAUSE_MAX_S 60  /* a longer Retry-After is cut to this */
#define BLOCKED_MAX 3   /* 403 in a row: our address is blocked, not one account */
#define DUE_MAX_S   (366 * 86400)
#define ALWAYS      (INT64_C(1) << 40) /* a time no access token lasts until: each one is due */

/* The keys of the connections to refresh, each with its NUL, one after the other. */
struct due {
	time_t until;
	char *keys;
	size_t size;
	size_t len;
	size_t count;
};

static bool
add_due(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct due *due = arg;
	const char *key;
	size_t key_size;

	if (connection->state != CONNECTION_ACTIVE || !refresh_due(connection, due->until))
		return true;
	if (!record_key(ctx, connection->account_id, connection->amocrm_user_id, &key))
		return false;
	key_size = strlen(key) + 1;
	if (due->len + key_size > due->size) {
		size_t size = due->size * 2 + 4096;
		char *keys = realloc(due->keys, size);

		if (keys == NULL)
			return fault(ctx, FAULT_SERVER, "no memory for the list of connections");
		due->keys = keys;
		due->size = size;
	}
	memcpy(due->keys + due->len, key, key_size);
	due->len += key_size;
	due->count++;
	return true;
}

/* The key ring is reloaded, as refreshing many connections takes long. */
static bool
refresh_one(struct ctl *ctl, const struct keyring *ring, const char *key, time_t until)
{
	struct ctx *ctx = ctl->ctx;
	size_t mark = arena_mark(ctx);
	struct tokens tokens;
	bool ok = refresh_tokens(
	    ctx, &ctl->cfg, keyring_reload(ctx, ctl->cfg.store.keys, ring), key, until, &tokens);

	if (!ok)
		fprintf(stderr, "amocrmctl refresh: %s: %s\n", key, ctx->reason);
	arena_rewind(ctx, mark);
	return ok;
}

/* The pause before the next call: the failed response's Retry-After, at most PAUSE_MAX_S.  Clears
 * the fault. */
static long
pause_after(struct ctx *ctx, bool ok)
{
	long wait_s = ok ? 0 : ctx->retry_after_s;

	ctx_clear_fault(ctx);
	return wait_s <= 0 ? PACE_MS : (wait_s > PAUSE_MAX_S ? PAUSE_MAX_S : wait_s) * 1000;
}

static const char *
next_key(const struct due *due, const char *key)
{
	key += strlen(key) + 1;
	return key < due->keys + due->len ? key : due->keys;
}

/* A random one, so that blocked accounts do not starve the same connections in each run. */
static const char *
first_key(const struct due *due)
{
	const char *key = due->keys;
	uint32_t number = 0;

	if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
		number = (uint32_t)clock_ms();
	for (size_t i = due->count == 0 ? 0 : number % due->count; i > 0; i--)
		key = next_key(due, key);
	return key;
}

static enum ctl_exit
report(const struct due *due, size_t ok, size_t failed)
{
	size_t left = due->count - ok - failed;

	if (left > 0) {
		fprintf(stderr,
		    "amocrmctl refresh: amoCRM has replied with 403 several times in a row: it "
		    "seems to block\n"
		    "this server's address, and more requests would prolong the block; %zu are "
		    "left to the next run\n",
		    left);
		printf("refreshed %zu, failed %zu, left %zu\n", ok, failed, left);
	} else
		printf("refreshed %zu, failed %zu\n", ok, failed);
	return failed == 0 ? CTL_DONE : CTL_FAILED;
}

static enum ctl_exit
refresh_list(struct ctl *ctl, const struct keyring *ring, const struct due *due)
{
	bool watched = isatty(STDERR_FILENO) && due->count > 1;
	const char *key = first_key(due);
	size_t counts[2] = { 0 }; /* indexed by ok: failed, refreshed */
	int blocked = 0;          /* in a row */

	for (size_t i = 0; i < due->count && blocked < BLOCKED_MAX; i++) {
		bool ok = refresh_one(ctl, ring, key, due->until);
		long wait_ms;

		blocked = ctl->ctx->kind == FAULT_BLOCKED ? blocked + 1 : 0;
		wait_ms = pause_after(ctl->ctx, ok);
		counts[ok]++;
		if (watched)
			/* not to stderr, which escapes the carriage return */
			dprintf(STDERR_FILENO, "\r%zu of %zu ", i + 1, due->count);
		if (i + 1 < due->count && blocked < BLOCKED_MAX)
			clock_sleep(wait_ms);
		key = next_key(due, key);
	}
	if (watched)
		fputc('\n', stderr);
	return report(due, counts[true], counts[false]);
}

static enum ctl_exit
refresh_all(struct ctl *ctl, const struct keyring *ring, time_t until)
{
	struct due due = { .until = until };
	enum ctl_exit status = CTL_FAILED;
	bool folded = ctl_fold(ctl);
	bool complete = connection_each(ctl->ctx, &ctl->cfg, add_due, &due);

	if ((complete || ctl_skipped(ctl)) && refresh_list(ctl, ring, &due) == CTL_DONE && complete)
		status = CTL_DONE;
	free(due.keys);
	return folded ? status : CTL_FAILED;
}

static enum ctl_exit
refresh_selected(struct ctl *ctl, const struct keyring *ring, const char *selector)
{
	struct connection connection;
	struct tokens tokens;
	const char *key;

	if (!selector_find(ctl, selector, &connection)
	    || !record_key(ctl->ctx, connection.account_id, connection.amocrm_user_id, &key)
	    || !refresh_tokens(ctl->ctx, &ctl->cfg, ring, key, (time_t)ALWAYS, &tokens))
		return ctl_fault(ctl);
	printf("refreshed 1, failed 0\n");
	return CTL_DONE;
}

enum ctl_exit
ctl_refresh(struct ctl *ctl)
{
	const struct keyring *ring;
	int64_t seconds = 0;

	if (ctl->argc > 3 || (ctl->argc == 3 && strcmp(ctl->argv[1], "--due") != 0)
	    || (ctl->argc == 2 && !selector_valid(ctl->argv[1])))
		return ctl_usage(ctl, "expects one account, --due SECONDS, or no argument for all");
	if (ctl->argc == 3
	    && ((!decimal_parse(ctl->argv[2], &seconds) && strcmp(ctl->argv[2], "0") != 0)
		|| seconds > DUE_MAX_S))
		return ctl_usage(ctl, "SECONDS must be a number, at most a year");
	if (!keyring_read(ctl->ctx, ctl->cfg.store.keys, &ring))
		return ctl_fault(ctl);
	if (ctl->argc == 2)
		return refresh_selected(ctl, ring, ctl->argv[1]);
	return refresh_all(
	    ctl, ring, ctl->argc == 3 ? time(NULL) + (time_t)seconds : (time_t)ALWAYS);
}
