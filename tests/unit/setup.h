/* setup.h - a complete set-up in a folder: a store, a key ring, a configuration. */
#ifndef SETUP_H
#define SETUP_H

#include "engine.h"

#include "config/config.h"
#include "crypto/keyring.h"
#include "store/store.h"

#define SETUP_KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct setup {
	struct config cfg;
	const struct keyring *ring;
	struct ctx ctx; /* the test's arena */
	char keys[PATH_SIZE];
};

/* connections is enum connections_mode; with CONNECTIONS_SHARED an account is pinned. */
static inline void
setup_open(struct setup *s, const char *folder, int connections)
{
	memset(s, 0, sizeof *s);
	path_in(folder, "keys", s->keys);
	file_write_text(s->keys, "k1 " SETUP_KEY "\n");
	s->cfg.valid = true;
	s->cfg.amocrm.client_id = "01d01160-d7a0-4087-b4af-6a1bb83fcd1d";
	s->cfg.amocrm.client_secret = "secret";
	s->cfg.amocrm.redirect_uri = "https://crm.example/api/amo-crm/callback";
	s->cfg.amocrm.account_domains = "amocrm.ru amocrm.com kommo.com";
	s->cfg.amocrm.account = connections == CONNECTIONS_SHARED ? "reforyou.amocrm.ru" : NULL;
	s->cfg.amocrm.timeout = 5;
	s->cfg.amocrm.budget = (struct call_budget){ 7, 2 };
	s->cfg.app.deep_link = "foryoure://amo-crm/callback";
	s->cfg.app.connections = connections;
	s->cfg.store = store_in(folder);
	s->cfg.store.keys = s->keys;
	open_ctx(&s->ctx);
	if (!keyring_read(&s->ctx, s->keys, &s->ring))
		fail_msg("%s", s->ctx.reason);
}

static inline void
setup_close(struct setup *s)
{
	ctx_close(&s->ctx);
}

#endif
