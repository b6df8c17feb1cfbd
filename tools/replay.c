/* replay.c - `amocrmctl replay`: delivers events again, whether they were delivered or not. */
#include "ctl.h"

#include "events/delivery.h"
#include "events/delivery_queue.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct replay {
	const struct config *cfg;
	const char *id; /* NULL: all */
	bool dry_run;
	size_t sent;
	size_t failed;
	bool gone; /* the receiver answered 410 */
};

static bool
replay_event(struct ctx *ctx, void *arg, const struct stored_event *event)
{
	struct replay *replay = arg;
	enum delivery_outcome outcome;

	if (replay->id != NULL && strcmp(event->id, replay->id) != 0)
		return true;
	if (replay->dry_run)
		puts(event->line);
	else if ((outcome = delivery_send(ctx, replay->cfg, event)) != DELIVERY_ACCEPTED) {
		fprintf(stderr, "amocrmctl replay: event %.8s: %s\n", event->id, ctx->reason);
		ctx_clear_fault(ctx);
		replay->failed++;
		replay->gone = outcome == DELIVERY_GONE;
		return !replay->gone;
	}
	replay->sent++;
	return true;
}

static enum ctl_exit
run(struct ctl *ctl, struct replay *replay, time_t since, time_t until)
{
	if ((!replay->dry_run && !delivery_check(ctl->ctx, &ctl->cfg))
	    || !(
		delivery_queue_replay(ctl->ctx, &ctl->cfg.store, since, until, replay_event, replay)
		|| replay->gone))
		return ctl_fault(ctl);
	fprintf(stderr, "%s %zu, failed %zu\n", replay->dry_run ? "would send" : "sent",
	    replay->sent, replay->failed);
	return replay->failed == 0 ? CTL_DONE : CTL_FAILED;
}

enum ctl_exit
ctl_replay(struct ctl *ctl)
{
	static const struct option options[] = { { "since", required_argument, NULL, 's' },
		{ "until", required_argument, NULL, 'u' }, { "id", required_argument, NULL, 'i' },
		{ "dry-run", no_argument, NULL, 'n' }, { 0 } };
	struct replay replay = { .cfg = &ctl->cfg };
	time_t since = -1;
	time_t until = time(NULL);
	struct timespec at;
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(ctl->argc, ctl->argv, "", options, NULL)) != -1) {
		if (option == '?')
			return ctl_usage(
			    ctl, "accepts only --since TIME, --until TIME, --id ID and --dry-run");
		if ((option == 's' || option == 'u') && !time_arg_parse(optarg, &at))
			return ctl_usage(
			    ctl, "TIME must be a time, 2026-11-22T04:19:00Z, or an age: 2h, 3d");
		if (option == 's')
			since = at.tv_sec;
		else if (option == 'u')
			until = at.tv_sec;
		else if (option == 'i')
			replay.id = optarg;
		else
			replay.dry_run = true;
	}
	if (since < 0 || optind < ctl->argc)
		return ctl_usage(ctl, "--since TIME is required");
	return run(ctl, &replay, since, until);
}
