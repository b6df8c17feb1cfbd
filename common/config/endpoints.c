/* endpoints.c - see endpoints.h. */
#include "config/endpoints.h"

#include "base/strbuf.h"
#include "text/form.h"

#include <string.h>
#include <strings.h>

static const char *const names[ENDPOINTS] = {
	[ENDPOINT_CALLBACK] = "callback",
	[ENDPOINT_EXCHANGE_CODE] = "exchange-code",
	[ENDPOINT_STATUS] = "status",
	[ENDPOINT_DISCONNECT] = "disconnect",
	[ENDPOINT_WEBHOOK] = "webhook",
};

static const char callback_path[] = ENDPOINTS_PATH "callback";

const char *
endpoint_name(enum endpoint endpoint)
{
	return names[endpoint];
}

/* The length of s without its end; false: it ends otherwise. */
static bool
length_before(const char *s, const char *end, size_t *len)
{
	size_t whole = strlen(s);
	size_t end_len = strlen(end);

	if (whole < end_len || strcmp(s + whole - end_len, end) != 0)
		return false;
	*len = whole - end_len;
	return true;
}

static bool
refuse(struct ctx *ctx, const char *redirect_uri)
{
	return fault(
	    ctx, FAULT_CONFIG, "redirect_uri %s does not end in %s", redirect_uri, callback_path);
}

bool
endpoint_url(struct ctx *ctx, const char *redirect_uri, enum endpoint endpoint, const char **url)
{
	size_t len;

	if (!length_before(redirect_uri, "/callback", &len))
		return refuse(ctx, redirect_uri);
	return ctx_printf(ctx, url, "%.*s/%s", (int)len, redirect_uri, names[endpoint]);
}

bool
endpoint_webhook_url(struct ctx *ctx, const struct config *cfg, const char **url)
{
	struct strbuf sb;

	if (!endpoint_url(ctx, cfg->amocrm.redirect_uri, ENDPOINT_WEBHOOK, url))
		return false;
	if (cfg->webhook.secret == NULL)
		return true;
	strbuf_init(ctx, &sb);
	strbuf_addstr(&sb, *url);
	strbuf_addstr(&sb, "?key=");
	form_add_encoded(&sb, cfg->webhook.secret);
	return strbuf_finish(&sb, url);
}

bool
endpoint_is_own(const char *redirect_uri, const char *url)
{
	const char *path = strstr(redirect_uri, ENDPOINTS_PATH);

	return path != NULL
	    && strncmp(redirect_uri, url, (size_t)(path - redirect_uri) + strlen(ENDPOINTS_PATH))
	    == 0;
}

static const char *
authority_of(const char *url)
{
	return strstr(url, "://") + 3;
}

/* The host of an authority (RFC 3986 section 3.2): behind a user name, up to a port. */
static const char *
host_of(const char *authority, size_t *len)
{
	const char *at = memchr(authority, '@', strcspn(authority, "/?"));
	const char *host = at == NULL ? authority : at + 1;

	*len = *host == '[' ? strcspn(host, "]/?") : strcspn(host, ":/?");
	*len += *host == '[' && host[*len] == ']';
	return host;
}

static const char *
parent_of(const char *host)
{
	const char *dot = *host == '[' ? NULL : strchr(host, '.');

	return dot == NULL || strchr(dot + 1, '.') == NULL ? NULL : dot + 1;
}

bool
endpoints_site(struct ctx *ctx, const char *redirect_uri, struct endpoints_site *site)
{
	size_t base_len;
	size_t host_len;
	const char *host;

	if (!length_before(redirect_uri, callback_path, &base_len))
		return refuse(ctx, redirect_uri);
	if (!ctx_strndup(ctx, redirect_uri, base_len, &site->base))
		return false;
	host = host_of(authority_of(site->base), &host_len);
	if (!ctx_strndup(ctx, host, host_len, &site->host))
		return false;
	site->port_and_path = host + host_len;
	site->parent = parent_of(site->host);
	site->plain_base = NULL;
	return strncmp(site->base, "https://", 8) != 0
	    || ctx_printf(ctx, &site->plain_base, "http://%s", authority_of(site->base));
}

static bool
has_upper_case(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			return true;
	return false;
}

static bool
begins_with_one_of(const char *s, const char *const *prefixes)
{
	for (; *prefixes != NULL; prefixes++)
		if (strncasecmp(s, *prefixes, strlen(*prefixes)) == 0)
			return true;
	return false;
}

/* 172.16.0.0/12 */
static bool
is_in_172_16(const char *host)
{
	return strncmp(host, "172.", 4) == 0 && strspn(host + 4, "0123456789") == 2
	    && strncmp(host + 4, "16", 2) >= 0 && strncmp(host + 4, "31", 2) <= 0;
}

/* Whether a host is this machine's name for itself, or an address of a private network. */
static bool
is_private(const char *host, size_t len)
{
	static const char *const ipv4[] = { "0.", "10.", "127.", "169.254.", "192.168.", NULL };
	static const char *const ipv6[] = { "[::]", "[::1]", "[fc", "[fd", "[fe8", "[fe9", "[fea",
		"[feb", NULL };
	static const char *const hosts[] = { "localhost", "localhost.localdomain", NULL };
	static const char *const ends[] = { ".localhost", ".local", ".localdomain", NULL };

	if (strspn(host, "0123456789.") >= len)
		return begins_with_one_of(host, ipv4) || is_in_172_16(host);
	if (*host == '[')
		return begins_with_one_of(host, ipv6);
	for (size_t i = 0; hosts[i] != NULL; i++)
		if (strlen(hosts[i]) == len && strncasecmp(hosts[i], host, len) == 0)
			return true;
	for (size_t i = 0; ends[i] != NULL; i++)
		if (len > strlen(ends[i])
		    && strncasecmp(host + len - strlen(ends[i]), ends[i], strlen(ends[i])) == 0)
			return true;
	return false;
}

bool
endpoint_is_private(const char *url)
{
	size_t len;
	const char *host = host_of(authority_of(url), &len);

	return is_private(host, len);
}

enum redirect_uri_problem
redirect_uri_check(const char *redirect_uri, bool is_trial)
{
	const char *authority = authority_of(redirect_uri);
	size_t len;

	if (strstr(redirect_uri, "/api/v1/integrations/") != NULL)
		return REDIRECT_URI_OLD_PATH;
	if (strchr(redirect_uri, '?') != NULL)
		return REDIRECT_URI_QUERY;
	if (length_before(redirect_uri, "/", &len))
		return REDIRECT_URI_TRAILING_SLASH;
	if (has_upper_case(redirect_uri))
		return REDIRECT_URI_UPPER_CASE;
	if (memchr(authority, '@', strcspn(authority, "/")) != NULL)
		return REDIRECT_URI_USER_NAME;
	if (!length_before(redirect_uri, callback_path, &len))
		return REDIRECT_URI_OTHER_PATH;
	if (!is_trial && strncmp(redirect_uri, "https://", 8) != 0)
		return REDIRECT_URI_NOT_HTTPS;
	if (!is_trial && endpoint_is_private(redirect_uri))
		return REDIRECT_URI_PRIVATE;
	return REDIRECT_URI_OK;
}
