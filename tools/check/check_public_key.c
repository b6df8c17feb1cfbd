/* check_public_key.c - [jwt] public_key: what the file holds instead of a public key. */
#include "check/check.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512 /* bytes; PEM lines have 64 (RFC 7468 section 2) */

static const char from_openssh[] =
    "convert it: ssh-keygen -e -m PKCS8 -f %s; or openssl pkey -in <the app's key> -pubout";
static const char from_der[] =
    "convert it: openssl pkey -pubin -inform DER -in %s; or openssl pkey -in <the app's key> "
    "-pubout";

static const struct {
	const char *begins; /* a line of the file */
	const char *found;
	const char *to_do; /* "%s": the path */
} kinds[] = {
	{ "-----BEGIN CERTIFICATE-----", "is a certificate",
	    "extract its key: openssl x509 -in %s -noout -pubkey; openssl pkey -pubin -text -noout "
	    "shows which algorithm that key has" },
	{ "-----BEGIN RSA PUBLIC KEY-----", "is a key in the format PKCS #1",
	    "convert it: openssl rsa -RSAPublicKey_in -in %s -pubout" },
	{ "-----BEGIN OPENSSH PRIVATE KEY-----", "is a private key of OpenSSH",
	    "use the app's key for signing tokens: openssl pkey -in <its key> -pubout" },
	{ "ssh-", "is a public key of OpenSSH", from_openssh },
	{ "ecdsa-sha2-", "is a public key of OpenSSH", from_openssh },
	{ "{", "is JSON, as a JWK is",
	    "convert it to PEM, beginning with -----BEGIN PUBLIC KEY-----: openssl pkey -in <the "
	    "app's key> -pubout does that on the app's server" },
	/* a SEQUENCE of the length of a key for RSA, P-256 or Ed25519 */
	{ "\x30\x82", "is in the binary format DER", from_der },
	{ "\x30\x59", "is in the binary format DER", from_der },
	{ "\x30\x2a", "is in the binary format DER", from_der },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const char private_key[] =
    "is a private key, with which anybody who reads it can sign tokens";
static const char make_public[] =
    "make the public key from it, openssl pkey -in %s -pubout, and delete the private key from "
    "this server";

struct content {
	const char *found; /* NULL: nothing that is known */
	const char *to_do;
	int public_keys;
};

static void
look_at(struct content *content, const char *line)
{
	if (strncmp(line, "-----BEGIN PUBLIC KEY-----", 26) == 0)
		content->public_keys++;
	else if (strncmp(line, "-----BEGIN ", 11) == 0 && strstr(line, "PRIVATE KEY-----") != NULL
	    && strstr(line, "OPENSSH") == NULL) {
		content->found = private_key;
		content->to_do = make_public;
	}
	for (size_t i = 0; i < KINDS && content->found == NULL; i++)
		if (strncmp(line, kinds[i].begins, strlen(kinds[i].begins)) == 0) {
			content->found = kinds[i].found;
			content->to_do = kinds[i].to_do;
		}
}

/* False: the file cannot be read, of which its use will report the cause. */
static bool
read_content(const char *path, struct content *content)
{
	FILE *file = file_open_stream(path);
	char line[LINE_SIZE];

	if (file == NULL)
		return false;
	while (fgets(line, sizeof line, file) != NULL)
		look_at(content, line);
	explicit_bzero(line, sizeof line);
	return fclose(file) == 0;
}

static bool
report(struct check *c, const char *path, const struct content *content)
{
	const char *at = strstr(content->to_do, "%s");
	const char *to_do;

	if (at == NULL)
		to_do = content->to_do;
	else if (!ctx_printf(c->ctl->ctx, &to_do, "%.*s%s%s", (int)(at - content->to_do),
		     content->to_do, path, at + 2))
		return false;
	report_wrong(&c->report, "jwt", to_do, "%s: %s, and contains no PEM public key", path,
	    content->found);
	return false;
}

bool
check_public_key(struct check *c)
{
	const char *path = c->ctl->cfg.jwt.public_key;
	struct content content = { 0 };

	if (!read_content(path, &content))
		return true;
	if (content.public_keys == 0 && content.found != NULL)
		return report(c, path, &content);
	if (content.found == private_key) {
		report_wrong(&c->report, "jwt", "delete the private key from this file",
		    "%s: holds a private key beside the public one", path);
		return false;
	}
	if (content.public_keys > 1)
		report_warning(&c->report, "jwt", "leave only the key that signs tokens now",
		    "%s: holds %d public keys, of which only the first is used", path,
		    content.public_keys);
	return content.public_keys < 2;
}
