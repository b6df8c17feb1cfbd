/* events.c - `amocrmctl events`: prints the journal as JSON lines. */
#include "ctl.h"

#include "base/rfc3339.h"
#include "events/event.h"
#include "events/event_log.h"
#include "text/json_slice.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define POLL_INTERVAL_MS 200 /* between two reads of the journal */

static void
print_slice(struct json_slice part)
{
	fwrite(part.at, 1, part.len, stdout);
}

/* An array, or an object whose names are all numbers: an array with gaps. */
static bool
is_list(struct json_slice value)
{
	struct json_slice name;
	struct json_slice element;

	if (*value.at == '[')
		return true;
	if (*value.at != '{' || value.len == strlen("{}"))
		return false;
	while (json_slice_next(&value, &name, &element))
		for (size_t i = 0; i < name.len; i++)
			if (name.at[i] < '0' || name.at[i] > '9')
				return false;
	return true;
}

/* One line for each item, however deep lists are nested: task[update][0][0][id] is in two. */
static void
print_items(struct json_slice head, const struct event_change *change, struct json_slice value)
{
	struct json_slice name;
	struct json_slice element;

	if (is_list(value)) {
		while (json_slice_next(&value, &name, &element))
			print_items(head, change, element);
		return;
	}
	print_slice(head);
	fputs(",\"entity\":\"", stdout);
	print_slice(change->entity);
	fputs("\",\"action\":", stdout);
	if (change->action.at != NULL)
		printf("\"%.*s\"", (int)change->action.len, change->action.at);
	else
		fputs("null", stdout);
	fputs(",\"item\":", stdout);
	print_slice(value);
	fputs("}\n", stdout);
}

/* head: the first members of the event, which begin each line. */
static void
print_changes(struct json_slice head, struct json_slice payload)
{
	const struct event_payload all = event_payload_of(payload);
	struct event_changes changes = event_changes_of(&all);
	struct event_change change;

	while (event_changes_next(&changes, &change))
		print_items(head, &change, change.items);
}

struct printing {
	char since[RFC3339_MS_SIZE]; /* all zero: from the first event on */
	bool items;
	int64_t skipped; /* torn lines, and lines that are not events */
};

static bool
print_event(struct ctx *ctx, void *arg, const char *line)
{
	struct printing *printing = arg;
	struct json_slice event = json_slice_of(line);
	struct json_slice head = event;
	struct json_slice received_at;
	struct json_slice account_id;
	struct json_slice payload;

	(void)ctx;
	if (!json_slice_get(event, "received_at", &received_at)
	    || received_at.len != strlen("\"\"") + RFC3339_MS_SIZE - 1
	    || !json_slice_get(event, "account_id", &account_id)
	    || !json_slice_get(event, "payload", &payload)) {
		printing->skipped++;
		return true;
	}
	if (memcmp(received_at.at + 1, printing->since, RFC3339_MS_SIZE - 1) < 0)
		return true;
	head.len = (size_t)(account_id.at + account_id.len - head.at);
	if (printing->items)
		print_changes(head, payload);
	else
		puts(line);
	return !ferror(stdout);
}

static void
report_skipped(struct printing *printing)
{
	if (printing->skipped > 0)
		fprintf(stderr,
		    "amocrmctl events: lines skipped: %lld (a webhook program was killed while it "
		    "wrote; amoCRM has received no success response for that event)\n",
		    (long long)printing->skipped);
	printing->skipped = 0;
}

/* If the journal is no longer the one that was printed up to the position, goes back in it. */
static bool
fit_position(
    struct ctx *ctx, const struct event_log *log, struct event_position *position, time_t read_at)
{
	bool fits;

	if (!event_log_fit(ctx, log, position, read_at, &fits))
		return false;
	if (!fits)
		fprintf(stderr,
		    "amocrmctl events: the journal is shorter than before, or was replaced; the "
		    "events of its newest files are printed again\n");
	return true;
}

/* Waits for POLL_INTERVAL_MS.  False: the reader of our output has closed it, or the output
 * failed. */
static bool
wait_for_more(void)
{
	struct pollfd reader = { .fd = STDOUT_FILENO };

	return fflush(stdout) == 0 && poll(&reader, 1, POLL_INTERVAL_MS) == 0;
}

static enum ctl_exit
print_events(
    struct ctl *ctl, struct printing *printing, struct event_position *position, bool follow)
{
	const struct event_log log = event_log_of(&ctl->cfg);
	time_t read_at = time(NULL);

	do {
		bool ok = fit_position(ctl->ctx, &log, position, read_at);

		read_at = time(NULL);
		ok = ok
		    && event_log_each(
			ctl->ctx, &log, position, print_event, printing, &printing->skipped);

		report_skipped(printing);
		if (!ok)
			return ctl->ctx->kind == FAULT_NONE ? CTL_FAILED : ctl_fault(ctl);
	} while (follow && wait_for_more());
	return CTL_DONE;
}

enum ctl_exit
ctl_events(struct ctl *ctl)
{
	static const struct option options[] = { { "since", required_argument, NULL, 's' },
		{ "follow", no_argument, NULL, 'f' }, { "items", no_argument, NULL, 'i' }, { 0 } };
	const struct event_log log = event_log_of(&ctl->cfg);
	struct printing printing = { .items = false };
	struct event_position position;
	struct timespec since = { 0 };
	bool follow = false;
	int option;

	optind = 0; /* getopt starts over: main has parsed its own options */
	opterr = 0;
	while ((option = getopt_long(ctl->argc, ctl->argv, "", options, NULL)) != -1)
		if (option == 'f')
			follow = true;
		else if (option == 'i')
			printing.items = true;
		else if (option != 's')
			return ctl_usage(ctl, "accepts only --since TIME, --follow and --items");
		else if (time_arg_parse(optarg, &since))
			rfc3339_write_ms(&since, printing.since);
		else
			return ctl_usage(
			    ctl, "TIME must be a time, 2026-11-22T04:19:00Z, or an age: 2h, 3d");
	if (optind < ctl->argc)
		return ctl_usage(ctl, "accepts only --since TIME, --follow and --items");
	if (!event_log_seek(ctl->ctx, &log, since.tv_sec, &position))
		return ctl_fault(ctl);
	position.following = follow;
	return print_events(ctl, &printing, &position, follow);
}
