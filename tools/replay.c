/* replay.c - `amocrmctl replay`: delivers events again, whatever has become of them. */
#include "ctl.h"

#include "events/dedup.h"
#include "events/delivery.h"
#include "events/event.h"
#include "events/journal.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

struct replay {
	struct ctl *ctl;
	time_t since;
	time_t until;
	const char *id; /* NULL: all */
	bool dry_run;
	struct dedup dedup;
	size_t sent;
	size_t failed;
	bool gone; /* the receiver wants no more */
};

static bool
is_meant(const struct replay *replay, const struct stored_event *event)
{
	return event->received_at >= replay->since && event->received_at <= replay->until
	    && (replay->id == NULL || strcmp(event->id, replay->id) == 0);
}

static bool
replay_event(struct ctx *ctx, void *arg, const char *line, const struct journal_position *next)
{
	struct replay *replay = arg;
	enum delivery_outcome outcome;
	struct stored_event event;

	if (!event_read(ctx, line, &event) || !is_meant(replay, &event)
	    || dedup_seen(&replay->dedup, event.id, event.received_at, next)) {
		ctx_clear_fault(ctx);
		return true;
	}
	if (replay->dry_run)
		puts(event.line);
	else if ((outcome = delivery_send(ctx, &replay->ctl->cfg, &event)) != DELIVERY_ACCEPTED) {
		fprintf(stderr, "amocrmctl replay: event %.8s: %s\n", event.id, ctx->reason);
		ctx_clear_fault(ctx);
		replay->failed++;
		replay->gone = outcome == DELIVERY_GONE;
		return !replay->gone;
	}
	replay->sent++;
	return true;
}

static enum ctl_exit
run(struct replay *replay)
{
	struct ctl *ctl = replay->ctl;
	struct journal journal = journal_of(&ctl->cfg.store);
	struct journal_position position;
	int64_t torn = 0;

	if ((!replay->dry_run && !delivery_check(ctl->ctx, &ctl->cfg))
	    || !journal_seek(ctl->ctx, &journal, replay->since, &position)
	    || !(journal_each(ctl->ctx, &journal, &position, replay_event, replay, &torn)
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
	struct replay replay = { .ctl = ctl, .since = -1, .until = time(NULL) };
	enum ctl_exit status;
	struct timespec at;
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(ctl->argc, ctl->argv, "", options, NULL)) != -1) {
		if (option == '?')
			return ctl_usage(
			    ctl, "takes --since TIME, --until TIME, --id ID and --dry-run");
		if ((option == 's' || option == 'u') && !ctl_time_arg(optarg, &at))
			return ctl_usage(
			    ctl, "TIME is 2026-11-22T04:19:00Z, or how long ago: 2h, 3d");
		if (option == 's')
			replay.since = at.tv_sec;
		else if (option == 'u')
			replay.until = at.tv_sec;
		else if (option == 'i')
			replay.id = optarg;
		else
			replay.dry_run = true;
	}
	if (replay.since < 0 || optind < ctl->argc)
		return ctl_usage(ctl, "--since TIME is required");
	status = run(&replay);
	dedup_close(&replay.dedup);
	return status;
}
