/* urls.c - `amocrmctl urls`: what belongs into amoCRM's settings, and what does not. */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static const char callback_path[] = "/api/amo-crm/callback";

enum ctl_exit
ctl_urls(struct ctl *ctl)
{
	const char *uri = ctl->cfg.amocrm.redirect_uri;
	const char *path = strstr(uri, callback_path);
	const char *host = strstr(uri, "://") + 3;
	int origin_len;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "takes no arguments");
	if (path == NULL || path[strlen(callback_path)] != '\0') {
		fprintf(stderr, "amocrmctl urls: redirect_uri %s does not end in %s\n", uri,
		    callback_path);
		return CTL_FAILED;
	}
	origin_len = (int)(path - uri);
	printf("field in amoCRM's settings      what to enter\n"
	       "Redirect URI                    %s\n"
	       "second URL field, disconnect    %.*s/api/amo-crm/disconnect\n"
	       "  or, does the same there       %.*s/api/amo-crm/webhook\n"
	       "webhooks                        %.*s/api/amo-crm/webhook%s\n\n",
	    uri, origin_len, uri, origin_len, uri, origin_len, uri,
	    ctl->cfg.webhook.secret == NULL ? "" : "?key=<[webhook] secret>");
	printf("wrong                                             because\n"
	       "%.*s/api/v1/integrations/amo-crm/callback\n"
	       "                                                  nothing listens there\n"
	       "https://foryou-realestate.com/api/amo-crm/callback, or any host but %.*s\n"
	       "                                                  it is another server\n"
	       "http:// instead of https://, a slash at the end   not byte for byte the same\n",
	    origin_len, uri, (int)(path - host), host);
	return CTL_DONE;
}
