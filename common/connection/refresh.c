/* refresh.c - see refresh.h. */
#include "connection/refresh.h"

#include "amocrm/amocrm.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/signals.h"
#include "config/host_allowlist.h"
#include "connection/connection.h"
#include "connection/connection_event.h"
#include "store/store.h"

#include <string.h>

#define CALLS_MAX     5    /* the old token twice, the new host, and there twice again */
#define LOCK_SPARE_MS 2000 /* beyond amoCRM's time, for the store */
#define CLOCK_SLACK_S 60   /* clocks that are kept right are set back by less */

bool
refresh_due(const struct connection *connection, time_t usable_until)
{
	return connection->expires_at < usable_until
	    || connection->refreshed_at > time(NULL) + CLOCK_SLACK_S;
}

/* The host is looked at again: the allow list may be a shorter one by now, and a record may come
 * from a file that somebody has edited. */
static bool
read_pair(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    struct connection *connection, struct tokens *tokens)
{
	char lowered[HOST_SIZE];
	bool found;

	if (!connection_find(w, cfg, key, &found, connection))
		return false;
	if (!found)
		return fault(w, FAULT_REFUSED, "%s is not connected", key);
	if (connection->state != CONNECTION_ACTIVE)
		return fault(w, FAULT_REFUSED, "%s is revoked; connect again", key);
	if (!host_allowed(cfg->amocrm.account_domains, connection->host, lowered))
		return fault(w, FAULT_CONFIG, "%s is at %s, which account_domains does not allow",
		    key, connection->host);
	return record_tokens(w, ring, connection, tokens);
}

static int64_t
deadline(const struct config *cfg)
{
	return clock_ms() + cfg->amocrm.timeout * INT64_C(1000);
}

/* amoCRM may have renewed the pair and its answer may be lost; Kommo then still takes the old
 * one. */
static bool
ask_twice(struct work *w, const struct config *cfg, const char *host, const struct tokens *old,
    struct tokens *fresh)
{
	if (amocrm_refresh(w, &cfg->amocrm, host, old->refresh_token, deadline(cfg), fresh))
		return true;
	if (w->kind != FAULT_REPLY_LOST)
		return false;
	work_recover(w);
	return amocrm_refresh(w, &cfg->amocrm, host, old->refresh_token, deadline(cfg), fresh);
}

/* An account that was renamed is asked at its new host, if the fault is one that a rename makes and
 * there is such a host; else the fault stays as it was. */
static bool
ask_at_new_host(struct work *w, const struct config *cfg, struct connection *connection,
    const struct tokens *old, struct tokens *fresh)
{
	struct work before = *w;
	const char *host;

	if (w->kind != FAULT_MOVED && w->kind != FAULT_CLIENT)
		return false;
	work_recover(w);
	if (!amocrm_current_host(w, &cfg->amocrm, old, deadline(cfg), &host)
	    || strcmp(host, connection->host) == 0) {
		work_recover(w);
		return fault(w, before.kind, "%s", before.reason);
	}
	log_note(w, "renamed", host);
	connection->host = host;
	return ask_twice(w, cfg, host, old, fresh);
}

static bool
renew(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    struct connection *connection, struct tokens *tokens)
{
	struct tokens fresh;

	if (!store_ready(w, &cfg->store))
		return false;
	if (ask_twice(w, cfg, connection->host, tokens, &fresh)
	    || ask_at_new_host(w, cfg, connection, tokens, &fresh)) {
		*tokens = fresh;
		return connection_renewed(w, cfg, ring, key, connection, &fresh);
	}
	if (w->kind == FAULT_REFUSED)
		connection_refused(w, cfg, key, connection);
	else
		notice_add(w, cfg, "refresh_failed", connection, w->reason);
	return false;
}

/* Under the connection's lock: somebody else may have renewed it meanwhile. */
static bool
renew_once(struct work *w, const struct config *cfg, const struct keyring *ring, const char *key,
    time_t usable_until, struct tokens *tokens)
{
	struct connection connection;

	ring = keyring_again(w, cfg->store.keys, ring);
	return read_pair(w, cfg, ring, key, &connection, tokens)
	    && (!refresh_due(&connection, usable_until)
		|| renew(w, cfg, ring, key, &connection, tokens));
}

int64_t
refresh_longest_ms(const struct config *cfg)
{
	return CALLS_MAX * (cfg->amocrm.timeout * INT64_C(1000)) + LOCK_SPARE_MS;
}

bool
refresh_tokens(struct work *w, const struct config *cfg, const struct keyring *ring,
    const char *key, time_t usable_until, struct tokens *tokens)
{
	struct connection connection;
	const char *name;
	struct lock lock;
	sigset_t before;
	bool done;

	if (!read_pair(w, cfg, ring, key, &connection, tokens))
		return false;
	if (!refresh_due(&connection, usable_until))
		return true;
	if (!work_print(w, &name, "refresh:%s", key)
	    || !store_lock(w, &cfg->store, name, refresh_longest_ms(cfg), &lock))
		return false;
	signals_hold(&before);
	done = renew_once(w, cfg, ring, key, usable_until, tokens);
	signals_release(&before);
	lock_release(&lock);
	return done;
}
