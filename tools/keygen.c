/* keygen.c - `amocrmctl keygen`. */
#include "ctl.h"

#include "base/encode.h"
#include "base/rfc3339.h"
#include "crypto/keyring.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum ctl_exit
ctl_keygen(struct ctl *ctl)
{
	uint8_t secret[KEY_SIZE];
	char hex[2 * KEY_SIZE + 1];
	char kid[RFC3339_SIZE];
	uint8_t unique[2];

	if (ctl->argc > 1)
		return ctl_usage(ctl, "takes no arguments");
	if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret
	    || getrandom(unique, sizeof unique, 0) != (ssize_t)sizeof unique) {
		perror("amocrmctl keygen");
		return CTL_FAILED;
	}
	rfc3339_write(time(NULL), kid);
	kid[strlen("2026-11-22")] = '\0';
	hex_encode(secret, sizeof secret, hex);
	printf("k%s-%02x%02x %s\n", kid, unique[0], unique[1], hex);
	explicit_bzero(secret, sizeof secret);
	explicit_bzero(hex, sizeof hex);
	return CTL_DONE;
}
