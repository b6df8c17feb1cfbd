/* amocrmctl.c - the administrator's command: the table of its commands, and how one is run. */
#include "ctl.h"

#include "run_as.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of address space; an event of 32 MB fits, signed and escaped. */
#define ARENA_SIZE (256u << 20)

const struct command ctl_commands[] = {
	{ "check", "[--online]", "looks at every part of the set-up and says what to do",
	    "One line for each finding: ok, warn or WRONG, the part's name, what was found, and\n"
	    "behind \" -> \" what to do.  Exits with 1 when anything is WRONG.\n"
	    "--online  asks our public addresses and amoCRM too\n"
	    "Run it as root or the web server's user: it sees what that user may do.\n",
	    false, ctl_check },
	{ "urls", "", "which URL goes into which field of amoCRM's settings", "", true, ctl_urls },
	{ "keygen", "", "a new line for the key ring, on stdout",
	    "Put the line on top of the key ring file: the first key seals, all of them open.\n",
	    false, ctl_keygen },
	{ "accounts", "[--json]", "the stored connections",
	    "--json  an array of objects, with times as in RFC 3339\n", true, ctl_accounts },
	{ "token", "ACCOUNT[/USER]", "a working access token, on stdout",
	    "ACCOUNT is an account's id or host, USER an amoCRM user's id; without USER the "
	    "newest\n"
	    "authorization counts, one that is only reserved behind all others.  The token is a "
	    "secret:\n"
	    "pass it on by a pipe, not by an argument.\n",
	    true, ctl_token },
	{ "refresh", "[ACCOUNT[/USER] | --due SECONDS]",
	    "renews tokens now, or all that end within SECONDS",
	    "Without an argument all are renewed.  For cron: amocrmctl refresh --due 21600, every "
	    "hour.\n"
	    "One that amoCRM refuses is marked as revoked; anything else that fails leaves the "
	    "tokens\n"
	    "as they are, and the next run tries again.  When amoCRM answers 403 three times "
	    "running, it\n"
	    "blocks this server, and the rest is left to the next run.\n",
	    true, ctl_refresh },
	{ "disconnect", "ACCOUNT[/USER]", "erases a connection",
	    "ACCOUNT is an account's id or host, USER an amoCRM user's id; without USER the "
	    "newest\n"
	    "authorization is meant.\n",
	    true, ctl_disconnect },
	{ "events", "[--since TIME] [--follow] [--items]", "stored events as JSON lines",
	    "--since TIME  those received at TIME or later: 2026-11-22T04:19:00Z, or how long ago: "
	    "2h, 3d\n"
	    "--follow      goes on with those that arrive from now on\n"
	    "--items       one line for each changed entity\n"
	    "The same event may stand there more than once: amoCRM repeats what was not answered "
	    "in time.\n",
	    true, ctl_events },
	{ "deliver", "[--once | --follow]", "posts stored events on to [deliver] url",
	    "Each account's events come in order, with the headers of Standard Webhooks.  What is "
	    "not\n"
	    "taken is tried again for three days, then kept in events/dead.ndjson.\n"
	    "--once    ends when nothing is to be done now; the default\n"
	    "--follow  goes on\n",
	    true, ctl_deliver },
	{ "replay", "--since TIME [--until TIME] [--id ID] [--dry-run]", "delivers events again",
	    "TIME is 2026-11-22T04:19:00Z, or how long ago: 90s, 15m, 2h, 3d.\n"
	    "--id       only the event of that id\n"
	    "--dry-run  writes the events to stdout instead\n",
	    true, ctl_replay },
	{ "subscribe", "ACCOUNT [EVENT...]", "has amoCRM send its webhooks to our URL",
	    "EVENT is one of amoCRM's, as add_lead, update_lead, status_lead; these three when "
	    "none is\n"
	    "given.  Subscribing again replaces the events.\n",
	    true, ctl_subscribe },
	{ "unsubscribe", "ACCOUNT", "has amoCRM send us no more webhooks", "", true,
	    ctl_unsubscribe },
	{ "rekey", "", "seals every connection with the key ring's first key",
	    "Put a new line from `amocrmctl keygen` on top of the key ring and run this.  Half an "
	    "hour\n"
	    "later run it again, and once it has nothing to do, take the old lines out.  It can be "
	    "cut\n"
	    "short and run again at any moment.\n",
	    true, ctl_rekey },
	{ "export", "[--plain]", "all connections as JSON lines, on stdout",
	    "The tokens stay sealed by the key ring; with --plain they are written out: keep that "
	    "safe.\n",
	    true, ctl_export },
	{ "import", "", "takes in what export wrote, from stdin",
	    "A connection that is here already, and as new, is left alone.\n", true, ctl_import },
	{ .name = NULL },
};

static const char *
blank_before(const char *arguments)
{
	return arguments[0] == '\0' ? "" : " ";
}

static void
print_usage(FILE *to, const struct command *c)
{
	fprintf(to, "usage: amocrmctl [-c FILE] %s%s%s\n", c->name, blank_before(c->arguments),
	    c->arguments);
}

static void
print_help(FILE *to)
{
	fprintf(to,
	    "usage: amocrmctl [-c FILE] COMMAND [ARGUMENT...]\n\n"
	    "Looks after the connections to amoCRM that the web programs have stored.\n\n"
	    "  -c, --config FILE  the configuration, instead of $AMO_CRM_CONFIG or the\n"
	    "                     path compiled in\n"
	    "  -h, --help         this text; after a command: more about it\n\n"
	    "commands:\n");
	for (const struct command *c = ctl_commands; c->name != NULL; c++)
		fprintf(to, "  %s%s%s\n        %s\n", c->name, blank_before(c->arguments),
		    c->arguments, c->help);
	fprintf(to, "\nexit status: 0 done, 1 it failed, 2 wrong usage\n");
}

static const struct command *
command_named(const char *name)
{
	for (const struct command *c = ctl_commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

enum ctl_exit
ctl_usage(const struct ctl *ctl, const char *why)
{
	const struct command *c = command_named(ctl->argv[0]);

	fprintf(stderr, "amocrmctl %s: %s\n", c->name, why);
	print_usage(stderr, c);
	return CTL_USAGE;
}

enum ctl_exit
ctl_fault(const struct ctl *ctl)
{
	fprintf(stderr, "amocrmctl %s: %s\n", ctl->argv[0], ctl->ctx->reason);
	return CTL_FAILED;
}

static bool
asks_for_help(const struct ctl *ctl)
{
	for (int i = 1; i < ctl->argc; i++)
		if (strcmp(ctl->argv[i], "--help") == 0 || strcmp(ctl->argv[i], "-h") == 0)
			return true;
	return false;
}

/* Root works as the owner of the store, since the web server could not use a file that belongs to
 * root.  If the configuration cannot be read here, the command itself will report it. */
static bool
become_owner(struct ctl *ctl)
{
	struct stat st;

	if (geteuid() != 0)
		return true;
	if (!config_read(ctl->ctx, ctl->config_path, &ctl->cfg)
	    || stat(ctl->cfg.store.path, &st) != 0 || st.st_uid == 0) {
		ctx_clear_fault(ctl->ctx);
		return true;
	}
	if (run_as(st.st_uid, st.st_gid))
		return true;
	perror("amocrmctl: cannot work as the owner of the store");
	return false;
}

static enum ctl_exit
run(struct ctl *ctl)
{
	const struct command *c = command_named(ctl->argv[0]);

	if (c == NULL) {
		fprintf(stderr, "amocrmctl: there is no command %s; see amocrmctl --help\n",
		    ctl->argv[0]);
		return CTL_USAGE;
	}
	if (asks_for_help(ctl)) {
		print_usage(stdout, c);
		printf("\n%s: %s.\n%s%s", c->name, c->help, c->details[0] == '\0' ? "" : "\n",
		    c->details);
		return CTL_DONE;
	}
	if (!become_owner(ctl))
		return CTL_FAILED;
	if (c->needs_config && !config_read(ctl->ctx, ctl->config_path, &ctl->cfg))
		return ctl_fault(ctl);
	return c->run(ctl);
}

/* Output that could not be written, as on a full disk, is a failure. */
static enum ctl_exit
flush_output(enum ctl_exit status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	perror("amocrmctl: standard output");
	return CTL_FAILED;
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	struct ctx ctx;
	struct ctl ctl = { .ctx = &ctx, .config_path = config_path() };
	enum ctl_exit status;
	int option;

	while ((option = getopt_long(argc, argv, "+c:h", options, NULL)) != -1) {
		if (option == 'h') {
			print_help(stdout);
			return (int)flush_output(CTL_DONE);
		}
		if (option != 'c')
			return CTL_USAGE;
		ctl.config_path = optarg;
	}
	ctl.argc = argc - optind;
	ctl.argv = argv + optind;
	if (ctl.argc == 0) {
		print_help(stderr);
		return CTL_USAGE;
	}
	if (!ctx_open(&ctx, ARENA_SIZE)) {
		fprintf(stderr, "amocrmctl: %s\n", ctx.reason);
		return CTL_FAILED;
	}
	status = run(&ctl);
	ctx_close(&ctx);
	return (int)flush_output(status);
}
