/* token.c - `amocrmctl token`. */
#include "ctl.h"

#include "keyring.h"

#include <stdio.h>

#define LEFT_MIN_S 300 /* a token with less than five minutes left is not handed out */

enum ctl_exit
ctl_token(struct ctl *ctl)
{
	struct work *w = ctl->w;
	struct connection connection;
	const struct keyring *ring;
	struct tokens tokens;

	if (ctl->argc != 2)
		return ctl_usage(ctl, "takes one account");
	if (!ctl_select(ctl, ctl->argv[1], &connection)
	    || !keyring_read(w, ctl->cfg.store.keys, &ring)
	    || !record_tokens(w, ring, &connection, &tokens))
		return ctl_fault(ctl);
	if (connection.state != CONNECTION_ACTIVE || tokens.expires_at < time(NULL) + LEFT_MIN_S) {
		fprintf(stderr, "amocrmctl token: the access token is over; connect again\n");
		return CTL_FAILED;
	}
	puts(tokens.access_token);
	return CTL_DONE;
}
