/* ctl.h - what amocrmctl's commands share.
 *
 * Output for scripts goes to stdout, messages for people to stderr.  No secret is read from argv.
 * Only `token`, `keygen` and `export --plain` print secrets.
 */
#ifndef CTL_H
#define CTL_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/connection.h"

enum ctl_exit { CTL_DONE = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

struct ctl {
	struct ctx *ctx;
	const char *config_path;
	struct config cfg; /* read before the command runs, when it needs one */
	int argc;          /* of the command, whose name is argv[0] */
	char **argv;
};

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *help;      /* one line */
	const char *details;   /* for COMMAND --help; may be "" */
	bool needs_config;
	enum ctl_exit (*run)(struct ctl *ctl);
};

extern const struct command ctl_commands[]; /* ends with a NULL name */

/* The commands; related ones share a file of tools/. */
enum ctl_exit ctl_accounts(struct ctl *ctl);
enum ctl_exit ctl_token(struct ctl *ctl);
enum ctl_exit ctl_check(struct ctl *ctl);
enum ctl_exit ctl_keygen(struct ctl *ctl);
enum ctl_exit ctl_disconnect(struct ctl *ctl);
enum ctl_exit ctl_events(struct ctl *ctl);
enum ctl_exit ctl_deliver(struct ctl *ctl);
enum ctl_exit ctl_replay(struct ctl *ctl);
enum ctl_exit ctl_refresh(struct ctl *ctl);
enum ctl_exit ctl_rekey(struct ctl *ctl);
enum ctl_exit ctl_repair(struct ctl *ctl);
enum ctl_exit ctl_engine(struct ctl *ctl);
enum ctl_exit ctl_export(struct ctl *ctl);
enum ctl_exit ctl_import(struct ctl *ctl);
enum ctl_exit ctl_subscribe(struct ctl *ctl);
enum ctl_exit ctl_unsubscribe(struct ctl *ctl);
enum ctl_exit ctl_urls(struct ctl *ctl);

/* Prints why the arguments are wrong, and the usage line; returns CTL_USAGE. */
enum ctl_exit ctl_usage(const struct ctl *ctl, const char *why);

/* Prints the fault in ctl->ctx; returns CTL_FAILED. */
enum ctl_exit ctl_fault(const struct ctl *ctl);

/* fold.c: folds in all tokens that wait in the escrow.  False: some cannot be stored yet, which is
 * printed. */
bool ctl_fold(struct ctl *ctl);

/* skipped.c: after a walk over the store has failed, prints its fault and names every shard that it
 * has skipped.  True: all else has been visited, and the fault is cleared; the command continues,
 * and ends with CTL_FAILED. */
bool ctl_skipped(const struct ctl *ctl);

/* selector.c: whether text has the form ACCOUNT[/USER].  ACCOUNT is an account's id or host, USER
 * an amoCRM user's id. */
bool selector_valid(const char *text);

/* Finds the connection it names.  Without USER a claimed connection is preferred to one that is
 * only reserved (everybody's, where connections are shared), then an active one, then the newest
 * authorization.  Fault: FAULT_REQUEST if there is none. */
bool selector_find(struct ctl *ctl, const char *selector, struct connection *connection);

/* The two ids of that connection; a corrupt one is found if the selector gives both. */
bool selector_find_ids(
    struct ctl *ctl, const char *selector, int64_t *account_id, int64_t *user_id);

/* time_arg.c: parses TIME, in RFC 3339 or as a duration before now: 90s, 15m, 2h, 3d. */
bool time_arg_parse(const char *text, struct timespec *at);

#endif
