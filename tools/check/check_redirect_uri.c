/* check_redirect_uri.c - what must be the same in amoCRM's settings and in the configuration. */
#include "check/check.h"

#include "config/config_rules.h"
#include "config/endpoints.h"

#include <string.h>

#define CLIENT_SECRET_LEN 64 /* characters, of those that amoCRM issues today */
#define CLIENT_SECRET_MIN 32 /* under which it was certainly cut short */

/* NULL: nothing is wrong. */
static const char *
redirect_uri_advice(enum redirect_uri_problem problem)
{
	switch (problem) {
	case REDIRECT_URI_OLD_PATH:
		return "no program has a URL below /api/v1/integrations/: use "
		       "https://<host>" ENDPOINTS_PATH "callback, here and in amoCRM's settings";
	case REDIRECT_URI_QUERY:
		return "remove the query string: amoCRM itself adds the parameters after '?'";
	case REDIRECT_URI_TRAILING_SLASH:
		return "remove the trailing slash: the URL must be byte for byte the same here and "
		       "in amoCRM's settings, and no program has a URL with it";
	case REDIRECT_URI_UPPER_CASE:
		return "write it in lower case, here and in amoCRM's settings";
	case REDIRECT_URI_USER_NAME:
		return "remove the user name";
	case REDIRECT_URI_OTHER_PATH:
		return "it must end in " ENDPOINTS_PATH "callback, here and in amoCRM's settings";
	case REDIRECT_URI_NOT_HTTPS:
		return "it must begin with https://; http is only for trials on this machine";
	case REDIRECT_URI_PRIVATE:
		return "neither amoCRM nor a phone can reach this machine by that host: use the "
		       "site's own name";
	default:
		return NULL;
	}
}

/* www.example.com or example.com: often the address of another server, with the web site. */
static bool
is_main_address(const struct endpoints_site *site)
{
	return site->parent == NULL || strncmp(site->host, "www.", 4) == 0;
}

void
check_redirect_uri(struct check *c)
{
	struct report *r = &c->report;
	const char *uri = c->ctl->cfg.amocrm.redirect_uri;
	const char *to_do = redirect_uri_advice(redirect_uri_check(uri, c->is_trial));
	struct endpoints_site site;

	if (to_do != NULL)
		report_wrong(r, "redirect_uri", to_do, "%s", uri);
	else if (!endpoints_site(c->ctl->ctx, uri, &site))
		report_fault(r, "redirect_uri", "run the check again");
	else if (c->is_trial)
		report_warning(r, "redirect_uri",
		    "set redirect_uri and authorize_url to the real URLs before others use this "
		    "site",
		    "%s: only for trials on this machine", uri);
	else if (is_main_address(&site))
		report_warning(r, "redirect_uri",
		    "make sure that it leads to this server, not to the server of the web site; "
		    "check --online tests it",
		    "%s: the main address of a web site, which is often on another server than its "
		    "programs",
		    uri);
	else
		report_ok(r, "redirect_uri", "%s", uri);
}

static const char keys_tab[] = "copy it from the \"Keys\" tab of the integration in amoCRM";

static void
check_client_id(struct report *r, const char *id)
{
	if (check_is_placeholder(id))
		report_wrong(r, "client_id", keys_tab,
		    "%s: the value in the example, not that of your integration", id);
	else if (!config_client_id_valid(id)) /* and so it may be a secret: it is not shown */
		report_wrong(r, "client_id", keys_tab,
		    "%zu characters, not 36 hex digits in lower case and hyphens", strlen(id));
	else
		report_ok(r, "client_id", "%s", id);
}

static void
check_client_secret(struct report *r, const char *secret)
{
	size_t len = strlen(secret);
	size_t usual =
	    strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

	if (check_is_placeholder(secret))
		report_wrong(r, "client_secret", keys_tab,
		    "the value in the example, not that of your integration");
	else if (len < CLIENT_SECRET_MIN)
		report_wrong(r, "client_secret", keys_tab,
		    "%zu characters; amoCRM's secrets have %d", len, CLIENT_SECRET_LEN);
	else if (usual < len)
		report_wrong(r, "client_secret", keys_tab,
		    "its character %zu is neither a letter nor a digit; amoCRM's secrets consist "
		    "of %d of these",
		    usual + 1, CLIENT_SECRET_LEN);
	else if (len != CLIENT_SECRET_LEN)
		report_warning(r, "client_secret", keys_tab,
		    "%zu characters; amoCRM's secrets have %d", len, CLIENT_SECRET_LEN);
	else
		report_ok(r, "client_secret", "%zu characters", len);
}

void
check_client(struct check *c)
{
	struct report *r = &c->report;
	const char *id = c->ctl->cfg.amocrm.client_id;
	const char *secret = c->ctl->cfg.amocrm.client_secret;

	if (!config_client_id_valid(id) && config_client_id_valid(secret)) {
		report_wrong(r, "client_id", "exchange the two values",
		    "client_secret has the form of a client_id, and client_id has not");
		return;
	}
	check_client_id(r, id);
	if (strcmp(secret, id) == 0)
		report_wrong(r, "client_secret", keys_tab, "the same as client_id");
	else
		check_client_secret(r, secret);
}

static bool
ends_in(const char *s, size_t len, const char *end)
{
	size_t end_len = strlen(end);

	return len >= end_len && strncmp(s + len - end_len, end, end_len) == 0;
}

/* Whether the host is the domain, or below it. */
static bool
is_below(const char *host, size_t len, const char *domain)
{
	size_t domain_len = strlen(domain);

	return ends_in(host, len, domain)
	    && (len == domain_len || host[len - domain_len - 1] == '.');
}

/* The domain of the platform to which a consent page belongs; NULL: it is none that is known. */
static const char *
platform_of(const char *authorize_url)
{
	static const char *const pages[][2] = {
		{ "https://www.amocrm.ru/oauth", "amocrm.ru" },
		{ "https://www.kommo.com/oauth", "kommo.com" },
		{ "https://www.amocrm.com/oauth", "amocrm.com" },
	};
	size_t len = strcspn(authorize_url, "?");

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (strlen(pages[i][0]) == len && strncmp(pages[i][0], authorize_url, len) == 0)
			return pages[i][1];
	return NULL;
}

/* Whether the host is the platform's.  Kommo has the domain amocrm.com from its former name. */
static bool
is_of_platform(const char *platform, const char *host, size_t len)
{
	if (strcmp(platform, "amocrm.ru") == 0)
		return is_below(host, len, platform);
	return is_below(host, len, "kommo.com") || is_below(host, len, "amocrm.com");
}

/* Whether the platform's domain is among the domains. */
static bool
platform_listed(const char *platform, const char *domains)
{
	while (*domains != '\0') {
		size_t len = strcspn(domains, " ");

		if (len > 0 && is_of_platform(platform, domains, len))
			return true;
		domains += len;
		domains += strspn(domains, " ");
	}
	return false;
}

/* A copy of the first domain that belongs to neither platform; NULL: there is none. */
static bool
find_foreign_domain(struct ctx *ctx, const char *domains, const char **foreign)
{
	*foreign = NULL;
	while (*domains != '\0') {
		size_t len = strcspn(domains, " ");

		if (len > 0 && !is_of_platform("amocrm.ru", domains, len)
		    && !is_of_platform("kommo.com", domains, len))
			return ctx_strndup(ctx, domains, len, foreign);
		domains += len;
		domains += strspn(domains, " ");
	}
	return true;
}

void
check_platform(struct check *c)
{
	static const char one_of[] =
	    "https://www.amocrm.ru/oauth for amoCRM, https://www.kommo.com/oauth for Kommo: an "
	    "integration belongs to one of them";
	struct report *r = &c->report;
	const struct amocrm_config *cfg = &c->ctl->cfg.amocrm;
	const char *platform = platform_of(cfg->authorize_url);
	const char *foreign;

	if (!find_foreign_domain(c->ctl->ctx, cfg->account_domains, &foreign))
		report_fault(r, "account_domains", "run the check again");
	else if (foreign != NULL)
		report_wrong(r, "account_domains",
		    "remove it: client_secret would be sent to any host below it",
		    "%s: not a domain of amoCRM or Kommo", foreign);
	if (c->is_trial)
		report_warning(
		    r, "authorize_url", one_of, "%s: only for trials", cfg->authorize_url);
	else if (platform == NULL)
		report_wrong(r, "authorize_url", one_of,
		    "%s: not the consent page of amoCRM or Kommo", cfg->authorize_url);
	else if (cfg->account != NULL
	    && !is_of_platform(platform, cfg->account, strlen(cfg->account)))
		report_wrong(r, "authorize_url", one_of,
		    "%s: does not know account %s, which belongs to the other platform",
		    cfg->authorize_url, cfg->account);
	else if (!platform_listed(platform, cfg->account_domains))
		report_wrong(r, "authorize_url", one_of,
		    "%s: its accounts are not below any of account_domains", cfg->authorize_url);
	else
		report_ok(r, "authorize_url", "%s, account %s", cfg->authorize_url,
		    cfg->account == NULL ? "any" : cfg->account);
}
