/* test_config.c - every key of the configuration, every rule, and the line that a fault names. */
#include "../../folder.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#define SECRET_32 "hunter2-hunter2-hunter2-hunter2-"
#define DATABASE  "dbname=amo_crm user=amo_crm"

struct pair {
	const char *section, *name, *value;
};

/* The required keys, with a secret for the app's JWT or with a public key. */
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

static const struct pair with_postgresql[] = {
	{ "amocrm", "client_id", "an-id" },
	{ "amocrm", "client_secret", "hunter2" },
	{ "amocrm", "redirect_uri", "https://crm.example/api/amo-crm/callback" },
	{ "amocrm", "account", "reforyou.amocrm.ru" },
	{ "jwt", "secret", SECRET_32 },
	{ "store", "keys", "/etc/amo-crm/keys" },
	{ "store", "engine", "postgresql" },
	{ "store", "database", DATABASE },
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

/* Writes the pairs of base without the one that has the key of last, and then last itself, unless
 * its value is NULL. */
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

/* Writes the text to a file in the folder and reads it.  The caller closes ctx. */
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
	assert_true(cfg.valid);
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

enum outcome { GOOD, BAD };

/* GOOD: the value is read as it is, or as that number if it is a choice or a number.  BAD: it is
 * refused, and the reason names its line. */
static const struct row {
	const char *label;
	struct pair pair;
	enum outcome outcome;
	int number;
	const struct pair *base; /* NULL: with_secret */
} values[] = {
	{ "an id", { "amocrm", "client_id", "01d01160-d7a0" }, GOOD, 0, NULL },
	{ "an empty id", { "amocrm", "client_id", "" }, BAD, 0, NULL },
	{ "a secret", { "amocrm", "client_secret", "hunter2=#" }, GOOD, 0, NULL },
	{ "an empty secret", { "amocrm", "client_secret", "" }, BAD, 0, NULL },
	{ "a secret with a control character", { "amocrm", "client_secret", "hunter2\x01" }, BAD, 0,
	    NULL },

	{ "an https URL", { "amocrm", "redirect_uri", "https://a.example/cb?x=1" }, GOOD, 0, NULL },
	{ "plain http to localhost with a port",
	    { "amocrm", "redirect_uri", "http://localhost:8080/cb" }, GOOD, 0, NULL },
	{ "plain http to localhost", { "amocrm", "redirect_uri", "http://localhost/cb" }, GOOD, 0,
	    NULL },
	{ "plain http to 127.0.0.1", { "amocrm", "redirect_uri", "http://127.0.0.1:8080/cb" }, GOOD,
	    0, NULL },
	{ "plain http", { "amocrm", "redirect_uri", "http://a.example/cb" }, BAD, 0, NULL },
	{ "a host that begins with localhost",
	    { "amocrm", "redirect_uri", "http://localhost.example/cb" }, BAD, 0, NULL },
	{ "a URL without a host", { "amocrm", "redirect_uri", "https://" }, BAD, 0, NULL },
	{ "an empty host", { "amocrm", "redirect_uri", "https:///cb" }, BAD, 0, NULL },
	{ "a URL with a fragment", { "amocrm", "redirect_uri", "https://a.example/#cb" }, BAD, 0,
	    NULL },
	{ "a URL with a space", { "amocrm", "redirect_uri", "https://a.example/a b" }, BAD, 0,
	    NULL },
	{ "a URL with a quote", { "amocrm", "redirect_uri", "https://a.example/\"" }, BAD, 0,
	    NULL },
	{ "a URL that is not ASCII", { "amocrm", "redirect_uri", "https://\xd0\xaf.example/" }, BAD,
	    0, NULL },
	{ "an empty URL", { "amocrm", "redirect_uri", "" }, BAD, 0, NULL },

	{ "an account", { "amocrm", "account", "other.kommo.com" }, GOOD, 0, NULL },
	{ "an empty account", { "amocrm", "account", "" }, BAD, 0, NULL },
	{ "two domains", { "amocrm", "account_domains", "amocrm.ru example.com" }, GOOD, 0, NULL },
	{ "a domain in capital letters", { "amocrm", "account_domains", "Amocrm.ru" }, BAD, 0,
	    NULL },
	{ "domains separated by a comma", { "amocrm", "account_domains", "amocrm.ru,kommo.com" },
	    BAD, 0, NULL },
	{ "a leading dot", { "amocrm", "account_domains", ".amocrm.ru" }, BAD, 0, NULL },
	{ "a leading dot in the second domain",
	    { "amocrm", "account_domains", "amocrm.ru .kommo.com" }, BAD, 0, NULL },
	{ "a top-level domain", { "amocrm", "account_domains", "ru" }, BAD, 0, NULL },
	{ "an empty list of domains", { "amocrm", "account_domains", "" }, BAD, 0, NULL },
	{ "the URL of Kommo", { "amocrm", "authorize_url", "https://www.kommo.com/oauth" }, GOOD, 0,
	    NULL },
	{ "a javascript: URL", { "amocrm", "authorize_url", "javascript:alert(1)" }, BAD, 0, NULL },

	{ "the shortest timeout", { "amocrm", "timeout", "1" }, GOOD, 1, NULL },
	{ "a timeout of zero", { "amocrm", "timeout", "0" }, BAD, 0, NULL },
	{ "the longest timeout", { "amocrm", "timeout", "30" }, GOOD, 30, NULL },
	{ "a timeout over the limit", { "amocrm", "timeout", "31" }, BAD, 0, NULL },
	{ "one call and one exchange", { "amocrm", "budget", "1 1" }, GOOD, 1, NULL },
	{ "the largest budget", { "amocrm", "budget", "50 50" }, GOOD, 50, NULL },
	{ "a budget over the limit", { "amocrm", "budget", "51 2" }, BAD, 0, NULL },
	{ "more exchanges than calls", { "amocrm", "budget", "7 8" }, BAD, 0, NULL },
	{ "no exchanges", { "amocrm", "budget", "7 0" }, BAD, 0, NULL },
	{ "a budget of one number", { "amocrm", "budget", "7" }, BAD, 0, NULL },
	{ "a budget of three numbers", { "amocrm", "budget", "7 2 1" }, BAD, 0, NULL },
	{ "a budget with a sign", { "amocrm", "budget", "7 -2" }, BAD, 0, NULL },
	{ "a budget that overflows", { "amocrm", "budget", "18446744073709551623 2" }, BAD, 0,
	    NULL },
	{ "a number with a unit", { "amocrm", "timeout", "5s" }, BAD, 0, NULL },
	{ "a number with a plus", { "amocrm", "timeout", "+5" }, BAD, 0, NULL },
	{ "a negative number", { "amocrm", "timeout", "-5" }, BAD, 0, NULL },
	{ "a fraction", { "amocrm", "timeout", "5.5" }, BAD, 0, NULL },
	{ "a hexadecimal number", { "amocrm", "timeout", "0x5" }, BAD, 0, NULL },
	{ "an empty number", { "amocrm", "timeout", "" }, BAD, 0, NULL },
	{ "a number that overflows 32 bits", { "amocrm", "timeout", "4294967301" }, BAD, 0, NULL },
	{ "a number that overflows 64 bits", { "amocrm", "timeout", "18446744073709551621" }, BAD,
	    0, NULL },

	{ "a path", { "amocrm", "ca_file", "/etc/ssl/ca.pem" }, GOOD, 0, NULL },
	{ "an empty path", { "amocrm", "ca_file", "" }, BAD, 0, NULL },
	{ "two elements of connect_to", { "amocrm", "connect_to", "a::127.0.0.1:1 b::[::1]:2" },
	    GOOD, 0, NULL },
	{ "an empty connect_to", { "amocrm", "connect_to", "" }, BAD, 0, NULL },
	{ "a proxy", { "amocrm", "proxy", "http://u:hunter2@proxy:3128" }, GOOD, 0, NULL },
	{ "a proxy with a control character", { "amocrm", "proxy", "http://u:hunter2\x7f@x" }, BAD,
	    0, NULL },

	{ "an account's number", { "amocrm", "account_id", "31920194" }, GOOD, 31920194, NULL },
	{ "account zero", { "amocrm", "account_id", "0" }, BAD, 0, NULL },
	{ "an account that is a host", { "amocrm", "account_id", "a.amocrm.ru" }, BAD, 0, NULL },
	{ "a path for deliveries", { "deliver", "ca_file", "/etc/ssl/ca.pem" }, GOOD, 0, NULL },
	{ "an empty path for deliveries", { "deliver", "ca_file", "" }, BAD, 0, NULL },
	{ "a proxy for deliveries", { "deliver", "proxy", "http://u:hunter2@proxy:3128" }, GOOD, 0,
	    NULL },
	{ "a proxy for deliveries with a control character",
	    { "deliver", "proxy", "http://u:hunter2\x7f@x" }, BAD, 0, NULL },

	{ "a name", { "app", "name", "For You \xd0\xaf" }, GOOD, 0, NULL },
	{ "an empty name", { "app", "name", "" }, BAD, 0, NULL },
	{ "a deep link", { "app", "deep_link", "my-app.2+x://host/path?x=1" }, GOOD, 0, NULL },
	{ "a deep link without //", { "app", "deep_link", "app:cb" }, GOOD, 0, NULL },
	{ "an https link", { "app", "deep_link", "https://foryou.example/cb" }, GOOD, 0, NULL },
	{ "a javascript: link", { "app", "deep_link", "javascript:alert(1)" }, BAD, 0, NULL },
	{ "a data: link", { "app", "deep_link", "data:text/html,x" }, BAD, 0, NULL },
	{ "a file: link", { "app", "deep_link", "file:///etc/passwd" }, BAD, 0, NULL },
	{ "a scheme that begins like a refused one", { "app", "deep_link", "database:x" }, GOOD, 0,
	    NULL },
	{ "a capital in the scheme", { "app", "deep_link", "JavaScript:alert(1)" }, BAD, 0, NULL },
	{ "a scheme that begins with a digit", { "app", "deep_link", "1app:x" }, BAD, 0, NULL },
	{ "no scheme", { "app", "deep_link", "//host/path" }, BAD, 0, NULL },
	{ "only a scheme", { "app", "deep_link", "foryoure" }, BAD, 0, NULL },
	{ "an empty link", { "app", "deep_link", "" }, BAD, 0, NULL },
	{ "a fragment in the link", { "app", "deep_link", "app://x#y" }, BAD, 0, NULL },
	{ "a space in the link", { "app", "deep_link", "app://x y" }, BAD, 0, NULL },
	{ "a semicolon, which ends a part of an intent", { "app", "deep_link", "app://x;y" }, BAD,
	    0, NULL },
	{ "a quote, which ends an attribute", { "app", "deep_link", "app://x\"y" }, BAD, 0, NULL },
	{ "redirect by a page", { "app", "redirect", "page" }, GOOD, REDIRECT_PAGE, NULL },
	{ "redirect by a button", { "app", "redirect", "button" }, GOOD, REDIRECT_BUTTON, NULL },
	{ "redirect by a 302 response", { "app", "redirect", "302" }, GOOD, REDIRECT_302, NULL },
	{ "an unknown redirect", { "app", "redirect", "301" }, BAD, 0, NULL },
	{ "a truncated word", { "app", "redirect", "pag" }, BAD, 0, NULL },
	{ "two words instead of one", { "app", "redirect", "page button" }, BAD, 0, NULL },
	{ "a choice in capital letters", { "app", "redirect", "Page" }, BAD, 0, NULL },
	{ "an empty choice", { "app", "redirect", "" }, BAD, 0, NULL },
	{ "shared connections", { "app", "connections", "shared" }, GOOD, CONNECTIONS_SHARED,
	    NULL },
	{ "connections per user", { "app", "connections", "per_user" }, GOOD, CONNECTIONS_PER_USER,
	    NULL },
	{ "per user with a hyphen", { "app", "connections", "per-user" }, BAD, 0, NULL },
	{ "any state", { "app", "state", "any" }, GOOD, STATE_ANY, NULL },
	{ "signed states", { "app", "state", "signed" }, GOOD, STATE_SIGNED, NULL },
	{ "an unknown choice of states", { "app", "state", "none" }, BAD, 0, NULL },
	{ "a package", { "app", "android_package", "com.foryou.Real_estate2" }, GOOD, 0, NULL },
	{ "a package that would end a part of the intent", { "app", "android_package", "a;S.x=y" },
	    BAD, 0, NULL },
	{ "a package of one word", { "app", "android_package", "foryou" }, BAD, 0, NULL },
	{ "an empty package", { "app", "android_package", "" }, BAD, 0, NULL },

	{ "HS384", { "jwt", "algorithm", "HS384" }, GOOD, JWT_HS384, NULL },
	{ "HS512", { "jwt", "algorithm", "HS512" }, GOOD, JWT_HS512, NULL },
	{ "RS256", { "jwt", "algorithm", "RS256" }, GOOD, JWT_RS256, with_public_key },
	{ "ES256", { "jwt", "algorithm", "ES256" }, GOOD, JWT_ES256, with_public_key },
	{ "EdDSA", { "jwt", "algorithm", "EdDSA" }, GOOD, JWT_EDDSA, with_public_key },
	{ "the algorithm none", { "jwt", "algorithm", "none" }, BAD, 0, NULL },
	{ "an algorithm in lower case", { "jwt", "algorithm", "hs256" }, BAD, 0, NULL },
	{ "a jwt secret of 32 bytes", { "jwt", "secret", SECRET_32 }, GOOD, 0, NULL },
	{ "a jwt secret of 31 bytes", { "jwt", "secret", "hunter2-hunter2-hunter2-hunter2" }, BAD,
	    0, NULL },
	{ "an empty jwt secret", { "jwt", "secret", "" }, BAD, 0, NULL },
	{ "another public key", { "jwt", "public_key", "/x.pem" }, GOOD, 0, with_public_key },
	{ "an empty path of the public key", { "jwt", "public_key", "" }, BAD, 0, with_public_key },
	{ "an issuer", { "jwt", "issuer", "https://id.example" }, GOOD, 0, NULL },
	{ "an empty issuer", { "jwt", "issuer", "" }, BAD, 0, NULL },
	{ "an audience", { "jwt", "audience", "app" }, GOOD, 0, NULL },
	{ "an empty audience", { "jwt", "audience", "" }, BAD, 0, NULL },
	{ "a claim", { "jwt", "user_claim", "user_id" }, GOOD, 0, NULL },
	{ "an empty claim", { "jwt", "user_claim", "" }, BAD, 0, NULL },
	{ "a leeway of zero", { "jwt", "leeway", "0" }, GOOD, 0, NULL },
	{ "a negative leeway", { "jwt", "leeway", "-1" }, BAD, 0, NULL },
	{ "the longest leeway", { "jwt", "leeway", "600" }, GOOD, 600, NULL },
	{ "a leeway over the limit", { "jwt", "leeway", "601" }, BAD, 0, NULL },

	{ "a file without a folder", { "amocrm", "ca_file", "ca.pem" }, BAD, 0, NULL },
	{ "a file of the present folder", { "deliver", "ca_file", "./ca.pem" }, BAD, 0, NULL },
	{ "a shell's variable", { "jwt", "public_key", "$HOME/x.pem" }, BAD, 0, with_public_key },
	{ "a folder below ~", { "store", "path", "~/store" }, BAD, 0, NULL },
	{ "a path of Windows", { "store", "keys", "C:\\amo-crm\\keys" }, BAD, 0, NULL },
	{ "a key in place of its file", { "store", "keys", "k1 hunter2" }, BAD, 0, NULL },
	{ "a folder", { "store", "path", "/srv/amo crm" }, GOOD, 0, NULL },
	{ "an empty folder", { "store", "path", "" }, BAD, 0, NULL },
	{ "a key ring", { "store", "keys", "/srv/keys" }, GOOD, 0, NULL },
	{ "an empty path of the key ring", { "store", "keys", "" }, BAD, 0, NULL },
	{ "the default engine", { "store", "engine", "files" }, GOOD, ENGINE_FILES, NULL },
	{ "the other engine", { "store", "engine", "postgresql" }, GOOD, ENGINE_POSTGRESQL,
	    with_postgresql },
	{ "an unknown engine", { "store", "engine", "mysql" }, BAD, 0, with_postgresql },
	{ "several hosts",
	    { "store", "database",
		"host=db1,db2 port=5432 dbname=amo_crm user=amo_crm sslmode=verify-full" },
	    GOOD, 0, with_postgresql },
	{ "a host in quotes", { "store", "database", "host = '/run/a b' dbname='a\\'b' user=x" },
	    GOOD, 0, with_postgresql },
	{ "a password in the connection string",
	    { "store", "database", "dbname=a user=b password=hunter2" }, BAD, 0, with_postgresql },
	{ "a connection string without a user", { "store", "database", "host=db1 dbname=a" }, BAD,
	    0, with_postgresql },
	{ "a connection string without a database", { "store", "database", "host=db1 user=a" }, BAD,
	    0, with_postgresql },
	{ "the URL of a database", { "store", "database", "postgresql://a@db1/a" }, BAD, 0,
	    with_postgresql },
	{ "a keyword that the programs set", { "store", "database", DATABASE " options=-cx=y" },
	    BAD, 0, with_postgresql },
	{ "a word alone", { "store", "database", DATABASE " host" }, BAD, 0, with_postgresql },
	{ "a keyword without a value", { "store", "database", DATABASE " host=" }, BAD, 0,
	    with_postgresql },
	{ "a quote that is not closed", { "store", "database", DATABASE " host='db1" }, BAD, 0,
	    with_postgresql },
	{ "a password file", { "store", "password_file", "/etc/amo-crm/password" }, GOOD, 0,
	    with_postgresql },
	{ "a relative path of the password file", { "store", "password_file", "password" }, BAD, 0,
	    with_postgresql },

	{ "a webhook secret of 16 characters", { "webhook", "secret", "hunter2-hunter2-" }, GOOD, 0,
	    NULL },
	{ "a webhook secret of 15 characters", { "webhook", "secret", "hunter2-hunter2" }, BAD, 0,
	    NULL },
	{ "connected accounts", { "webhook", "accounts", "connected" }, GOOD, WEBHOOK_CONNECTED,
	    NULL },
	{ "any account", { "webhook", "accounts", "any" }, GOOD, WEBHOOK_ANY, NULL },
	{ "an unknown choice of accounts", { "webhook", "accounts", "all" }, BAD, 0, NULL },
	{ "the smallest max_body", { "webhook", "max_body", "1024" }, GOOD, 1024, NULL },
	{ "a max_body below the minimum", { "webhook", "max_body", "1023" }, BAD, 0, NULL },
	{ "the largest max_body", { "webhook", "max_body", "8388608" }, GOOD, 8388608, NULL },
	{ "a max_body over the maximum", { "webhook", "max_body", "8388609" }, BAD, 0, NULL },
	{ "one day", { "webhook", "keep_days", "1" }, GOOD, 1, NULL },
	{ "zero days", { "webhook", "keep_days", "0" }, BAD, 0, NULL },
	{ "a century", { "webhook", "keep_days", "36500" }, GOOD, 36500, NULL },
	{ "a day more than a century", { "webhook", "keep_days", "36501" }, BAD, 0, NULL },

	{ "a receiver", { "deliver", "url", "https://n8n.example/hook#x" }, GOOD, 0, NULL },
	{ "a receiver by plain http", { "deliver", "url", "http://10.0.0.1:5678/" }, GOOD, 0,
	    NULL },
	{ "a receiver with a file: URL", { "deliver", "url", "file:///tmp/x" }, BAD, 0, NULL },
	{ "a receiver without a host", { "deliver", "url", "https:///hook" }, BAD, 0, NULL },
	{ "a receiver with a port alone", { "deliver", "url", "http://:80/" }, BAD, 0, NULL },
	{ "a receiver that ends before its host", { "deliver", "url", "https://" }, BAD, 0, NULL },
	{ "a receiver with a space", { "deliver", "url", "https://a b" }, BAD, 0, NULL },
	{ "two secrets of deliveries", { "deliver", "secret", "whsec_aaaa whsec_bbbb" }, GOOD, 0,
	    NULL },
	{ "an empty secret of deliveries", { "deliver", "secret", "" }, BAD, 0, NULL },
	{ "the smallest journal", { "webhook", "max_journal", "1048576" }, GOOD, 1048576, NULL },
	{ "a journal with a unit", { "webhook", "max_journal", "1 MiB" }, GOOD, 1048576, NULL },
	{ "a unit without a space", { "webhook", "max_journal", "1024KiB" }, GOOD, 1048576, NULL },
	{ "a journal below the limit", { "webhook", "max_journal", "1048575" }, BAD, 0, NULL },
	{ "a unit of a thousand", { "webhook", "max_journal", "16 GB" }, BAD, 0, NULL },
	{ "a size without a number", { "webhook", "max_journal", "GiB" }, BAD, 0, NULL },
	{ "a negative size", { "webhook", "max_journal", "-1" }, BAD, 0, NULL },
	{ "a size that overflows", { "webhook", "max_journal", "99999999999 TiB" }, BAD, 0, NULL },
	{ "private addresses", { "deliver", "allow_private", "yes" }, GOOD, 1, NULL },
	{ "no private addresses", { "deliver", "allow_private", "no" }, GOOD, 0, NULL },
	{ "true instead of yes", { "deliver", "allow_private", "true" }, BAD, 0, NULL },
};

static void
check_value(const struct row *row, const struct config_key *key, const struct config *cfg)
{
	const char *at = (const char *)cfg + key->offset;
	const char *text;
	int64_t id;
	int number;

	if (strcmp(key->name, "account_id") == 0) {
		memcpy(&id, at, sizeof id);
		same_number(row->label, id, row->number);
	} else if (!key->text) {
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
		same_fault(row->label, &ctx, ok, row->outcome == GOOD ? FAULT_NONE : FAULT_CONFIG);
		DEMAND(row->label, cfg.valid == (row->outcome == GOOD));
		if (ok)
			check_value(row, key, &cfg);
		else {
			snprintf(place, sizeof place, "/amo-crm.conf:%d: [%s] %s must be ",
			    text.lines, row->pair.section, row->pair.name);
			has_text(row->label, ctx.reason, place);
		}
		has_no_text("the secret is in the reason", ctx.reason, "hunter2");
		ctx_close(&ctx);
	}
}

static bool
has_row(const struct config_key *key, enum outcome outcome, const char *value)
{
	for (size_t i = 0; i < ROWS(values); i++)
		if (key_of(&values[i].pair) == key && values[i].outcome == outcome
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
		if (key->max == 0 || strcmp(key->name, "budget") == 0 /* two numbers */
		    || strcmp(key->name, "max_journal") == 0)         /* with a unit */
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
	assert_true(count <= 64); /* config_read marks the keys that it has read in 64 bits */
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
			DEMAND(key->name, !cfg.valid);
			snprintf(expected, sizeof expected, "/amo-crm.conf: [%s] %s is missing",
			    key->section, key->name);
			has_text(key->name, ctx.reason, expected);
		}
		ctx_close(&ctx);
	}
	assert_int_equal(required, 4);
}

static void
checks_keys_against_each_other(void **state)
{
	static const struct {
		const char *label;
		const struct pair *base;
		struct pair pair, more;
		enum fault_kind expected;
		const char *part; /* of the reason */
	} table[] = {
		{ "shared connections without an account", with_secret,
		    { "amocrm", "account", NULL }, { NULL, NULL, NULL }, FAULT_CONFIG,
		    "[amocrm] account is missing" },
		{ "connections per user without an account", with_secret,
		    { "amocrm", "account", NULL }, { "app", "connections", "per_user" }, FAULT_NONE,
		    "" },
		{ "an account outside account_domains", with_secret,
		    { "amocrm", "account", "a.example.com" }, { NULL, NULL, NULL }, FAULT_CONFIG,
		    "below account_domains" },
		{ "an account outside account_domains, per user", with_secret,
		    { "amocrm", "account", "a.example.com" }, { "app", "connections", "per_user" },
		    FAULT_CONFIG, "below account_domains" },
		{ "an account in another account_domains", with_secret,
		    { "amocrm", "account", "a.example.com" },
		    { "amocrm", "account_domains", "example.com" }, FAULT_NONE, "" },
		{ "a URL instead of an account", with_secret,
		    { "amocrm", "account", "https://reforyou.amocrm.ru" }, { NULL, NULL, NULL },
		    FAULT_CONFIG, "the host alone" },
		{ "a slash behind an account", with_secret,
		    { "amocrm", "account", "reforyou.amocrm.ru/" }, { NULL, NULL, NULL },
		    FAULT_CONFIG, "the host alone" },
		{ "a subdomain instead of an account", with_secret,
		    { "amocrm", "account", "reforyou" }, { NULL, NULL, NULL }, FAULT_CONFIG,
		    "the full host name" },
		{ "a number instead of an account", with_secret,
		    { "amocrm", "account", "31920194" }, { NULL, NULL, NULL }, FAULT_CONFIG,
		    "belongs to account_id" },
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
		{ "postgresql without a database", with_postgresql, { "store", "database", NULL },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "database is missing" },
		{ "a database with files", with_postgresql, { "store", "engine", "files" },
		    { NULL, NULL, NULL }, FAULT_CONFIG, "require engine = postgresql" },
		{ "a password file with files", with_secret,
		    { "store", "password_file", "/etc/amo-crm/password" }, { NULL, NULL, NULL },
		    FAULT_CONFIG, "require engine = postgresql" },
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
		DEMAND(table[i].label, cfg.valid == ok);
		has_text(table[i].label, ctx.reason, table[i].part);
		has_no_text("the secret is in the reason", ctx.reason, "hunter2");
		ctx_close(&ctx);
	}
}

static void
reads_the_account_in_lower_case(void **state)
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
chooses_the_default_of_state_by_connections(void **state)
{
	static const struct {
		const char *label, *connections, *state;
		int expected;
	} table[] = {
		{ "the default with shared connections", "shared", NULL, STATE_ANY },
		{ "the default with connections per user", "per_user", NULL, STATE_SIGNED },
		{ "shared connections and signed states", "shared", "signed", STATE_SIGNED },
		{ "connections per user and any state", "per_user", "any", STATE_ANY },
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

static void
tells_what_is_wrong_with_a_url(void **state)
{
	static const struct {
		const char *url, *expected;
	} table[] = {
		{ "HTTPS://a.example/cb", "scheme in lower case" },
		{ "http://a.example/cb", "for localhost only" },
		{ "http://localhost.example/cb", "for localhost only" },
		{ "a.example/cb", "begin with" },
		{ "//a.example/cb", "begin with" },
		{ "<https://a.example/cb>", "without quotes, brackets" },
		{ "https://a.example/#cb", "without '#'" },
		{ "https://a.example/c b", "without spaces" },
		{ "https://\u0434\u043e\u043c.example/cb", "xn--" },
		{ "https:///cb", "with a host" },
		{ "https://", "with a host" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		const struct pair uri = { "amocrm", "redirect_uri", table[i].url };
		struct file_text text;
		struct ctx ctx;
		struct config cfg;

		compose(&text, with_secret, &uri);
		same_fault(table[i].url, &ctx, read_text(&ctx, *state, &text, &cfg), FAULT_CONFIG);
		has_text(table[i].url, ctx.reason, "must be an https:// URL");
		has_text(table[i].url, ctx.reason, table[i].expected);
		ctx_close(&ctx);
	}
}

#define TEXT(s)  s, sizeof s - 1
#define X10      "xxxxxxxxxx"
#define X50      X10 X10 X10 X10 X10
#define LINE_198 "name = " X50 X50 X50 X10 X10 X10 X10 "x" /* inih's longest line */

static void
checks_the_syntax_of_lines(void **state)
{
	static const struct {
		const char *label, *text; /* appended to a valid file */
		size_t len;
		int line; /* the wrong line of text; 0: none */
	} table[] = {
		{ "comments and blank lines", TEXT("# x\n; y\n\n  \n\t# z\n"), 0 },
		{ "lines that end with CR LF", TEXT("[app]\r\nname = x\r\n"), 0 },
		{ "no newline at the end", TEXT("[app]\nname = x"), 0 },
		{ "no spaces around the equals sign", TEXT("[app]\nname=x\n"), 0 },
		{ "a colon instead of the equals sign", TEXT("[app]\nname: x\n"), 0 },
		{ "a space before the first key of a section", TEXT("[app]\n  name = x\n"), 0 },
		{ "a line at the limit", TEXT("[app]\n" LINE_198 "\n"), 0 },
		{ "a line over the limit", TEXT("[app]\n" LINE_198 "x\n"), 2 },
		{ "a line over the limit at the end", TEXT("[app]\n" LINE_198 "xx"), 2 },
		{ "a comment over the limit", TEXT("\n# " X50 X50 X50 X50 "\n"), 2 },

		{ "an unknown section", TEXT("[apps]\nname = x\n"), 2 },
		{ "a section in capital letters", TEXT("[App]\nname = x\n"), 2 },
		{ "an unknown key", TEXT("[app]\nnames = x\n"), 2 },
		{ "a key in capital letters", TEXT("[app]\nName = x\n"), 2 },
		{ "a key of another section", TEXT("[app]\ntimeout = 3\n"), 2 },
		{ "an empty name", TEXT("[app]\n= x\n"), 2 },
		{ "a key twice", TEXT("[app]\nname = x\nname = y\n"), 3 },
		{ "a key twice with the same value", TEXT("[app]\nname = x\nname = x\n"), 3 },
		{ "a key twice, in two parts of a section",
		    TEXT("[app]\nname = x\n[jwt]\n[app]\nname = x\n"), 5 },
		{ "a required key twice", TEXT("[amocrm]\nclient_id = x\n"), 2 },
		{ "a value continued on the next line", TEXT("[app]\nname = x\n  and y\n"), 3 },
		{ "a key that is indented", TEXT("[jwt]\nissuer = x\n audience = y\n"), 3 },
		{ "neither section nor key", TEXT("[app]\nname\n"), 2 },
		{ "a section without its closing bracket", TEXT("[app\n"), 1 },
		{ "the first error of several", TEXT("[app]\nnames = x\nstate = y\n"), 2 },
		{ "a key on the line of a section", TEXT("[jwt] leeway = 5\n"), 1 },
		{ "a NUL in a value", TEXT("[app]\nname = x\0y\n"), 2 },
		{ "a NUL at the end of a line", TEXT("[app]\nname = x\0\n"), 2 },
		{ "a NUL at the beginning of a line", TEXT("[app]\n\0name = x\n"), 2 },
		{ "a NUL in a comment", TEXT("# \0\n"), 1 },
		{ "a NUL in a last line without a newline", TEXT("[app]\nname = x\0y"), 2 },
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

/* What people write instead of "deep_link = x". */
static void
tells_what_was_probably_meant(void **state)
{
	static const struct {
		const char *label, *text, *expected;
	} table[] = {
		{ "as in a shell", "[app]\nexport name=x\n", "perhaps it should be name" },
		{ "a variable", "[app]\n$deep_link = x\n", "perhaps it should be deep_link" },
		{ "capitals", "[app]\nDEEP_LINK = x\n", "perhaps it should be deep_link" },
		{ "a hyphen", "[app]\ndeep-link = x\n", "perhaps it should be deep_link" },
		{ "camel case", "[app]\ndeepLink = x\n", "perhaps it should be deep_link" },
		{ "as in PHP", "[app]\n'deep_link' => 'x',\n", "perhaps it should be deep_link" },
		{ "a no-break space", "[app]\ndeep_link\u00a0= x\n",
		    "perhaps it should be deep_link" },
		{ "the longest of two", "[amocrm]\naccountId = 5\n",
		    "perhaps it should be account_id" },
		{ "another word", "[app]\ncolour = x\n", "unknown key colour in section [app]" },
		{ "capitals in a section", "[App]\nname = x\n", "unknown section" },
		{ "blanks in a section", "[ app ]\nname = x\n", "unknown section [ app ]" },
		{ "an empty value", "[app]\nname =\n", "; it is empty" },
		{ "a comment behind a value", "[amocrm]\ntimeout = 5 # s\n", "; it has a comment" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct file_text text;
		struct ctx ctx;
		struct config cfg;

		compose(&text, with_secret, &no_pair);
		add(&text, table[i].text);
		same_fault(
		    table[i].label, &ctx, read_text(&ctx, *state, &text, &cfg), FAULT_CONFIG);
		has_text(table[i].label, ctx.reason, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
tells_what_kind_of_file_it_is(void **state)
{
	static const struct {
		const char *label, *text;
		size_t len;
		const char *expected;
	} table[] = {
		{ "YAML", TEXT("amocrm:\n  client_id: x\n"), "no [section] before this line" },
		{ "JSON", TEXT("{\"amocrm\": {}}\n"), "no [section] before this line" },
		{ "a section without its bracket", TEXT("[amocrm\nclient_id = x\n"),
		    "no [section] before this line" },
		{ "UTF-16", TEXT("\xff\xfe[\0a\0p\0p\0]\0\n\0"), "save the file as UTF-8" },
		{ "lines that end with CR", TEXT("# " X50 X50 X50 X50 "\r[app]\r"), "too long" },
	};

	for (size_t i = 0; i < ROWS(table); i++) {
		struct file_text text = { .len = 0 };
		struct ctx ctx;
		struct config cfg;

		add_bytes(&text, table[i].text, table[i].len);
		same_fault(
		    table[i].label, &ctx, read_text(&ctx, *state, &text, &cfg), FAULT_CONFIG);
		has_text(table[i].label, ctx.reason, table[i].expected);
		ctx_close(&ctx);
	}
}

/* Whatever is wrong with the line of a secret, the secret does not reach the log. */
static void
keeps_secrets_out_of_the_reason(void **state)
{
	static const struct {
		const char *label, *text;
	} table[] = {
		{ "no equals sign", "[jwt]\nsecret " SECRET_32 "\n" },
		{ "no equals sign, but one in the secret", "[jwt]\nsecret hunter2==\n" },
		{ "no equals sign, but a colon in the secret", "[jwt]\nsecret hunter2:x\n" },
		{ "a misspelt key", "[jwt]\nsecrte = " SECRET_32 "\n" },
		{ "the wrong section", "[app]\nsecret = " SECRET_32 "\n" },
		{ "the key twice", "[amocrm]\nclient_secret = hunter2\nclient_secret = hunter2\n" },
		{ "the secret on the next line", "[jwt]\nsecret = \n hunter2\n" },
		{ "a secret that is too short", "[jwt]\nsecret = hunter2\n" },
		{ "a line over its limit", "[jwt]\nsecret = hunter2" X50 X50 X50 X50 "\n" },
		{ "a control character in the secret", "[jwt]\nsecret = " SECRET_32 "\x02\n" },
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
refuses_a_file_that_others_can_read(void **state)
{
	static const struct {
		const char *label;
		mode_t mode;
		bool safe;
	} table[] = {
		{ "readable and writable for the owner", 0600, true },
		{ "readable also for the group", 0640, true },
		{ "readable for everybody", 0644, false },
		{ "writable for the group", 0660, false },
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

/* A fault must be reported to the app even if the configuration itself is wrong. */
static void
keeps_the_app_section_after_a_fault(void **state)
{
	static const struct {
		const char *label, *text, *deep_link;
		int redirect;
	} table[] = {
		{ "no file", NULL, "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "an empty file", "", "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "an error after the section", "[app]\ndeep_link = x://y\nredirect = 302\nz = 1\n",
		    "x://y", REDIRECT_302 },
		{ "an error before the section", "[z]\nz = 1\n[app]\ndeep_link = x://y\n",
		    "foryoure://amo-crm/callback", REDIRECT_PAGE },
		{ "an error in the section", "[app]\nredirect = button\ndeep_link = javascript:1\n",
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
		DEMAND(table[i].label, !cfg.valid);
		same_text(table[i].label, cfg.app.deep_link, table[i].deep_link);
		same_number(table[i].label, cfg.app.redirect, table[i].redirect);
		same_number(table[i].label, cfg.app.connections, CONNECTIONS_SHARED);
		same_number(table[i].label, cfg.app.state, STATE_ANY);
		ctx_close(&ctx);
	}
}

static void
finds_the_path(void **state)
{
	(void)state;
	unsetenv("AMO_CRM_CONFIG");
	same_text("not set", config_path(), CONFIG_PATH);
	setenv("AMO_CRM_CONFIG", "", 1);
	same_text("set to an empty text", config_path(), CONFIG_PATH);
	setenv("AMO_CRM_CONFIG", "/srv/my.conf", 1);
	same_text("set", config_path(), "/srv/my.conf");
	unsetenv("AMO_CRM_CONFIG");
}

static bool
read_in_arena(struct ctx *ctx, void *arg)
{
	struct config cfg;
	bool ok = config_read(ctx, arg, &cfg);

	assert_int_equal(cfg.valid, ok);
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
		IN_FOLDER(checks_keys_against_each_other),
		IN_FOLDER(reads_the_account_in_lower_case),
		IN_FOLDER(chooses_the_default_of_state_by_connections),
		IN_FOLDER(tells_what_is_wrong_with_a_url),
		IN_FOLDER(checks_the_syntax_of_lines),
		IN_FOLDER(tells_what_was_probably_meant),
		IN_FOLDER(tells_what_kind_of_file_it_is),
		IN_FOLDER(keeps_secrets_out_of_the_reason),
		IN_FOLDER(refuses_a_file_that_others_can_read),
		IN_FOLDER(keeps_the_app_section_after_a_fault),
		cmocka_unit_test(finds_the_path),
		IN_FOLDER(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
