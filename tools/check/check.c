/* check.c - `amocrmctl check`: the parts of the set-up, in the order of their dependencies. */
#include "check/check.h"

#include <stdio.h>
#include <string.h>

static void
check_settings(struct check *c)
{
	int wrong = c->report.wrong;

	check_redirect_uri(c);
	check_client(c);
	check_platform(c);
	c->amocrm_settings_ok = c->report.wrong == wrong;
	check_deep_link(c);
	check_jwt(c);
	check_webhook(c);
	check_deliver(c);
}

static void
check_network_and_helpers(struct check *c)
{
	int wrong = c->report.wrong;

	check_ca(c);
	check_network(c);
	check_https(c);
	c->https_usable = c->report.wrong == wrong;
	check_crypto(c);
}

static void
check_store(struct check *c)
{
	check_store_dir(c);
	if (!c->store_usable)
		return;
	check_disk(c);
	check_filesystem(c);
	if (c->ctl->cfg.store.engine == ENGINE_POSTGRESQL)
		check_engine(c);
	else
		check_locks(c);
	check_records(c);
	check_escrow(c);
	check_journal(c);
}

static void
check_online(struct check *c)
{
	if (!c->amocrm_settings_ok || !c->https_usable) {
		fprintf(stderr, "amocrmctl check: no online check until this is fixed\n");
		return;
	}
	check_public(c);
	check_accounts(c);
}

static void
summarize(const struct check *c)
{
	if (c->report.wrong + c->report.warnings > 0)
		fprintf(stderr, "amocrmctl check: wrong %d, warnings %d\n", c->report.wrong,
		    c->report.warnings);
}

enum ctl_exit
ctl_check(struct ctl *ctl)
{
	bool online = ctl->argc == 2 && strcmp(ctl->argv[1], "--online") == 0;
	struct check c = { .ctl = ctl, .report = { .ctx = ctl->ctx } };

	if (ctl->argc > 1 && !online)
		return ctl_usage(ctl, "accepts only --online");
	if (check_configuration(&c)) {
		check_network_and_helpers(&c);
		check_keyring(&c);
		check_settings(&c);
		check_store(&c);
		check_clock(&c);
		if (online)
			check_online(&c);
	}
	summarize(&c);
	return c.report.wrong == 0 ? CTL_DONE : CTL_FAILED;
}
