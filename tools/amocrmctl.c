/* amocrmctl.c - the administrator's command: the table of its commands, and how one is run. */
#include "ctl.h"

#include "base/harden.h"
#include "run_as.h"
#include "terminal.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes, allocated as they are used; an event of 32 MB fits, signed and escaped. */
#define ARENA_SIZE (256u << 20)

/* Nobody waits for the next page, and a busy machine may take seconds to connect. */
#define DATABASE_PATIENCE_MS 20000

const struct command ctl_commands[] = {
	{ "check", "[--online]", "checks every part of the setup and says what to do",
	    "Prints one line for each finding: ok, warn or WRONG, the name of the part, the\n"
	    "finding, and after \" -> \" the remedy.  Exits with status 1 if anything is\n"
	    "WRONG.\n"
	    "--online  also sends requests to our public addresses and to amoCRM\n"
	    "Run it as root or as the web server's user: it checks with the permissions of\n"
	    "that user.\n",
	    false, ctl_check },
	{ "urls", "", "shows which URL belongs in which field of amoCRM's settings", "", true,
	    ctl_urls },
	{ "keygen", "", "prints a new line for the key ring",
	    "Put the line at the top of the key ring file: the first key encrypts, all keys\n"
	    "decrypt.\n",
	    false, ctl_keygen },
	{ "accounts", "[--json]", "lists the stored connections",
	    "--json  prints an array of objects, with times in the format of RFC 3339\n", true,
	    ctl_accounts },
	{ "token", "ACCOUNT[/USER]", "prints a valid access token",
	    "ACCOUNT is an account's id or host, USER an amoCRM user's id.  Without USER the\n"
	    "newest authorization is used; one that is only reserved is used only if there is\n"
	    "no other.  The token is a secret: pass it to another program through a pipe, not\n"
	    "as an argument.\n",
	    true, ctl_token },
	{ "refresh", "[ACCOUNT[/USER] | --due SECONDS]",
	    "refreshes tokens now, or those that expire within SECONDS",
	    "Without an argument all tokens are refreshed.  An hourly cron job should run\n"
	    "amocrmctl refresh --due 21600.  If amoCRM refuses a refresh token, the connection\n"
	    "is marked as revoked.  Any other failure leaves the tokens unchanged, and the\n"
	    "next run tries again.  Three responses of 403 in a row mean that amoCRM blocks\n"
	    "this server; the remaining connections are then left to the next run.\n",
	    true, ctl_refresh },
	{ "disconnect", "ACCOUNT[/USER]", "erases a connection",
	    "ACCOUNT is an account's id or host, USER an amoCRM user's id.  Without USER the\n"
	    "newest authorization is erased.\n",
	    true, ctl_disconnect },
	{ "events", "[--since TIME] [--follow] [--items]", "prints the stored events as JSON lines",
	    "--since TIME  prints only events received at TIME or later: 2026-11-22T04:19:00Z,\n"
	    "              or an age: 2h, 3d\n"
	    "--follow      keeps running and prints new events as they arrive\n"
	    "--items       prints one line for each changed entity\n"
	    "The same event may occur more than once: amoCRM repeats a webhook if it does not\n"
	    "receive a response in time.\n",
	    true, ctl_events },
	{ "deliver", "[--once | --follow]", "delivers the stored events to [deliver] url",
	    "Each account's events are delivered in order, with the headers of Standard\n"
	    "Webhooks.  An event that the receiver does not accept is retried nine times,\n"
	    "over about three days, then becomes a dead letter: a line of events/dead.ndjson,\n"
	    "or a row of table dead in a database.\n"
	    "--once    exits when there is nothing more to do now; the default\n"
	    "--follow  keeps running\n",
	    true, ctl_deliver },
	{ "replay", "--since TIME [--until TIME] [--id ID] [--dry-run]", "delivers events again",
	    "TIME is 2026-11-22T04:19:00Z, or an age: 90s, 15m, 2h, 3d.\n"
	    "--id       delivers only the event with this id\n"
	    "--dry-run  writes the events to stdout instead\n",
	    true, ctl_replay },
	{ "subscribe", "ACCOUNT [EVENT...]", "makes amoCRM send its webhooks to our URL",
	    "EVENT is one of amoCRM's event names, such as add_lead, update_lead or\n"
	    "status_lead; these three are the default.  A new subscription replaces the\n"
	    "previous one.\n",
	    true, ctl_subscribe },
	{ "unsubscribe", "ACCOUNT", "makes amoCRM stop sending webhooks to our URL", "", true,
	    ctl_unsubscribe },
	{ "rekey", "", "re-encrypts every connection with the first key of the key ring",
	    "Put a new line from `amocrmctl keygen` at the top of the key ring (of all hosts, if\n"
	    "several share a database) and run this command.  Half an hour later run it again, and "
	    "when it has nothing to do, delete\n"
	    "the old lines.  It can be interrupted and run again at any time.\n",
	    true, ctl_rekey },
	{ "repair", "", "replaces damaged files of the store by what is whole of them",
	    "A damaged file is moved aside, to <its name>.damaged-<time>, and a new one gets the\n"
	    "records whose checksums are right.  Prints which connections were kept and which\n"
	    "must connect again.  Import a backup before or after it to lose fewer.  It can be\n"
	    "interrupted and run again at any time.  A database has no such files: there it only\n"
	    "restores the lists of accounts and the pointers of app users.\n",
	    true, ctl_repair },
	{ "engine", "init | state [--json]",
	    "prepares the database of several hosts, or shows its state",
	    "init    creates the tables, or brings them up to date, and records the keys of the\n"
	    "        key ring, so that check notices a host that has others\n"
	    "state   shows servers, leases, and what waits to be delivered\n"
	    "--json  prints it as an object\n"
	    "For [store] engine = postgresql only.\n",
	    true, ctl_engine },
	{ "export", "[--plain]", "writes all connections as JSON lines to stdout",
	    "The tokens remain encrypted with the key ring.\n"
	    "--plain  writes the tokens in plain text: keep the output safe\n",
	    true, ctl_export },
	{ "import", "", "stores the connections that export wrote, from stdin",
	    "A connection that already exists and is at least as new is skipped.\n", true,
	    ctl_import },
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
	    "Manages the connections to amoCRM that the web programs have stored.\n\n"
	    "  -c, --config FILE  reads the configuration from FILE, instead of\n"
	    "                     $AMO_CRM_CONFIG or the path compiled in\n"
	    "  -h, --help         prints this text; after a command: the help of that\n"
	    "                     command\n\n"
	    "commands:\n");
	for (const struct command *c = ctl_commands; c->name != NULL; c++)
		fprintf(to, "  %s%s%s\n        %s\n", c->name, blank_before(c->arguments),
		    c->arguments, c->help);
	fprintf(to, "\nexit status: 0 success, 1 failure, 2 wrong usage\n");
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
	if (!config_read_as_root(ctl->ctx, ctl->config_path, &ctl->cfg)
	    || stat(ctl->cfg.store.path, &st) != 0 || st.st_uid == 0) {
		ctx_clear_fault(ctl->ctx);
		return true;
	}
	if (run_as(st.st_uid, st.st_gid)) {
		harden_process();
		return true;
	}
	perror("amocrmctl: cannot switch to the user that owns the store");
	return false;
}

static enum ctl_exit
run(struct ctl *ctl)
{
	const struct command *c = command_named(ctl->argv[0]);

	if (c == NULL) {
		fprintf(
		    stderr, "amocrmctl: unknown command %s; see amocrmctl --help\n", ctl->argv[0]);
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
	if (c->needs_config
	    && (!config_read(ctl->ctx, ctl->config_path, &ctl->cfg)
		|| !config_check_store(ctl->ctx, &ctl->cfg.store)))
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

	harden_process();
	if (!terminal_protect()) {
		perror("amocrmctl");
		return CTL_FAILED;
	}
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
	ctx.database.patience_ms = DATABASE_PATIENCE_MS;
	status = run(&ctl);
	ctx_close(&ctx);
	return (int)flush_output(status);
}
