/* token.c - `amocrmctl token`. */
#include "ctl.h"

#include "keyring.h"
#include "refresh.h"

#include <stdio.h>

#define LEFT_MIN_S 300 /* a token with less than five minutes left is renewed first */

enum ctl_exit
ctl_token(struct ctl *ctl)
{
	struct work *w = ctl->w;
	struct connection connection;
	const struct keyring *ring;
	struct tokens tokens;
	const char *key;

	if (ctl->argc != 2)
		return ctl_usage(ctl, "takes one account");
	if (!ctl_select(ctl, ctl->argv[1], &connection)
	    || !keyring_read(w, ctl->cfg.store.keys, &ring)
	    || !record_key(w, connection.account_id, connection.amocrm_user_id, &key)
	    || !refresh_tokens(w, &ctl->cfg, ring, key, time(NULL) + LEFT_MIN_S, &tokens))
		return ctl_fault(ctl);
	puts(tokens.access_token);
	return CTL_DONE;
}
