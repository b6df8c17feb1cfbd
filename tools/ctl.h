/* ctl.h - what amocrmctl's commands share.
 *
 * What a script reads goes to stdout, what a person is told goes to stderr; no secret is taken from
 * argv, and none is printed but by `token`.
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
	int argc;          /* the command's own, its name first */
	char **argv;
};

struct command {
	const char *name;
	const char *arguments; /* as shown in the usage */
	const char *help;      /* one line */
	const char *details;   /* for COMMAND --help; may be empty */
	bool needs_config;
	enum ctl_exit (*run)(struct ctl *ctl);
};

extern const struct command ctl_commands[]; /* ends with a NULL name */

/* The commands, one file of tools/ for each group. */
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
enum ctl_exit ctl_export(struct ctl *ctl);
enum ctl_exit ctl_import(struct ctl *ctl);
enum ctl_exit ctl_subscribe(struct ctl *ctl);
enum ctl_exit ctl_unsubscribe(struct ctl *ctl);
enum ctl_exit ctl_urls(struct ctl *ctl);

/* Says what is wrong with the call, and how it goes; CTL_USAGE. */
enum ctl_exit ctl_usage(const struct ctl *ctl, const char *why);

/* Says the fault the work holds; CTL_FAILED. */
enum ctl_exit ctl_fault(const struct ctl *ctl);

/* Whether a text can be ACCOUNT[/USER]: ACCOUNT is an account's id or host, USER a number. */
bool ctl_selector(const char *text);

/* Finds the connection it names.  Without USER a claimed connection is preferred to one that is
 * only reserved (everybody's, where connections are shared), then an active one, then the newest
 * authorization.  Fault: FAULT_REQUEST if there is none. */
bool ctl_select(struct ctl *ctl, const char *selector, struct connection *connection);

/* The two ids of that connection; a corrupt one is found if the selector gives both. */
bool ctl_select_ids(struct ctl *ctl, const char *selector, int64_t *account_id, int64_t *user_id);

/* Reads TIME: RFC 3339, or how long ago: 90s, 15m, 2h, 3d.  False: it is neither. */
bool ctl_time_arg(const char *text, struct timespec *at);

#endif
