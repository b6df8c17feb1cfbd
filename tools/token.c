/* token.c - `amocrmctl token`. */
#include "ctl.h"

#include "connection/refresh.h"
#include "crypto/keyring.h"

#include <stdio.h>

#define LEFT_MIN_S 300 /* a token with less than five minutes left is renewed first */

bool
ctl_tokens(struct ctl *ctl, const struct connection *connection, struct tokens *tokens)
{
	const struct keyring *ring;
	const char *key;

	return keyring_read(ctl->ctx, ctl->cfg.store.keys, &ring)
	    && record_key(ctl->ctx, connection->account_id, connection->amocrm_user_id, &key)
	    && refresh_tokens(ctl->ctx, &ctl->cfg, ring, key, time(NULL) + LEFT_MIN_S, tokens);
}

enum ctl_exit
ctl_token(struct ctl *ctl)
{
	struct connection connection;
	struct tokens tokens;

	if (ctl->argc != 2 || !ctl_selector(ctl->argv[1]))
		return ctl_usage(ctl, "takes one account");
	if (!ctl_select(ctl, ctl->argv[1], &connection) || !ctl_tokens(ctl, &connection, &tokens))
		return ctl_fault(ctl);
	puts(tokens.access_token);
	return CTL_DONE;
}
