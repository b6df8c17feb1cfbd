/* check_accounts.c - requests to amoCRM: whether it accepts the integration's keys, and sends its
 * webhooks. */
#include "check/check.h"

#include "amocrm/amocrm.h"
#include "config/endpoints.h"
#include "connection/connection.h"
#include "connection/refresh.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNTS_MAX 20 /* a sample, if there are more */
#define ID_SIZE      24

/* Connected accounts without duplicates. */
struct accounts {
	int64_t ids[ACCOUNTS_MAX];
	size_t count;
	size_t left_out;
};

static bool
add_account(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct accounts *accounts = arg;

	(void)ctx;
	if (!connection_usable(connection))
		return true;
	for (size_t i = 0; i < accounts->count; i++)
		if (accounts->ids[i] == connection->account_id)
			return true;
	if (accounts->count < ACCOUNTS_MAX)
		accounts->ids[accounts->count++] = connection->account_id;
	else
		accounts->left_out++;
	return true;
}

#define SAME_AS_IN_AMOCRM "make it the same here and in the integration's settings in amoCRM"

/* A setting that amoCRM refuses. */
struct subject {
	const char *sign; /* in our explanation of the refusal */
	const char *part;
	const char *to_do;
};

/* By our own explanation, at the end of the reason, since amoCRM's words may have other causes. */
static struct subject
find_subject(const char *reason)
{
	static const struct subject subjects[] = {
		{ "redirect_uri", "redirect_uri", SAME_AS_IN_AMOCRM },
		{ "client_id", "client_id", SAME_AS_IN_AMOCRM },
		{ "client_secret", "client_secret", SAME_AS_IN_AMOCRM },
		{ "see account", "account", "set [amocrm] account to the host of your account" },
		{ "rights", "amocrm", "give the integration the rights it lacks, in its settings" },
	};
	const char *explanation = strrchr(reason, '(');

	for (size_t i = 0; explanation != NULL && i < sizeof subjects / sizeof *subjects; i++)
		if (strstr(explanation, subjects[i].sign) != NULL)
			return subjects[i];
	return (struct subject){ "", "amocrm", "ask amoCRM's support what its words mean" };
}

static const char *
advice(enum fault_kind kind, const char *reason)
{
	switch (kind) {
	case FAULT_MOVED:
		return strstr(reason, "esolve host") != NULL
		    ? "correct the name servers of this machine, or the spelling of [amocrm] "
		      "account"
		    : "check [amocrm] account: the account seems not to exist; was it renamed?";
	case FAULT_CONFIG:
		return "correct this in [amocrm]";
	default:
		return "try again later; if it still fails, check whether a firewall blocks "
		       "outgoing connections, and whether amoCRM blocks the address of this "
		       "machine";
	}
}

static void
report_refusal(struct check *c)
{
	const struct ctx *ctx = c->ctl->ctx;
	struct subject subject = find_subject(ctx->reason);

	if (ctx->kind == FAULT_CLIENT)
		report_fault(&c->report, subject.part, subject.to_do);
	else
		report_fault(&c->report, "amocrm", advice(ctx->kind, ctx->reason));
}

/* Sends a code that cannot be valid.  If that is what amoCRM complains of, it has accepted our
 * keys.  True: more requests make sense. */
static bool
check_token_endpoint(struct check *c, const char *host)
{
	struct ctl *ctl = c->ctl;
	struct budget_turn turn;
	struct tokens tokens;
	bool ok = amocrm_exchange(ctl->ctx, &ctl->cfg, host, "amocrmctl-check", BUDGET_OWN_STATE,
	    amocrm_deadline(&ctl->cfg), &tokens, &turn);

	if (ok)
		budget_end(ctl->ctx, &ctl->cfg, &turn);
	if (ok || ctl->ctx->kind == FAULT_REFUSED) {
		ctx_clear_fault(ctl->ctx);
		report_ok(&c->report, "amocrm",
		    "%s: accepts client_id, client_secret and redirect_uri", host);
		return true;
	}
	report_refusal(c);
	return false;
}

static void
report_subscription(
    struct report *r, const struct connection *connection, enum subscription subscription)
{
	long long id = (long long)connection->account_id;

	switch (subscription) {
	case SUBSCRIPTION_ACTIVE:
		report_ok(r, "subscription", "%s sends its webhooks", connection->host);
		break;
	case SUBSCRIPTION_DISABLED:
		report_wrong(r, "subscription",
		    "find the reason in the web server's error log, then run amocrmctl subscribe "
		    "with the account's id",
		    "%s (%lld) has disabled our webhook after too many unsuccessful responses",
		    connection->host, id);
		break;
	default:
		report_warning(r, "subscription",
		    "run amocrmctl subscribe with the account's id, unless you want no events from "
		    "it",
		    "%s (%lld) sends no webhooks to our URL with our key", connection->host, id);
	}
}

static void
check_subscription(struct check *c, int64_t account_id)
{
	struct ctl *ctl = c->ctl;
	struct connection connection;
	enum subscription subscription;
	struct tokens tokens;
	char id[ID_SIZE];
	const char *url;

	snprintf(id, sizeof id, "%lld", (long long)account_id);
	if (selector_find(ctl, id, &connection) && endpoint_webhook_url(ctl->ctx, &ctl->cfg, &url)
	    && refresh_usable_tokens(ctl->ctx, &ctl->cfg, &connection, &tokens)
	    && amocrm_subscription(ctl->ctx, &ctl->cfg, connection.host, tokens.access_token, url,
		amocrm_deadline(&ctl->cfg), &subscription))
		report_subscription(&c->report, &connection, subscription);
	else
		report_fault(&c->report, "subscription",
		    "only an administrator of the account may read its webhooks: check who has "
		    "connected it, or try again later");
}

/* The configured account, or the first that is connected; NULL: there is none. */
static bool
find_host(struct ctl *ctl, const struct accounts *accounts, const char **host)
{
	struct connection connection;
	char id[ID_SIZE];

	*host = ctl->cfg.amocrm.account;
	if (*host != NULL || accounts->count == 0)
		return true;
	snprintf(id, sizeof id, "%lld", (long long)accounts->ids[0]);
	if (!selector_find(ctl, id, &connection))
		return false;
	*host = connection.host;
	return true;
}

void
check_accounts(struct check *c)
{
	struct accounts accounts = { .count = 0 };
	struct ctl *ctl = c->ctl;
	const char *host;

	if (c->store_usable && !connection_each(ctl->ctx, &ctl->cfg, add_account, &accounts))
		ctx_clear_fault(ctl->ctx); /* check_records has reported it */
	if (!find_host(ctl, &accounts, &host))
		report_fault(&c->report, "amocrm", "run the check again");
	else if (host == NULL)
		report_ok(
		    &c->report, "amocrm", "not checked: no account is configured or connected yet");
	else if (check_token_endpoint(c, host) && c->ring != NULL && c->crypto_usable)
		for (size_t i = 0; i < accounts.count; i++)
			check_subscription(c, accounts.ids[i]);
	if (accounts.left_out > 0)
		report_ok(&c->report, "subscription", "not all accounts were checked, only %d",
		    ACCOUNTS_MAX);
}
