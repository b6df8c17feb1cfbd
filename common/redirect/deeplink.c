/* deeplink.c - see deeplink.h. */
#include "redirect/deeplink.h"

#include <string.h>

void
url_add(struct text *t, const char *s)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	for (; *s != '\0'; s++) {
		if (strchr(unreserved, *s) != NULL)
			text_add_char(t, *s);
		else
			text_print(t, "%%%02X", (unsigned char)*s);
	}
}

/* base with the first parameter's name behind it. */
static void
begin_query(struct ctx *ctx, struct text *t, const char *base, const char *name)
{
	text_begin(ctx, t);
	text_add(t, base);
	text_add_char(t, strchr(base, '?') == NULL ? '?' : '&');
	text_add(t, name);
	text_add_char(t, '=');
}

bool
deeplink_success(
    struct ctx *ctx, const char *base, const char *code, const char *state, const char **link)
{
	struct text t;

	begin_query(ctx, &t, base, "code");
	url_add(&t, code);
	text_add(&t, "&state=");
	if (state != NULL)
		url_add(&t, state);
	return text_end(&t, link);
}

bool
deeplink_error(struct ctx *ctx, const char *base, const char *error, const char *description,
    const char *state, const char **link)
{
	struct text t;

	begin_query(ctx, &t, base, "error");
	url_add(&t, error);
	if (description != NULL) {
		text_add(&t, "&error_description=");
		url_add(&t, description);
	}
	if (state != NULL) {
		text_add(&t, "&state=");
		url_add(&t, state);
	}
	return text_end(&t, link);
}

bool
deeplink_intent(struct ctx *ctx, const char *link, const char *package, const char **intent)
{
	size_t scheme_len = strcspn(link, ":");
	struct text t;

	if (strncmp(link + scheme_len, "://", 3) != 0)
		return fault(ctx, FAULT_CONFIG, "deep_link has no // and cannot be an intent");
	text_begin(ctx, &t);
	text_add(&t, "intent");
	text_add(&t, link + scheme_len);
	text_add(&t, "#Intent;scheme=");
	text_add_bytes(&t, link, scheme_len);
	text_add(&t, ";package=");
	text_add(&t, package);
	text_add(&t, ";end");
	return text_end(&t, intent);
}
