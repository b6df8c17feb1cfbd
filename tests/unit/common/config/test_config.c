/* test_config.c - every key of the configuration, every rule, and where a refusal points to. */
#include "../../folder.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#define SECRET_32 "hunter2-hunter2-hunter2-hunter2-"

struct pair {
	const char *section, *name, *value;
};

/* The least there must be, with a secret of the app's JWT or with a public key. */
static const struct pair with_secret[] = {
	{ "amocrm", "client_id", "an-id" },
	{ "amocrm", "client_secret", "hunter2" },
	{ "amocrm", "redirect_uri", "https://crm.example/api/amo-crm/callback" },
	{ "amocrm", "account", "reforyou.amocrm.ru" },
	{ "jwt", "secret", SECRET_32 },
	{ "store", "keys", "/etc/amo-crm/keys" },
	{ NULL, NULL, NULL },
};
static const struct pair with_public_key[] = {
	{ "amocrm", "client_id", "an-id" },
	{ "amocrm", "client_secret", "hunter2" },
	{ "amocrm", "redirect_uri", "https://crm.example/api/amo-crm/callback" },
	{ "amocrm", "account", "reforyou.amocrm.ru" },
	{ "jwt", "algorithm", "RS256" },
	{ "jwt", "public_key", "/etc/amo-crm/app.pem" },
	{ "store", "keys", "/etc/amo-crm/keys" },
	{ NULL, NULL, NULL },
};

struct file_text {
	char bytes[16384];
	size_t len;
	int lines;
};

static void
add_bytes(struct file_text *text, const char *bytes, size_t len)
{
	assert_true(text->len + len < sizeof text->bytes);
	memcpy(text->bytes + text->len, bytes, len);
	text->len += len;
	for (size_t i = 0; i < len; i++)
		text->lines += bytes[i] == '\n';
}

static void
add(struct file_text *text, const char *s)
{
	add_bytes(text, s, strlen(s));
}

static void
add_pair(struct file_text *text, const struct pair *pair)
{
	add(text, "[");
	add(text, pair->section);
	add(text, "]\n");
	add(text, pair->name);
	add(text, " = ");
	add(text, pair->value);
	add(text, "\n");
}

static bool
same_key(const struct pair *a, const struct pair *b)
{
	return a->name != NULL && b->name != NULL && strcmp(a->section, b->section) == 0
	    && strcmp(a->name, b->name) == 0;
}

/* The pairs of base but for the one of the last, and then the last; a value of NULL leaves it
 * out. */
static void
compose(struct file_text *text, const struct pair *base, const struct pair *last)
{
	text->len = 0;
	text->lines = 0;
	for (; base->name != NULL; base++)
		if (!same_key(base, last))
			add_pair(text, base);
	if (last->value != NULL)
		add_pair(text, last);
}

static const struct pair no_pair = { NULL, NULL, NULL };

/* Reads a file of that text from the folder; the arena stays open. */
static bool
read_text(struct ctx *ctx, const char *folder, const struct file_text *text, struct config *cfg)
{
	static char path[PATH_SIZE];

	path_in(folder, "amo-crm.conf", path);
	file_write(path, text->bytes, text->len, 0600);
	open_ctx(ctx);
	return config_read(ctx, path, cfg);
}

static const struct config_key *
key_of(const struct pair *pair)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (strcmp(key->section, pair->section) == 0 && strcmp(key->name, pair->name) == 0)
			return key;
	fail_msg("there is no key [%s] %s", pair->section, pair->name);
	return NULL;
}

static void
fills_in_the_defaults(void **state)
{
	struct file_text text;
	struct ctx ctx;
	struct config cfg;

	compose(&text, with_secret, &no_pair);
	if (!read_text(&ctx, *state, &text, &cfg))
		fail_msg("%s", ctx.reason);
	assert_true(cfg.complete);
	same_text("client_id", cfg.amocrm.client_id, "an-id");
	same_text("client_secret", cfg.amocrm.client_secret, "hunter2");
	same_text(
	    "redirect_uri", cfg.amocrm.redirect_uri, "https://crm.example/api/amo-crm/callback");
	same_text("account", cfg.amocrm.account, "reforyou.amocrm.ru");
	same_text("account_domains", cfg.amocrm.account_domains, "amocrm.ru amocrm.com kommo.com");
	same_text("authorize_url", cfg.amocrm.authorize_url, "https://www.amocrm.ru/oauth");
	same_number("timeout", cfg.amocrm.timeout, 5);
	same_text("ca_file", cfg.amocrm.ca_file, NULL);
	same_text("connect_to", cfg.amocrm.connect_to, NULL);
	same_text("proxy", cfg.amocrm.proxy, NULL);
	same_text("name", cfg.app.name, NULL);
	same_text("deep_link", cfg.app.deep_link, "foryoure://amo-crm/callback");
	same_number("redirect", cfg.app.redirect, REDIRECT_PAGE);
	same_number("connections", cfg.app.connections, CONNECTIONS_SHARED);
	same_number("state", cfg.app.state, STATE_ANY);
	same_text("android_package", cfg.app.android_package, NULL);
	same_number("algorithm", cfg.jwt.algorithm, JWT_HS256);
	same_text("jwt secret", cfg.jwt.secret, SECRET_32);
	same_text("public_key", cfg.jwt.public_key, NULL);
	same_text("issuer", cfg.jwt.issuer, NULL);
	same_text("audience", cfg.jwt.audience, NULL);
	same_text("user_claim", cfg.jwt.user_claim, "sub");
	same_number("leeway", cfg.jwt.leeway, 60);
	same_text("path", cfg.store.path, STORE_PATH);
	same_text("keys", cfg.store.keys, "/etc/amo-crm/keys");
	same_text("webhook secret", cfg.webhook.secret, NULL);
	same_number("accounts", cfg.webhook.accounts, WEBHOOK_CONNECTED);
	same_number("max_body", cfg.webhook.max_body, 1048576);
	same_number("keep_days", cfg.webhook.keep_days, 90);
	same_text("url", cfg.deliver.url, NULL);
	same_text("deliver secret", cfg.deliver.secret, NULL);
	same_number("allow_private", cfg.deliver.allow_private, 0);
	ctx_close(&ctx);
}

enum answer { GOOD, BAD };

/* GOOD: read as it stands (a choice: as that number).  BAD: refused with its line. */
static const struct row {
	const char *label;
	struct pair pair;
	enum answer answer;
	int number;
	const struct pair *base; /* NULL: with_secret */
} values[] = {
	{ "an id", { "amocrm", "client_id", "01d01160-d7a0" }, GOOD, 0, NULL },
	{ "no id", { "amocrm", "client_id", "" }, BAD, 0, NULL },
	{ "a secret", { "amocrm", "client_secret", "hunter2=#" }, GOOD, 0, NULL },
	{ "no secret", { "amocrm", "client_secret", "" }, BAD, 0, NULL },
	{ "a secret with a control character", { "amocrm", "client_secret", "hunter2\x01" }, BAD, 0,
	    NULL },

	{ "https", { "amocrm", "redirect_uri", "https://a.example/cb?x=1" }, GOOD, 0, NULL },
	{ "a trial's port", { "amocrm", "redirect_uri", "http://localhost:8080/cb" }, GOOD, 0,
	    NULL },
	{ "a trial", { "amocrm", "redirect_uri", "http://localhost/cb" }, GOOD, 0, NULL },
	{ "a trial's address", { "amocrm", "redirect_uri", "http://127.0.0.1:8080/cb" }, GOOD, 0,
	    NULL },
	{ "plain http", { "amocrm", "redirect_uri", "http://a.example/cb" }, BAD, 0, NULL },
	{ "a host that begins with localhost",
	    { "amocrm", "redirect_uri", "http://localhost.example/cb" }, BAD, 0, NULL },
	{ "no host", { "amocrm", "redirect_uri", "https://" }, BAD, 0, NULL },
	{ "an empty host", { "amocrm", "redirect_uri", "https:///cb" }, BAD, 0, NULL },
	{ "a fragment", { "amocrm", "redirect_uri", "https://a.example/#cb" }, BAD, 0, NULL },
	{ "a blank", { "amocrm", "redirect_uri", "https://a.example/a b" }, BAD, 0, NULL },
	{ "a quote", { "amocrm", "redirect_uri", "https://a.example/\"" }, BAD, 0, NULL },
	{ "not ASCII", { "amocrm", "redirect_uri", "https://\xd0\xaf.example/" }, BAD, 0, NULL },
	{ "no URI", { "amocrm", "redirect_uri", "" }, BAD, 0, NULL },

	{ "an account", { "amocrm", "account", "other.kommo.com" }, GOOD, 0, NULL },
	{ "no account", { "amocrm", "account", "" }, BAD, 0, NULL },
	{ "two domains", { "amocrm", "account_domains", "amocrm.ru example.com" }, GOOD, 0, NULL },
	{ "capitals", { "amocrm", "account_domains", "Amocrm.ru" }, BAD, 0, NULL },
	{ "commas", { "amocrm", "account_domains", "amocrm.ru,kommo.com" }, BAD, 0, NULL },
	{ "a dot first", { "amocrm", "account_domains", ".amocrm.ru" }, BAD, 0, NULL },
	{ "a dot first in the second", { "amocrm", "account_domains", "amocrm.ru .kommo.com" }, BAD,
	    0, NULL },
	{ "a whole country", { "amocrm", "account_domains", "ru" }, BAD, 0, NULL },
	{ "no domains", { "amocrm", "account_domains", "" }, BAD, 0, NULL },
	{ "Kommo", { "amocrm", "authorize_url", "https://www.kommo.com/oauth" }, GOOD, 0, NULL },
	{ "a script", { "amocrm", "authorize_url", "javascript:alert(1)" }, BAD, 0, NULL },

	{ "the shortest timeout", { "amocrm", "timeout", "1" }, GOOD, 1, NULL },
	{ "no time at all", { "amocrm", "timeout", "0" }, BAD, 0, NULL },
	{ "the longest timeout", { "amocrm", "timeout", "30" }, GOOD, 30, NULL },
	{ "a longer one", { "amocrm", "timeout", "31" }, BAD, 0, NULL },
	{ "a unit", { "amocrm", "timeout", "5s" }, BAD, 0, NULL },
	{ "a sign", { "amocrm", "timeout", "+5" }, BAD, 0, NULL },
	{ "a minus", { "amocrm", "timeout", "-5" }, BAD, 0, NULL },
	{ "a fraction", { "amocrm", "timeout", "5.5" }, BAD, 0, NULL },
	{ "hex", { "amocrm", "timeout", "0x5" }, BAD, 0, NULL },
	{ "no number", { "amocrm", "timeout", "" }, BAD, 0, NULL },
	{ "what wraps around in 32 bits", { "amocrm", "timeout", "4294967301" }, BAD, 0, NULL },
	{ "what wraps around in 64 bits", { "amocrm", "timeout", "18446744073709551621" }, BAD, 0,
	    NULL },

	{ "a path", { "amocrm", "ca_file", "/etc/ssl/ca.pem" }, GOOD, 0, NULL },
	{ "no path", { "amocrm", "ca_file", "" }, BAD, 0, NULL },
	{ "two words", { "amocrm", "connect_to", "a::127.0.0.1:1 b::[::1]:2" }, GOOD, 0, NULL },
	{ "no word", { "amocrm", "connect_to", "" }, BAD, 0, NULL },
	{ "a proxy", { "amocrm", "proxy", "http://u:hunter2@proxy:3128" }, GOOD, 0, NULL },
	{ "a proxy with a control character", { "amocrm", "proxy", "http://u:hunter2\x7f@x" }, BAD,
	    0, NULL },

	{ "a name", { "app", "name", "For You \xd0\xaf" }, GOOD, 0, NULL },
	{ "no name", { "app", "name", "" }, BAD, 0, NULL },
	{ "a link", { "app", "deep_link", "my-app.2+x://host/path?x=1" }, GOOD, 0, NULL },
	{ "a link without //", { "app", "deep_link", "app:cb" }, GOOD, 0, NULL },
	{ "an app link", { "app", "deep_link", "https://foryou.example/cb" }, GOOD, 0, NULL },
	{ "a script as link", { "app", "deep_link", "javascript:alert(1)" }, BAD, 0, NULL },
	{ "data as link", { "app", "deep_link", "data:text/html,x" }, BAD, 0, NULL },
	{ "a file as link", { "app", "deep_link", "file:///etc/passwd" }, BAD, 0, NULL },
	{ "a scheme that begins like one refused", { "app", "deep_link", "database:x" }, GOOD, 0,
	    NULL },
	{ "a capital in the scheme", { "app", "deep_link", "JavaScript:alert(1)" }, BAD, 0, NULL },
	{ "a scheme that begins with a digit", { "app", "deep_link", "1app:x" }, BAD, 0, NULL },
	{ "no scheme", { "app", "deep_link", "//host/path" }, BAD, 0, NULL },
	{ "a scheme alone", { "app", "deep_link", "foryoure" }, BAD, 0, NULL },
	{ "an empty link", { "app", "deep_link", "" }, BAD, 0, NULL },
	{ "a fragment in the link", { "app", "deep_link", "app://x#y" }, BAD, 0, NULL },
	{ "a blank in the link", { "app", "deep_link", "app://x y" }, BAD, 0, NULL },
	{ "what ends an intent's part", { "app", "deep_link", "app://x;y" }, BAD, 0, NULL },
	{ "what ends an attribute", { "app", "deep_link", "app://x\"y" }, BAD, 0, NULL },
	{ "a page", { "app", "redirect", "page" }, GOOD, REDIRECT_PAGE, NULL },
	{ "a button", { "app", "redirect", "button" }, GOOD, REDIRECT_BUTTON, NULL },
	{ "302", { "app", "redirect", "302" }, GOOD, REDIRECT_302, NULL },
	{ "another way", { "app", "redirect", "301" }, BAD, 0, NULL },
	{ "half a word", { "app", "redirect", "pag" }, BAD, 0, NULL },
	{ "two words at once", { "app", "redirect", "page button" }, BAD, 0, NULL },
	{ "capitals in a choice", { "app", "redirect", "Page" }, BAD, 0, NULL },
	{ "no choice", { "app", "redirect", "" }, BAD, 0, NULL },
	{ "shared", { "app", "connections", "shared" }, GOOD, CONNECTIONS_SHARED, NULL },
	{ "per user", { "app", "connections", "per_user" }, GOOD, CONNECTIONS_PER_USER, NULL },
	{ "per user, spelt otherwise", { "app", "connections", "per-user" }, BAD, 0, NULL },
	{ "any state", { "app", "state", "any" }, GOOD, STATE_ANY, NULL },
	{ "signed states", { "app", "state", "signed" }, GOOD, STATE_SIGNED, NULL },
	{ "another state", { "app", "state", "none" }, BAD, 0, NULL },
	{ "a package", { "app", "android_package", "com.foryou.Real_estate2" }, GOOD, 0, NULL },
	{ "a package that leaves the intent", { "app", "android_package", "a;S.x=y" }, BAD, 0,
	    NULL },
	{ "no package", { "app", "android_package", "" }, BAD, 0, NULL },

	{ "HS384", { "jwt", "algorithm", "HS384" }, GOOD, JWT_HS384, NULL },
	{ "HS512", { "jwt", "algorithm", "HS512" }, GOOD, JWT_HS512, NULL },
	{ "RS256", { "jwt", "algorithm", "RS256" }, GOOD, JWT_RS256, with_public_key },
	{ "ES256", { "jwt", "algorithm", "ES256" }, GOOD, JWT_ES256, with_public_key },
	{ "EdDSA", { "jwt", "algorithm", "EdDSA" }, GOOD, JWT_EDDSA, with_public_key },
	{ "no algorithm by name", { "jwt", "algorithm", "none" }, BAD, 0, NULL },
	{ "an algorithm in small letters", { "jwt", "algorithm", "hs256" }, BAD, 0, NULL },
	{ "32 bytes", { "jwt", "secret", SECRET_32 }, GOOD, 0, NULL },
	{ "31 bytes", { "jwt", "secret", "hunter2-hunter2-hunter2-hunter2" }, BAD, 0, NULL },
	{ "no jwt secret", { "jwt", "secret", "" }, BAD, 0, NULL },
	{ "another public key", { "jwt", "public_key", "/x.pem" }, GOOD, 0, with_public_key },
	{ "no public key's path", { "jwt", "public_key", "" }, BAD, 0, with_public_key },
	{ "an issuer", { "jwt", "issuer", "https://id.example" }, GOOD, 0, NULL },
	{ "no issuer", { "jwt", "issuer", "" }, BAD, 0, NULL },
	{ "an audience", { "jwt", "audience", "app" }, GOOD, 0, NULL },
	{ "no audience", { "jwt", "audience", "" }, BAD, 0, NULL },
	{ "a claim", { "jwt", "user_claim", "user_id" }, GOOD, 0, NULL },
	{ "no claim", { "jwt", "user_claim", "" }, BAD, 0, NULL },
	{ "no leeway", { "jwt", "leeway", "0" }, GOOD, 0, NULL },
	{ "less than none", { "jwt", "leeway", "-1" }, BAD, 0, NULL },
	{ "the most leeway", { "jwt", "leeway", "600" }, GOOD, 600, NULL },
	{ "more leeway", { "jwt", "leeway", "601" }, BAD, 0, NULL },

	{ "a folder", { "store", "path", "/srv/amo crm" }, GOOD, 0, NULL },
	{ "no folder", { "store", "path", "" }, BAD, 0, NULL },
	{ "a ring", { "store", "keys", "/srv/keys" }, GOOD, 0, NULL },
	{ "no ring", { "store", "keys", "" }, BAD, 0, NULL },

	{ "16 characters", { "webhook", "secret", "hunter2-hunter2-" }, GOOD, 0, NULL },
	{ "15 characters", { "webhook", "secret", "hunter2-hunter2" }, BAD, 0, NULL },
	{ "connected accounts", { "webhook", "accounts", "connected" }, GOOD, WEBHOOK_CONNECTED,
	    NULL },
	{ "any account", { "webhook", "accounts", "any" }, GOOD, WEBHOOK_ANY, NULL },
	{ "other accounts", { "webhook", "accounts", "all" }, BAD, 0, NULL },
	{ "the smallest body", { "webhook", "max_body", "1024" }, GOOD, 1024, NULL },
	{ "a smaller one", { "webhook", "max_body", "1023" }, BAD, 0, NULL },
	{ "the largest body", { "webhook", "max_body", "8388608" }, GOOD, 8388608, NULL },
	{ "a larger one", { "webhook", "max_body", "8388609" }, BAD, 0, NULL },
	{ "a day", { "webhook", "keep_days", "1" }, GOOD, 1, NULL },
	{ "not a day", { "webhook", "keep_days", "0" }, BAD, 0, NULL },
	{ "a century", { "webhook", "keep_days", "36500" }, GOOD, 36500, NULL },
	{ "longer than a century", { "webhook", "keep_days", "36501" }, BAD, 0, NULL },

	{ "a receiver", { "deliver", "url", "https://n8n.example/hook#x" }, GOOD, 0, NULL },
	{ "a receiver by plain http", { "deliver", "url", "http://10.0.0.1:5678/" }, GOOD, 0,
	    NULL },
	{ "a receiver that is a file", { "deliver", "url", "file:///tmp/x" }, BAD, 0, NULL },
	{ "a receiver with a blank", { "deliver", "url", "https://a b" }, BAD, 0, NULL },
	{ "two secrets", { "deliver", "secret", "whsec_aaaa whsec_bbbb" }, GOOD, 0, NULL },
	{ "no secret of deliveries", { "deliver", "secret", "" }, BAD, 0, NULL },
	{ "private addresses", { "deliver", "allow_private", "yes" }, GOOD, 1, NULL },
	{ "no private addresses", { "deliver", "allow_private", "no" }, GOOD, 0, NULL },
	{ "true instead of yes", { "deliver", "allow_private", "true" }, BAD, 0, NULL },
};

static void
is_read(const struct row *row, const struct config_key *key, const struct config *cfg)
{
	const char *at = (const char *)cfg + key->offset;
	bool is_number = key->max != 0 || (key->rule != NULL && strncmp(key->rule, "must", 4) != 0);
	const char *text;
	int number;

	if (is_number) {
		memcpy(&number, at, sizeof number);
		same_number(row->label, number, row->number);
	} else {
		memcpy(&text, at, sizeof text);
		same_text(row->label, text, row->pair.value);
	}
}

static void
reads_or_refuses_each_value(void **state)
{
	char place[PATH_SIZE + 100];

	for (size_t i = 0; i < ROWS(values); i++) {
		const struct row *row = &values[i];
		const struct config_key *key = key_of(&row->pair);
		struct file_text text;
		struct ctx ctx;
		struct config cfg;
		bool ok;

		compose(&text, row->base == NULL ? with_secret : row->base, &row->pair);
		ok = read_text(&ctx, *state, &text, &cfg);
		same_fault(row->label, &ctx, ok, row->answer == GOOD ? FAULT_NONE : FAULT_CONFIG);
		DEMAND(row->label, cfg.complete == (row->answer == GOOD));
		if (ok)
			is_read(row, key, &cfg);
		else {
			snprintf(place, sizeof place, "/amo-crm.conf:%d: [%s] %s must be ",
			    text.lines, row->pair.section, row->pair.name);
			has_text(row->label, ctx.reason, place);
		}
		has_no_text("a secret in the reason", ctx.reason, "hunter2");
		ctx_close(&ctx);
	}
}

static bool
has_row(const struct config_key *key, enum answer answer, const char *value)
{
	for (size_t i = 0; i < ROWS(values); i++)
		if (key_of(&values[i].pair) == key && values[i].answer == answer
		    && (value == NULL || strcmp(values[i].pair.value, value) == 0))
			return true;
	return false;
}

static void
has_a_test_for_every_key(void **state)
{
	size_t count = 0;
	char value[32];

	(void)state;
	for (const struct config_key *key = config_keys; key->name != NULL; key++, count++) {
		if (!has_row(key, GOOD, NULL) || !has_row(key, BAD, NULL))
			fail_msg("[%s] %s has no row with a good and a bad value", key->section,
			    key->name);
		if (key->max == 0)
			continue;
		for (int side = -1; side <= 1; side++) {
			snprintf(value, sizeof value, "%ld", key->min + side);
			if (side <= 0 && !has_row(key, side < 0 ? BAD : GOOD, value))
				fail_msg(
				    "[%s] %s has no row with %s", key->section, key->name, value);
			snprintf(value, sizeof value, "%ld", key->max + side);
			if (side >= 0 && !has_row(key, side > 0 ? BAD : GOOD, value))
				fail_msg(
				    "[%s] %s has no row with %s", key->section, key->name, value);
		}
	}
	assert_true(count <= 64); /* the reader notes those it has seen in 64 bits */
}

static void
demands_the_required_keys(void **state)
{
	int required = 0;
	char expected[100];

	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		struct pair without = { key->section, key->name, NULL };
		struct file_text text;
		struct ctx ctx;
		struct config cfg;
		bool ok;

		compose(&text, with_secret, &without);
		ok = read_text(&ctx, *state, &text, &cfg);
		if (key->required) {
			required++;
			same_fault(key->name, &ctx, ok, FAULT_CONFIG);
			DEMAND(key->name, !cfg.complete);
			snprintf(expected, sizeof expected, "/amo-crm.conf: [%s] %s is missing",
			    key->section, key->name);
			has_text(key->name, ctx.reason, expected);
		}
		ctx_close(&ctx);
	}
	assert_int_equal(required, 4);
}

static void
looks_at_the_whole(void **state)
{
	static const struct {
		const char *label;
		const struct pair *base;
		struct pair pair, more;
		enum fault_kind expected;
		const char *part; /* of the reason */
	} table[] = {
		{ "shared without an account", with_secret, { "amocrm", "account", NULL },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "[amocrm] account is missing" },
		{ "per user without an account", with_secret, { "amocrm", "account", NULL },
		    { "app", "connections", "per_user" }, FAULT_NONE, "" },
		{ "an account elsewhere", with_secret, { "amocrm", "account", "a.example.com" },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "below account_domains" },
		{ "an account elsewhere, per user", with_secret,
		    { "amocrm", "account", "a.example.com" }, { "app", "connections", "per_user" },
		    FAULT_CONFIG, "below account_domains" },
		{ "an account of other domains", with_secret,
		    { "amocrm", "account", "a.example.com" },
		    { "amocrm", "account_domains", "example.com" }, FAULT_NONE, "" },
		{ "a URL as account", with_secret,
		    { "amocrm", "account", "https://reforyou.amocrm.ru" }, { NULL, NULL, NULL },
		    FAULT_CONFIG, "below account_domains" },
		{ "neither secret nor public key", with_secret, { "jwt", "secret", NULL },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "require secret" },
		{ "a secret and a public key", with_secret, { "jwt", "public_key", "/x.pem" },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "no public_key" },
		{ "an HS algorithm with a public key", with_public_key,
		    { "jwt", "algorithm", "HS256" }, { NULL, NULL, NULL }, FAULT_CONFIG,
		    "require secret" },
		{ "RS256 with a secret", with_secret, { "jwt", "algorithm", "RS256" },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "require public_key" },
		{ "EdDSA with both", with_public_key, { "jwt", "algorithm", "EdDSA" },
		    { "jwt", "secret", SECRET_32 }, FAULT_CONFIG, "no secret" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct file_text text;
		struct ctx ctx;
		struct config cfg;
		bool ok;

		compose(&text, table[i].base, &table[i].pair);
		if (table[i].more.name != NULL)
			add_pair(&text, &table[i].more);
		ok = read_text(&ctx, *state, &text, &cfg);
		same_fault(table[i].label, &ctx, ok, table[i].expected);
		DEMAND(table[i].label, cfg.complete == ok);
		has_text(table[i].label, ctx.reason, table[i].part);
		has_no_text("a secret in the reason", ctx.reason, "hunter2");
		ctx_close(&ctx);
	}
}

static void
lowers_the_account(void **state)
{
	static const struct pair account = { "amocrm", "account", "ReForYou.amoCRM.ru" };
	struct file_text text;
	struct ctx ctx;
	struct config cfg;

	compose(&text, with_secret, &account);
	assert_true(read_text(&ctx, *state, &text, &cfg));
	assert_string_equal(cfg.amocrm.account, "reforyou.amocrm.ru");
	ctx_close(&ctx);
}

static void
signs_states_where_users_have_their_own(void **state)
{
	static const struct {
		const char *label, *connections, *state;
		int expected;
	} table[] = {
		{ "shared", "shared", NULL, STATE_ANY },
		{ "per user", "per_user", NULL, STATE_SIGNED },
		{ "shared and signed", "shared", "signed", STATE_SIGNED },
		{ "per user and any", "per_user", "any", STATE_ANY },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct pair connections = { "app", "connections", table[i].connections };
		struct pair states = { "app", "state", table[i].state };
		struct file_text text;
		struct ctx ctx;
		struct config cfg;

		compose(&text, with_secret, &connections);
		if (states.value != NULL)
			add_pair(&text, &states);
		DEMAND(table[i].label, read_text(&ctx, *state, &text, &cfg));
		same_number(table[i].label, cfg.app.state, table[i].expected);
		ctx_close(&ctx);
	}
}

#define TEXT(s)  s, sizeof s - 1
#define X10      "xxxxxxxxxx"
#define X50      X10 X10 X10 X10 X10
#define LINE_198 "name = " X50 X50 X50 X10 X10 X10 X10 "x" /* as long as inih's line can be */

static void
reads_the_lines(void **state)
{
	static const struct {
		const char *label, *text; /* behind a sound file */
		size_t len;
		int line; /* of text; 0: nothing is wrong */
	} table[] = {
		{ "comments and blank lines", TEXT("# x\n; y\n\n  \n\t# z\n"), 0 },
		{ "lines that end as on Windows", TEXT("[app]\r\nname = x\r\n"), 0 },
		{ "no newline at the end", TEXT("[app]\nname = x"), 0 },
		{ "no blanks around the equals sign", TEXT("[app]\nname=x\n"), 0 },
		{ "a colon instead", TEXT("[app]\nname: x\n"), 0 },
		{ "a blank before a section's first key", TEXT("[app]\n  name = x\n"), 0 },
		{ "a line at its limit", TEXT("[app]\n" LINE_198 "\n"), 0 },
		{ "a line over its limit", TEXT("[app]\n" LINE_198 "x\n"), 2 },
		{ "a line over its limit at the end", TEXT("[app]\n" LINE_198 "xx"), 2 },
		{ "a comment over the limit", TEXT("\n# " X50 X50 X50 X50 "\n"), 2 },

		{ "an unknown section", TEXT("[apps]\nname = x\n"), 2 },
		{ "a section in capitals", TEXT("[App]\nname = x\n"), 2 },
		{ "an unknown key", TEXT("[app]\nnames = x\n"), 2 },
		{ "a key in capitals", TEXT("[app]\nName = x\n"), 2 },
		{ "a key of another section", TEXT("[app]\ntimeout = 3\n"), 2 },
		{ "an empty name", TEXT("[app]\n= x\n"), 2 },
		{ "a key twice", TEXT("[app]\nname = x\nname = y\n"), 3 },
		{ "a key twice with the same value", TEXT("[app]\nname = x\nname = x\n"), 3 },
		{ "a key twice, in two parts", TEXT("[app]\nname = x\n[jwt]\n[app]\nname = x\n"),
		    5 },
		{ "a required key twice", TEXT("[amocrm]\nclient_id = x\n"), 2 },
		{ "a value that goes on", TEXT("[app]\nname = x\n  and y\n"), 3 },
		{ "a key that is indented", TEXT("[jwt]\nissuer = x\n audience = y\n"), 3 },
		{ "neither section nor key", TEXT("[app]\nname\n"), 2 },
		{ "a section that stays open", TEXT("[app\n"), 1 },
		{ "the first fault of several", TEXT("[app]\nnames = x\nstate = y\n"), 2 },
		{ "something behind a section", TEXT("[jwt] leeway = 5\n"), 1 },
		{ "a NUL in a value", TEXT("[app]\nname = x\0y\n"), 2 },
		{ "a NUL at a line's end", TEXT("[app]\nname = x\0\n"), 2 },
		{ "a NUL that begins a line", TEXT("[app]\n\0name = x\n"), 2 },
		{ "a NUL in a comment", TEXT("# \0\n"), 1 },
		{ "a NUL in a last line that is not ended", TEXT("[app]\nname = x\0y"), 2 },
	};
	char place[PATH_SIZE + 32];

	for (size_t i = 0; i < ROWS(table); i++) {
		struct file_text text;
		struct ctx ctx;
		struct config cfg;
		bool ok;

		compose(&text, with_secret, &no_pair);
		snprintf(place, sizeof place, "%s/amo-crm.conf:%d: ", (const char *)*state,
		    text.lines + table[i].line);
		add_bytes(&text, table[i].text, table[i].len);
		ok = read_text(&ctx, *state, &text, &cfg);
		same_fault(
		    table[i].label, &ctx, ok, table[i].line == 0 ? FAULT_NONE : FAULT_CONFIG);
		if (!ok)
			has_text(table[i].label, ctx.reason, place);
		ctx_close(&ctx);
	}
}

/* Whatever is wrong around a secret, the log does not get it. */
static void
tells_no_secret(void **state)
{
	static const struct {
		const char *label, *text;
	} table[] = {
		{ "the equals sign forgotten", "[jwt]\nsecret " SECRET_32 "\n" },
		{ "the equals sign forgotten, one in the secret", "[jwt]\nsecret hunter2==\n" },
		{ "the same with a colon", "[jwt]\nsecret hunter2:x\n" },
		{ "a name misspelt", "[jwt]\nsecrte = " SECRET_32 "\n" },
		{ "the wrong section", "[app]\nsecret = " SECRET_32 "\n" },
		{ "twice", "[amocrm]\nclient_secret = hunter2\nclient_secret = hunter2\n" },
		{ "broken over two lines", "[jwt]\nsecret = \n hunter2\n" },
		{ "too short", "[jwt]\nsecret = hunter2\n" },
		{ "over the limit of a line", "[jwt]\nsecret = hunter2" X50 X50 X50 X50 "\n" },
		{ "a control character", "[jwt]\nsecret = " SECRET_32 "\x02\n" },
		{ "no section", "secret = " SECRET_32 "\n" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		static const struct pair no_secret = { "jwt", "secret", NULL };
		struct file_text text;
		struct ctx ctx;
		struct config cfg;
		bool ok;

		compose(&text, with_secret, &no_secret);
		add(&text, table[i].text);
		ok = read_text(&ctx, *state, &text, &cfg);
		same_fault(table[i].label, &ctx, ok, FAULT_CONFIG);
		has_no_text(table[i].label, ctx.reason, "hunter2");
		ctx_close(&ctx);
	}
}

static void
refuses_a_file_others_can_read(void **state)
{
	static const struct {
		const char *label;
		mode_t mode;
		bool safe;
	} table[] = {
		{ "the owner's", 0600, true },
		{ "the web server's group may read", 0640, true },
		{ "everybody may read", 0644, false },
		{ "the group may write", 0660, false },
	};
	struct file_text text;
	char path[PATH_SIZE];

	compose(&text, with_secret, &no_pair);
	path_in(*state, "amo-crm.conf", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct config cfg;
		bool ok;

		file_write(path, text.bytes, text.len, table[i].mode);
		open_ctx(&ctx);
		ok = config_read(&ctx, path, &cfg);
		same_fault(table[i].label, &ctx, ok, table[i].safe ? FAULT_NONE : FAULT_CONFIG);
		ctx_close(&ctx);
	}
}

/* An error must reach the app even when the configuration is what is wrong. */
static void
keeps_the_app_section_in_a_fault(void **state)
{
	static const struct {
		const char *label, *text, *deep_link;
		int redirect;
	} table[] = {
		{ "no file", NULL, "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "an empty file", "", "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "a fault behind it", "[app]\ndeep_link = x://y\nredirect = 302\nz = 1\n", "x://y",
		    REDIRECT_302 },
		{ "a fault before it", "[z]\nz = 1\n[app]\ndeep_link = x://y\n",
		    "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "a fault in it", "[app]\nredirect = button\ndeep_link = javascript:1\n",
		    "foryoure://amo-crm/callback", REDIRECT_BUTTON },
	};
	char path[PATH_SIZE];

	path_in(*state, "amo-crm.conf", path);
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		struct config cfg;

		if (table[i].text != NULL)
			file_write_text(path, table[i].text);
		memset(&cfg, 0xa5, sizeof cfg);
		open_ctx(&ctx);
		DEMAND(table[i].label, !config_read(&ctx, path, &cfg));
		DEMAND(table[i].label, !cfg.complete);
		same_text(table[i].label, cfg.app.deep_link, table[i].deep_link);
		same_number(table[i].label, cfg.app.redirect, table[i].redirect);
		same_number(table[i].label, cfg.app.connections, CONNECTIONS_SHARED);
		same_number(table[i].label, cfg.app.state, STATE_ANY);
		ctx_close(&ctx);
	}
}

static void
finds_its_path(void **state)
{
	(void)state;
	unsetenv("AMO_CRM_CONFIG");
	same_text("not set", config_path(), CONFIG_PATH);
	setenv("AMO_CRM_CONFIG", "", 1);
	same_text("set to nothing", config_path(), CONFIG_PATH);
	setenv("AMO_CRM_CONFIG", "/srv/my.conf", 1);
	same_text("set", config_path(), "/srv/my.conf");
	unsetenv("AMO_CRM_CONFIG");
}

static bool
read_in_arena(struct ctx *ctx, void *arg)
{
	struct config cfg;
	bool ok = config_read(ctx, arg, &cfg);

	assert_int_equal(cfg.complete, ok);
	if (ok)
		assert_string_equal(cfg.amocrm.client_secret, "hunter2");
	return ok;
}

static void
reports_a_full_arena(void **state)
{
	struct file_text text;
	struct ctx ctx;
	struct config cfg;
	char path[PATH_SIZE];

	compose(&text, with_secret, &no_pair);
	assert_true(read_text(&ctx, *state, &text, &cfg));
	ctx_close(&ctx);
	path_in(*state, "amo-crm.conf", path);
	try_small_arenas("a configuration", read_in_arena, path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(fills_in_the_defaults),
		IN_FOLDER(reads_or_refuses_each_value),
		cmocka_unit_test(has_a_test_for_every_key),
		IN_FOLDER(demands_the_required_keys),
		IN_FOLDER(looks_at_the_whole),
		IN_FOLDER(lowers_the_account),
		IN_FOLDER(signs_states_where_users_have_their_own),
		IN_FOLDER(reads_the_lines),
		IN_FOLDER(tells_no_secret),
		IN_FOLDER(refuses_a_file_others_can_read),
		IN_FOLDER(keeps_the_app_section_in_a_fault),
		cmocka_unit_test(finds_its_path),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
