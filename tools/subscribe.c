/* subscribe.c - `amocrmctl subscribe` and `unsubscribe`: amoCRM's webhooks to our endpoint. */
#include "ctl.h"

#include "amocrm/amocrm.h"
#include "config/endpoints.h"
#include "connection/refresh.h"

#include <stdio.h>

enum ctl_exit
ctl_subscribe(struct ctl *ctl)
{
	static const char *const default_events[] = { "add_lead", "update_lead", "status_lead",
		NULL };
	const char *const *events = default_events;
	struct connection connection;
	struct tokens tokens;
	const char *url;

	if (ctl->argc < 2 || !selector_valid(ctl->argv[1]))
		return ctl_usage(ctl, "expects an account, and optionally events such as add_lead");
	if (ctl->argc > 2)
		events = (const char *const *)(ctl->argv + 2);
	if (!selector_find(ctl, ctl->argv[1], &connection)
	    || !endpoint_webhook_url(ctl->ctx, &ctl->cfg, &url)
	    || !refresh_usable_tokens(ctl->ctx, &ctl->cfg, &connection, &tokens)
	    || !amocrm_subscribe(ctl->ctx, &ctl->cfg, connection.host, tokens.access_token, url,
		events, amocrm_deadline(&ctl->cfg)))
		return ctl_fault(ctl);
	fprintf(stderr, "%s now sends:", connection.host);
	for (; *events != NULL; events++)
		fprintf(stderr, " %s", *events);
	fputc('\n', stderr);
	return CTL_DONE;
}

enum ctl_exit
ctl_unsubscribe(struct ctl *ctl)
{
	struct connection connection;
	struct tokens tokens;
	const char *url;

	if (ctl->argc != 2 || !selector_valid(ctl->argv[1]))
		return ctl_usage(ctl, "expects one account");
	if (!selector_find(ctl, ctl->argv[1], &connection)
	    || !endpoint_webhook_url(ctl->ctx, &ctl->cfg, &url)
	    || !refresh_usable_tokens(ctl->ctx, &ctl->cfg, &connection, &tokens)
	    || !amocrm_unsubscribe(ctl->ctx, &ctl->cfg, connection.host, tokens.access_token, url,
		amocrm_deadline(&ctl->cfg)))
		return ctl_fault(ctl);
	fprintf(stderr, "%s sends no more webhooks to our URL.\n", connection.host);
	return CTL_DONE;
}
