/* urls.c - `amocrmctl urls`: what belongs into amoCRM's settings, and what does not.
 *
 *   enter  redirect-uri  https://crm.example.com/api/amo-crm/callback  the field "Redirect URI"
 *   never  redirect-uri  http://crm.example.com/api/amo-crm/callback   amoCRM takes https only
 *
 * Whether to enter it, the field's name without blanks, the address, and what is to be said of it.
 */
#include "ctl.h"

#include <stdio.h>
#include <string.h>

static const char callback_path[] = "/api/amo-crm/callback";

struct address {
	bool right;
	const char *field;
	const char *begin; /* scheme and host; NULL: there is no such address here */
	const char *path;
	const char *say;
};

/* redirect_uri's scheme and host, and the like of it that are entered by mistake. */
struct origins {
	const char *own;
	const char *plain; /* with http; NULL: redirect_uri has it itself, for trying things out */
	const char *apex;  /* without the host's first label; NULL: it has no other */
};

static bool
make_origins(struct ctx *ctx, const char *uri, const char *path, struct origins *o)
{
	const char *host = strstr(uri, "://") + 3;
	const char *dot = memchr(host, '.', (size_t)(path - host));
	const char *apex = dot == NULL ? path : dot + 1;

	o->apex = NULL;
	if (memchr(apex, '.', (size_t)(path - apex)) != NULL
	    && !ctx_printf(ctx, &o->apex, "https://%.*s", (int)(path - apex), apex))
		return false;
	o->plain = NULL;
	return ctx_strndup(ctx, uri, (size_t)(path - uri), &o->own)
	    && (strncmp(uri, "https://", 8) != 0
		|| ctx_printf(ctx, &o->plain, "http://%.*s", (int)(path - host), host));
}

static void
print(const struct address *addresses, size_t count)
{
	size_t widest = 0;

	for (size_t i = 0; i < count; i++)
		if (addresses[i].begin != NULL
		    && strlen(addresses[i].begin) + strlen(addresses[i].path) > widest)
			widest = strlen(addresses[i].begin) + strlen(addresses[i].path);
	for (size_t i = 0; i < count; i++) {
		const struct address *a = &addresses[i];

		if (a->begin != NULL)
			printf("%s  %-12s  %s%-*s  %s\n", a->right ? "enter" : "never", a->field,
			    a->begin, (int)(widest - strlen(a->begin)), a->path, a->say);
	}
}

static void
print_all(const struct origins *from, bool has_key)
{
	const struct address addresses[] = {
		{ true, "redirect-uri", from->own, callback_path,
		    "the field \"Redirect URI\" of the integration, byte for byte" },
		{ true, "second-field", from->own, "/api/amo-crm/disconnect",
		    "its other URL field, which tells us of a disconnection" },
		{ true, "second-field", from->own, "/api/amo-crm/webhook",
		    "or this there: both do the same" },
		{ true, "webhooks", from->own,
		    has_key ? "/api/amo-crm/webhook?key=<secret>" : "/api/amo-crm/webhook",
		    has_key ? "an account's webhooks, with [webhook] secret; amocrmctl subscribe "
			      "enters it"
			    : "an account's webhooks; amocrmctl subscribe enters it" },
		{ false, "redirect-uri", from->own, "/api/v1/integrations/amo-crm/callback",
		    "nothing listens below /api/v1/integrations/" },
		{ false, "second-field", from->own, "/api/v1/integrations/amo-crm/webhook",
		    "nor there" },
		{ false, "redirect-uri", from->apex, callback_path,
		    "another host, often another server: that of the web site" },
		{ false, "second-field", from->apex, "/api/amo-crm/webhook", "nor there" },
		{ false, "redirect-uri", from->plain, callback_path, "amoCRM takes https only" },
		{ false, "redirect-uri", from->own, "/api/amo-crm/callback/",
		    "a slash at the end: not byte for byte the same, and no program answers" },
		{ false, "redirect-uri", from->own, "/api/amo-crm/callback?...",
		    "a query: what stands behind '?' is amoCRM's to add" },
	};

	print(addresses, sizeof addresses / sizeof *addresses);
}

enum ctl_exit
ctl_urls(struct ctl *ctl)
{
	const char *uri = ctl->cfg.amocrm.redirect_uri;
	const char *path = strstr(uri, callback_path);
	struct origins o;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "takes no arguments");
	if (path == NULL || path[strlen(callback_path)] != '\0') {
		fprintf(stderr, "amocrmctl urls: redirect_uri %s does not end in %s\n", uri,
		    callback_path);
		return CTL_FAILED;
	}
	if (!make_origins(ctl->ctx, uri, path, &o))
		return ctl_fault(ctl);
	print_all(&o, ctl->cfg.webhook.secret != NULL);
	return CTL_DONE;
}
