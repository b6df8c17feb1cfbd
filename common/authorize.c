/* authorize.c - see authorize.h. */
#include "authorize.h"

#include "clock.h"
#include "connection.h"
#include "digest.h"
#include "host.h"
#include "log.h"
#include "seal.h"
#include "signals.h"

#include <string.h>

#define LOCK_SPARE_MS 2000 /* what a waiter allows the holder beyond amoCRM's time, for the store */

bool
authorize_host(
    struct work *w, const struct amocrm_config *cfg, const char *referer, const char **host)
{
	char lowered[HOST_SIZE];

	if (referer == NULL && cfg->account == NULL)
		return fault(w, FAULT_REQUEST, "referer is missing, and no account is pinned");
	if (referer == NULL) {
		*host = cfg->account;
		return true;
	}
	if (!host_allowed(cfg->account_domains, referer, lowered))
		return fault(w, FAULT_REQUEST,
		    "referer \"%.80s\" is not a host below account_domains", referer);
	if (cfg->account != NULL && strcmp(lowered, cfg->account) != 0)
		return fault(w, FAULT_REQUEST, "referer %s is not the pinned account", lowered);
	return work_copy(w, lowered, strlen(lowered), host);
}

static bool
code_key(struct work *w, const char *prefix, const char *code, const char **key)
{
	char hex[SHA256_HEX_SIZE];

	sha256_hex(code, strlen(code), hex);
	return work_print(w, key, "%s:%s", prefix, hex);
}

/* Tokens that amoCRM has given out already for this code, but whose account could not be asked. */
static bool
find_pending(struct work *w, const struct store_config *store, const struct keyring *ring,
    const char *pending_key, bool *found, struct tokens *tokens)
{
	const char *sealed;
	const char *text;

	if (!store_get(w, store, pending_key, &sealed))
		return false;
	*found = sealed != NULL;
	return !*found
	    || (unseal(w, ring, pending_key, sealed, &text) && tokens_read(w, text, tokens));
}

static bool
put_pending(struct work *w, const struct store_config *store, const struct keyring *ring,
    const char *pending_key, const struct tokens *tokens)
{
	const char *text;
	const char *sealed;

	return tokens_write(w, tokens, &text) && seal(w, ring, pending_key, text, &sealed)
	    && store_put(w, store, pending_key, sealed, time(NULL) + CODE_LIFE_S);
}

/* The code works once, so whatever could fail on our side is tried before it is used, and tokens
 * that cannot be put in their place yet are kept. */
static bool
exchange(struct work *w, const struct config *cfg, const struct grant *grant, int64_t deadline_ms,
    const char **key)
{
	const struct keyring *ring;
	const char *pending_key;
	struct tokens tokens;
	struct identity identity;
	bool pending;

	if (!keyring_read(w, cfg->store.keys, &ring) || !store_ready(w, &cfg->store)
	    || !code_key(w, "pending", grant->code, &pending_key)
	    || !find_pending(w, &cfg->store, ring, pending_key, &pending, &tokens)
	    || (!pending
		&& !amocrm_exchange(
		    w, &cfg->amocrm, grant->host, grant->code, deadline_ms, &tokens)))
		return false;
	if (amocrm_identity_claimed(w, grant->host, &tokens, &identity))
		return connection_save(w, cfg, ring, &identity, &tokens, key);
	return (pending || put_pending(w, &cfg->store, ring, pending_key, &tokens))
	    && amocrm_identity_asked(w, &cfg->amocrm, grant->host, &tokens, deadline_ms, &identity)
	    && connection_save(w, cfg, ring, &identity, &tokens, key)
	    && store_erase(w, &cfg->store, pending_key);
}

/* Under the code's lock: whoever came first has left the code's record, or failed. */
static bool
exchange_once(struct work *w, const struct config *cfg, const struct grant *grant,
    const char *record, int64_t limit_ms)
{
	const char *known;
	const char *key;

	if (!store_get(w, &cfg->store, record, &known))
		return false;
	if (known != NULL)
		return true;
	return exchange(w, cfg, grant, clock_ms() + limit_ms, &key)
	    && store_put(w, &cfg->store, record, key, time(NULL) + CODE_LIFE_S);
}

bool
authorize(struct work *w, const struct config *cfg, const struct grant *grant, int64_t limit_ms)
{
	const char *record;
	const char *known;
	struct lock lock;
	sigset_t before;
	bool done;

	if (!code_key(w, "code", grant->code, &record)
	    || !store_get(w, &cfg->store, record, &known))
		return false;
	if (known != NULL)
		return true;
	if (!store_lock(w, &cfg->store, record, limit_ms + LOCK_SPARE_MS, &lock))
		return false;
	log_note_secret(w, "code", grant->code);
	signals_hold(&before);
	done = exchange_once(w, cfg, grant, record, limit_ms);
	signals_release(&before);
	lock_release(&lock);
	return done;
}
