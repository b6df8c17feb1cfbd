/* urls.c - `amocrmctl urls`: which URLs to enter in amoCRM's settings, and which never.
 *
 *   enter  redirect-uri  https://crm.example.com/api/amo-crm/callback  the field "Redirect URI"
 *   never  redirect-uri  http://crm.example.com/api/amo-crm/callback   amoCRM accepts only https
 *
 * Each line has "enter" or "never", the field's name without spaces, the URL, and an explanation.
 */
#include "ctl.h"

#include "config/endpoints.h"

#include <stdio.h>
#include <string.h>

static const char callback_path[] = ENDPOINTS_PATH "callback";
static const char webhook_path[] = ENDPOINTS_PATH "webhook";

struct address {
	bool right;
	const char *field;
	const char *base; /* NULL: the line is omitted */
	const char *path;
	const char *explanation;
};

static void
print(const struct address *addresses, size_t count)
{
	size_t widest = 0;

	for (size_t i = 0; i < count; i++)
		if (addresses[i].base != NULL
		    && strlen(addresses[i].base) + strlen(addresses[i].path) > widest)
			widest = strlen(addresses[i].base) + strlen(addresses[i].path);
	for (size_t i = 0; i < count; i++) {
		const struct address *a = &addresses[i];

		if (a->base != NULL)
			printf("%s  %-12s  %s%-*s  %s\n", a->right ? "enter" : "never", a->field,
			    a->base, (int)(widest - strlen(a->base)), a->path, a->explanation);
	}
}

/* parent is the base of the same URLs at the host's parent domain, or NULL. */
static void
print_all(const struct endpoints_site *site, const char *parent, bool has_key)
{
	const struct address addresses[] = {
		{ true, "redirect-uri", site->base, callback_path,
		    "the field \"Redirect URI\" of the integration, byte for byte" },
		{ true, "second-field", site->base, ENDPOINTS_PATH "disconnect",
		    "its other URL field, by which amoCRM reports a disconnection" },
		{ true, "second-field", site->base, webhook_path, "or this URL: both do the same" },
		{ true, "webhooks", site->base,
		    has_key ? ENDPOINTS_PATH "webhook?key=<secret>" : webhook_path,
		    has_key ? "an account's webhooks, with [webhook] secret; amocrmctl subscribe "
			      "enters it"
			    : "an account's webhooks; amocrmctl subscribe enters it" },
		{ false, "redirect-uri", site->base, "/api/v1/integrations/amo-crm/callback",
		    "no program has a URL below /api/v1/integrations/" },
		{ false, "second-field", site->base, "/api/v1/integrations/amo-crm/webhook",
		    "for the same reason" },
		{ false, "redirect-uri", parent, callback_path,
		    "another host, often another server: that of the main web site" },
		{ false, "second-field", parent, webhook_path, "for the same reason" },
		{ false, "redirect-uri", site->plain_base, callback_path,
		    "amoCRM accepts only https" },
		{ false, "redirect-uri", site->base, ENDPOINTS_PATH "callback/",
		    "a trailing slash: not byte for byte the same, and no program has this URL" },
		{ false, "redirect-uri", site->base, ENDPOINTS_PATH "callback?...",
		    "a query string: amoCRM itself adds the parameters after '?'" },
	};

	print(addresses, sizeof addresses / sizeof *addresses);
}

enum ctl_exit
ctl_urls(struct ctl *ctl)
{
	struct endpoints_site site;
	const char *parent = NULL;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "accepts no arguments");
	if (!endpoints_site(ctl->ctx, ctl->cfg.amocrm.redirect_uri, &site)
	    || (site.parent != NULL
		&& !ctx_printf(ctl->ctx, &parent, "https://%s%s", site.parent, site.port_and_path)))
		return ctl_fault(ctl);
	print_all(&site, parent, ctl->cfg.webhook.secret != NULL);
	return CTL_DONE;
}
