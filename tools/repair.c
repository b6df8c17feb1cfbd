/* repair.c - `amocrmctl repair`: moves damaged shards aside, keeps what is whole of them, and says
 * who must connect again.
 *
 * Standard output, for scripts:
 *
 *   kept 31920194/1             a connection of a damaged shard
 *   restored 31920194/1         its account's index, or the pointer to it, was missing it
 *   connect-again 31920194/2    a connection that is gone
 *   connect-again-app olena     an app user whose connection is gone
 *   connect-again everybody     the shared connection is gone, or what told which it is
 */
#include "ctl.h"

#include "connection/connection_repair.h"
#include "store/store_repair.h"

#include <stdio.h>
#include <string.h>

struct tally {
	size_t found; /* lines printed */
	size_t asides;
	bool everybody; /* where connections are shared: must connect again */
};

static void
print_shard(void *arg, const char *path, const char *aside, const char *reason)
{
	struct tally *tally = arg;

	tally->asides++;
	fprintf(stderr, "amocrmctl repair: %s\namocrmctl repair: %s is moved to %s\n", reason, path,
	    aside);
}

static void
print_connection(const char *word, const char *key)
{
	int64_t account_id;
	int64_t user_id;

	if (record_key_read(key, &account_id, &user_id))
		printf("%s %lld/%lld\n", word, (long long)account_id, (long long)user_id);
}

static void
print_kept(void *arg, const char *key)
{
	(void)arg;
	print_connection("kept", key);
}

static void
print_restored(void *arg, const char *key)
{
	struct tally *tally = arg;

	tally->found++;
	print_connection("restored", key);
}

static void
print_missing(void *arg, const char *key)
{
	struct tally *tally = arg;

	tally->found++;
	print_connection("connect-again", key);
}

static void
print_disconnected(void *arg, const char *app_user)
{
	struct tally *tally = arg;

	tally->found++;
	if (*app_user == '\0') {
		tally->everybody = true;
		return;
	}
	printf("connect-again-app ");
	for (; *app_user != '\0'; app_user++)
		putchar((unsigned char)*app_user < ' ' ? '?' : *app_user);
	putchar('\n');
}

/* Everybody's pointer may have been in a damaged shard; then nothing else leads to it. */
static bool
find_everybody(struct ctl *ctl, struct tally *tally)
{
	bool gone = false;

	if (ctl->cfg.app.connections == CONNECTIONS_SHARED && tally->asides > 0
	    && !connection_everybody_gone(ctl->ctx, &ctl->cfg, &gone)) {
		ctl_fault(ctl);
		return false;
	}
	if (gone || tally->everybody)
		printf("connect-again everybody\n");
	return true;
}

/* The server of a database repairs its own files, or cannot read them either. */
static bool
repair_files(struct ctl *ctl, struct tally *tally)
{
	const struct store_repair shards = { print_shard, print_kept, tally };
	size_t count;

	if (ctl->cfg.store.engine == ENGINE_POSTGRESQL) {
		fprintf(stderr,
		    "amocrmctl repair: the store is in a database, which has no files to repair "
		    "here: lists and pointers only\n");
		return true;
	}
	return store_repair(ctl->ctx, &ctl->cfg.store, &shards, &count);
}

/* Each step does what it can, whatever the one before it had to leave.  Tokens that wait are folded
 * in before it is said who must connect again. */
static bool
repair_all(struct ctl *ctl, struct tally *tally)
{
	const struct connection_repair connections = { print_restored, print_missing,
		print_disconnected, tally };
	bool repaired = repair_files(ctl, tally);
	bool ok;

	if (!repaired) {
		ctl_fault(ctl);
		if (ctl->ctx->kind != FAULT_CORRUPT)
			return false;
		ctx_clear_fault(ctl->ctx);
	}
	ok = ctl_fold(ctl) && repaired;
	if (!connection_repair(ctl->ctx, &ctl->cfg, &connections)) {
		if (repaired || ctl->ctx->kind != FAULT_CORRUPT) /* else it is the same shard */
			ctl_fault(ctl);
		ctx_clear_fault(ctl->ctx);
		ok = false;
	}
	return find_everybody(ctl, tally) && ok;
}

enum ctl_exit
ctl_repair(struct ctl *ctl)
{
	struct tally tally = { 0 };
	bool ok;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "accepts no arguments");
	ok = repair_all(ctl, &tally);
	if (tally.asides > 0)
		fprintf(stderr,
		    "amocrmctl repair: the files that were moved aside hold tokens that may still "
		    "work; when\neverybody is connected again, delete them: rm "
		    "%s/connections/*.damaged-*\n",
		    ctl->cfg.store.path);
	if (!ok)
		return CTL_FAILED;
	if (tally.asides + tally.found == 0)
		fprintf(stderr, "amocrmctl repair: nothing to repair\n");
	return CTL_DONE;
}
