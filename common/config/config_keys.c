/* config_keys.c - the table of the configuration's keys, and the values each accepts.
 *
 * Rules that only `amocrmctl check` applies are in config_rules.h and endpoints.h.
 */
#include "config/config.h"

#include "base/encode.h"
#include "config/app_link.h"
#include "config/database.h"
#include "config/web_url.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef STORE_PATH
#define STORE_PATH "/var/lib/amo-crm"
#endif

static bool
parse_text(const struct config_key *key, const char *value, void *target)
{
	if ((long)strlen(value) < key->min)
		return false;
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return false;
	*(const char **)target = value;
	return true;
}

static bool
parse_number(const struct config_key *key, const char *value, void *target)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != '\0' || errno != 0 || number < key->min
	    || number > key->max)
		return false;
	*(int *)target = (int)number;
	return true;
}

/* Two numbers: calls a second, and how many of them may be exchanges without a state of ours. */
static bool
parse_budget(const struct config_key *key, const char *value, void *target)
{
	struct call_budget *budget = target;
	char *end;
	long calls = strtol(value, &end, 10);
	long exchanges = *end == ' ' ? strtol(end + 1, &end, 10) : 0;

	if (value[strspn(value, "0123456789 ")] != '\0' || *end != '\0' || exchanges < 1
	    || calls < exchanges || calls > key->max)
		return false;
	*budget = (struct call_budget){ (int)calls, (int)exchanges };
	return true;
}

static bool
parse_id(const struct config_key *key, const char *value, void *target)
{
	(void)key;
	return decimal_parse(value, target);
}

/* Bytes, or a number of KiB, MiB, GiB or TiB: "16 GiB". */
static bool
parse_size(const struct config_key *key, const char *value, void *target)
{
	static const char *const units[] = { "", "KiB", "MiB", "GiB", "TiB" };
	size_t digits = strspn(value, "0123456789");
	const char *unit = value + digits + strspn(value + digits, " ");
	int64_t number;

	if (digits == 0 || digits > 15)
		return false;
	number = strtoll(value, NULL, 10);
	for (size_t i = 0; i < sizeof units / sizeof *units; i++, number *= 1024)
		if (number > INT64_MAX / 2048)
			return false;
		else if (strcmp(unit, units[i]) == 0) {
			*(int64_t *)target = number;
			return number >= key->min;
		}
	return false;
}

/* The index of value among the choices. */
static bool
parse_choice(const struct config_key *key, const char *value, void *target)
{
	size_t len = strlen(value);
	int index = 0;

	for (const char *word = key->choices; *word != '\0'; index++) {
		size_t word_len = strcspn(word, " ");

		if (word_len == len && strncmp(word, value, len) == 0) {
			*(int *)target = index;
			return true;
		}
		word += word_len;
		word += strspn(word, " ");
	}
	return false;
}

static bool
parse_url(const struct config_key *key, const char *value, void *target)
{
	return web_url_problem(value) == NULL && parse_text(key, value, target);
}

/* The receiver of deliveries, which has a host.  Whether it may have plain http, or a private
 * address, is decided at each delivery. */
static bool
parse_any_url(const struct config_key *key, const char *value, void *target)
{
	const char *host = strstr(value, "://");

	if ((strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
	    || strchr("/:?#", host[3]) != NULL) /* strchr finds a NUL, too */
		return false;
	for (const char *c = value; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return false;
	return parse_text(key, value, target);
}

static bool
parse_deep_link(const struct config_key *key, const char *value, void *target)
{
	return app_link_problem(value) == NULL && parse_text(key, value, target);
}

/* An absolute path: the web server starts programs in a folder of its choice, and a shell's ~ and
 * variables are not known here. */
static bool
parse_path(const struct config_key *key, const char *value, void *target)
{
	return value[0] == '/' && parse_text(key, value, target);
}

/* Host names, separated by spaces. */
static bool
parse_domains(const struct config_key *key, const char *value, void *target)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789-. ";

	return value[strspn(value, alphabet)] == '\0' && value[0] != '.'
	    && strstr(value, " .") == NULL && strchr(value, '.') != NULL
	    && parse_text(key, value, target);
}

static bool
parse_database(const struct config_key *key, const char *value, void *target)
{
	return database_problem(value) == NULL && parse_text(key, value, target);
}

static bool
parse_package(const struct config_key *key, const char *value, void *target)
{
	return app_package_problem(value) == NULL && parse_text(key, value, target);
}

#define AT(section, member) offsetof(struct config, section.member)
#define KEY(s, n)           .section = #s, .name = #n, .offset = AT(s, n)

#define AS_TEXT(parser) .text = true, .parse = parser

#define TEXT AS_TEXT(parse_text), .min = 1, .error = "must be a text without control characters"
#define URL  AS_TEXT(parse_url), .min = 1, .problem = web_url_problem
#define PATH                                                                                       \
	AS_TEXT(parse_path), .min = 1, .error = "must be an absolute path, which begins with '/'"

const struct config_key config_keys[] = {
	{ KEY(amocrm, client_id), TEXT, .required = true },
	{ KEY(amocrm, client_secret), TEXT, .required = true, .secret = true },
	{ KEY(amocrm, redirect_uri), URL, .required = true },
	{ KEY(amocrm, account_id), .parse = parse_id,
	    .error = "must be the account's number, such as 31920194" },
	{ KEY(amocrm, account), TEXT },
	{ KEY(amocrm, account_domains), .default_value = "amocrm.ru amocrm.com kommo.com",
	    AS_TEXT(parse_domains), .min = 1,
	    .error = "must be domain names in lower case, separated by spaces" },
	{ KEY(amocrm, authorize_url), URL, .default_value = "https://www.amocrm.ru/oauth" },
	{ KEY(amocrm, timeout), .default_value = "5", .parse = parse_number, .min = 1, .max = 30,
	    .error = "must be a number of seconds from 1 to 30" },
	{ KEY(amocrm, budget), .default_value = "7 2", .parse = parse_budget,
	    .max = BUDGET_CALLS_MAX,
	    .error = "must be two numbers such as 7 2: calls a second, up to 50, and exchanges "
		     "of them" },
	{ KEY(amocrm, ca_file), PATH },
	{ KEY(amocrm, connect_to), TEXT },
	{ KEY(amocrm, proxy), TEXT, .secret = true },
	{ KEY(app, name), TEXT },
	{ KEY(app, deep_link), .default_value = "foryoure://amo-crm/callback",
	    AS_TEXT(parse_deep_link), .problem = app_link_problem },
	{ KEY(app, redirect), .default_value = "page", .parse = parse_choice,
	    .choices = "page button 302" },
	{ KEY(app, connections), .default_value = "shared", .parse = parse_choice,
	    .choices = "shared per_user" },
	{ KEY(app, state), .parse = parse_choice, .choices = "any signed" },
	{ KEY(app, android_package), AS_TEXT(parse_package), .problem = app_package_problem },
	{ KEY(jwt, algorithm), .default_value = "HS256", .parse = parse_choice,
	    .choices = "HS256 HS384 HS512 RS256 ES256 EdDSA" },
	{ KEY(jwt, secret), .secret = true, AS_TEXT(parse_text), .min = 32,
	    .error = "must be at least 32 bytes" },
	{ KEY(jwt, public_key), PATH },
	{ KEY(jwt, issuer), TEXT },
	{ KEY(jwt, audience), TEXT },
	{ KEY(jwt, user_claim), TEXT, .default_value = "sub" },
	{ KEY(jwt, leeway), .default_value = "60", .parse = parse_number, .min = 0, .max = 600,
	    .error = "must be a number of seconds from 0 to 600" },
	{ KEY(store, engine), .default_value = "files", .parse = parse_choice,
	    .choices = "files postgresql" },
	{ KEY(store, database), AS_TEXT(parse_database), .problem = database_problem },
	{ KEY(store, password_file), PATH },
	{ KEY(store, path), PATH, .default_value = STORE_PATH },
	{ KEY(store, keys), PATH, .required = true },
	{ KEY(webhook, secret), .secret = true, AS_TEXT(parse_text), .min = 16,
	    .error = "must be at least 16 characters" },
	{ KEY(webhook, accounts), .default_value = "connected", .parse = parse_choice,
	    .choices = "connected any" },
	{ KEY(webhook, max_body), .default_value = "1048576", .parse = parse_number, .min = 1024,
	    .max = 8388608, .error = "must be a number of bytes from 1024 to 8388608" },
	{ KEY(webhook, max_journal), .default_value = "16 GiB", .parse = parse_size, .min = 1048576,
	    .error = "must be a size such as 16 GiB, at least 1 MiB" },
	{ KEY(webhook, keep_days), .default_value = "90", .parse = parse_number, .min = 1,
	    .max = 36500, .error = "must be a number of days from 1 to 36500" },
	{ KEY(deliver, url), AS_TEXT(parse_any_url), .min = 1,
	    .error = "must be an http:// or https:// URL with a host" },
	{ KEY(deliver, secret), TEXT, .secret = true },
	{ KEY(deliver, allow_private), .default_value = "no", .parse = parse_choice,
	    .choices = "no yes" },
	{ KEY(deliver, ca_file), PATH },
	{ KEY(deliver, proxy), TEXT, .secret = true },
	{ .name = NULL },
};
