/* check_network.c - what a call to amoCRM needs: certificates, proxy, and the helper programs. */
#include "check/check.h"

#include "base/clock.h"
#include "base/file.h"
#include "config/config_rules.h"
#include "crypto/seal.h"
#include "helper/https.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Seconds after which the web servers of our examples terminate a program, and which one request
 * takes beside amoCRM: it waits for another one with the same code for [amocrm] timeout and this
 * long, and then makes its own exchange. */
#define SERVER_TIMEOUT_S 30
#define OWN_TIME_S       2

#define START_MS 5000 /* for amo-crm-https to start and to reply */

/* The number of complete certificates in a PEM file (RFC 7468); -1: it cannot be read. */
static int
count_certificates(const char *path)
{
	FILE *file = file_open_stream(path);
	char line[256];
	bool inside = false;
	int count = 0;

	if (file == NULL)
		return -1;
	while (fgets(line, sizeof line, file) != NULL) {
		bool begins = strncmp(line, "-----BEGIN ", 11) == 0;
		bool ends = strncmp(line, "-----END ", 9) == 0;

		if ((begins || ends) && strstr(line, "CERTIFICATE-----") != NULL) {
			count += ends && inside;
			inside = begins;
		}
	}
	fclose(file);
	return count;
}

/* The certificates that libcurl uses, where distributions install them; NULL: not found. */
static const char *
system_bundle(void)
{
	static const char *const places[] = { "/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
		"/usr/local/share/certs/ca-root-nss.crt" };

	for (size_t i = 0; i < sizeof places / sizeof *places; i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

/* The certificates of [amocrm] or of [deliver]. */
static void
check_ca_of(struct check *c, const char *section, const char *given)
{
	const char *path = given == NULL ? system_bundle() : given;
	const char *to_do = given == NULL
	    ? "install the package ca-certificates, or set ca_file"
	    : "ca_file must name a PEM file that the web server's user can read; without it the "
	      "system's certificates are used";
	int count = path == NULL ? -1 : count_certificates(path);
	struct ctx *ctx = c->ctl->ctx;
	struct stat st;

	if (count > 0 && given != NULL && stat(given, &st) == 0 && !file_trusted(ctx, &st, given))
		report_fault(&c->report, "certificates", check_advice(ctx, to_do));
	else if (path == NULL)
		report_wrong(&c->report, "certificates", to_do,
		    "this system has no list of certificate authorities: no server can be "
		    "authenticated");
	else if (count < 0)
		report_wrong(&c->report, "certificates", to_do, "[%s] %s: %s", section, path,
		    file_open_error(errno));
	else if (count == 0)
		report_wrong(&c->report, "certificates", to_do, "[%s] %s: contains no certificate",
		    section, path);
	else
		report_ok(&c->report, "certificates", "[%s] %s: %d", section, path, count);
}

void
check_ca(struct check *c)
{
	check_ca_of(c, "amocrm", c->ctl->cfg.amocrm.ca_file);
	if (c->ctl->cfg.deliver.url != NULL)
		check_ca_of(c, "deliver", c->ctl->cfg.deliver.ca_file);
}

/* Whether [SECTION] proxy is well-formed. */
static bool
check_proxy(struct check *c, const char *section, const char *proxy)
{
	if (proxy == NULL || config_proxy_valid(proxy))
		return true;
	report_wrong(&c->report, "network",
	    "proxy must be a URL such as http://proxy.example:3128 or socks5h://...",
	    "[%s] proxy is malformed", section); /* not shown: it may have a password */
	return false;
}

void
check_network(struct check *c)
{
	const struct amocrm_config *cfg = &c->ctl->cfg.amocrm;
	struct report *r = &c->report;
	bool ok = true;

	if (cfg->connect_to != NULL && !config_connect_to_valid(cfg->connect_to)) {
		ok = false;
		report_wrong(r, "network",
		    "[amocrm] connect_to must be HOST1:PORT1:HOST2:PORT2, or several of these "
		    "separated by spaces",
		    "connect_to is malformed: %s", cfg->connect_to);
	}
	ok = check_proxy(c, "amocrm", cfg->proxy) && ok;
	ok = check_proxy(c, "deliver", c->ctl->cfg.deliver.proxy) && ok;
	if (2 * cfg->timeout + OWN_TIME_S > SERVER_TIMEOUT_S) {
		ok = false;
		report_warning(r, "network",
		    "set a shorter timeout, or raise the limits of 30 seconds in the web server's "
		    "configuration: a program that it terminates may lose a code",
		    "[amocrm] timeout = %d: a request may take %d seconds", cfg->timeout,
		    2 * cfg->timeout + OWN_TIME_S);
	}
	if (ok)
		report_ok(r, "network", "%s%s%s",
		    cfg->proxy == NULL ? "no proxy" : "through a proxy",
		    cfg->connect_to == NULL ? "" : ", some hosts at other addresses by connect_to",
		    c->ctl->cfg.deliver.proxy == NULL ? "" : "; deliveries through a proxy");
}

static const char *
helper_advice(const struct ctx *ctx)
{
	if (strstr(ctx->reason, "may not enter") != NULL || strstr(ctx->reason, "noexec") != NULL)
		return "the web server's programs cannot start it either: correct this first";
	if (strstr(ctx->reason, "memory") != NULL)
		return "raise the limit on memory (ulimit -v), or install the libraries that ldd "
		       "shows to be missing";
	return "run make install again, or upload the programs again; amo-crm-https and "
	       "amo-crm-crypto must have mode 0755 and the same version as amocrmctl, and the "
	       "libraries they need must be installed";
}

/* A call that amo-crm-https must refuse before it connects: the URL is not of that host. */
static bool
https_starts(struct ctx *ctx)
{
	const struct https_request call = { .method = "GET",
		.url = "https://one.invalid/",
		.host = "another.invalid",
		.deadline_ms = clock_ms() + START_MS };
	struct https_reply answer;

	if (!https_send(ctx, &call, &answer) && ctx->kind == FAULT_REQUEST) {
		ctx_clear_fault(ctx);
		return true;
	}
	return fault(ctx, FAULT_SERVER,
	    "amo-crm-https is of another version: it does not check the host of a URL");
}

static bool
crypto_starts(struct ctx *ctx)
{
	static const struct keyring ring = { .keys = { { .kid = "check" } }, .count = 1 };
	const char *sealed;
	const char *opened;

	return seal(ctx, &ring, "check", "sealed", &sealed)
	    && unseal(ctx, &ring, "check", sealed, &opened)
	    && (strcmp(opened, "sealed") == 0
		|| fault(ctx, FAULT_SERVER,
		    "amo-crm-crypto decrypts to another text than it has encrypted"));
}

void
check_https(struct check *c)
{
	if (https_starts(c->ctl->ctx))
		report_ok(&c->report, "amo-crm-https", "which sends requests to amoCRM: starts");
	else
		report_fault(&c->report, "amo-crm-https", helper_advice(c->ctl->ctx));
}

void
check_crypto(struct check *c)
{
	c->crypto_usable = crypto_starts(c->ctl->ctx);
	if (c->crypto_usable)
		report_ok(&c->report, "amo-crm-crypto", "which encrypts tokens: starts");
	else
		report_fault(&c->report, "amo-crm-crypto", helper_advice(c->ctl->ctx));
}
