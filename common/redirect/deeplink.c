/* deeplink.c - see deeplink.h. */
#include "redirect/deeplink.h"

#include "base/strbuf.h"
#include "text/form.h"

#include <string.h>

/* base, and the name of the first parameter of its query. */
static void
begin_query(struct ctx *ctx, struct strbuf *sb, const char *base, const char *name)
{
	strbuf_init(ctx, sb);
	strbuf_addstr(sb, base);
	strbuf_addch(sb, strchr(base, '?') == NULL ? '?' : '&');
	strbuf_addstr(sb, name);
	strbuf_addch(sb, '=');
}

bool
deeplink_success(
    struct ctx *ctx, const char *base, const char *code, const char *state, const char **link)
{
	struct strbuf sb;

	begin_query(ctx, &sb, base, "code");
	form_add_encoded(&sb, code);
	strbuf_addstr(&sb, "&state=");
	if (state != NULL)
		form_add_encoded(&sb, state);
	return strbuf_finish(&sb, link);
}

bool
deeplink_error(struct ctx *ctx, const char *base, const char *error, const char *description,
    const char *state, const char **link)
{
	struct strbuf sb;

	begin_query(ctx, &sb, base, "error");
	form_add_encoded(&sb, error);
	if (description != NULL) {
		strbuf_addstr(&sb, "&error_description=");
		form_add_encoded(&sb, description);
	}
	if (state != NULL) {
		strbuf_addstr(&sb, "&state=");
		form_add_encoded(&sb, state);
	}
	return strbuf_finish(&sb, link);
}

bool
deeplink_intent(struct ctx *ctx, const char *link, const char *package, const char **intent)
{
	size_t scheme_len = strcspn(link, ":");
	struct strbuf sb;

	if (scheme_len == 0 || link[scheme_len] != ':')
		return fault(ctx, FAULT_CONFIG, "deep_link has no scheme and cannot be an intent");
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, "intent");
	strbuf_addstr(&sb, link + scheme_len);
	strbuf_addstr(&sb, "#Intent;scheme=");
	strbuf_add(&sb, link, scheme_len);
	strbuf_addstr(&sb, ";package=");
	strbuf_addstr(&sb, package);
	strbuf_addstr(&sb, ";end");
	return strbuf_finish(&sb, intent);
}
