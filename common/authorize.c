/* authorize.c - see authorize.h. */
#include "authorize.h"

#include "clock.h"
#include "connection.h"
#include "digest.h"
#include "host.h"
#include "json.h"
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

/* What has become of a code. */
struct code {
	const char *connection;   /* the key of its record */
	const char *reserved_for; /* NULL: whoever claims it first */
	const char *claimed_by;   /* NULL: nobody yet */
	bool for_nobody;
};

static bool
write_code(struct work *w, const struct code *code, const char **value)
{
	struct text t;

	text_begin(w, &t);
	text_add(&t, "{\"connection\":");
	json_add_string(&t, code->connection);
	text_add(&t, ",\"reserved_for\":");
	json_add_string(&t, code->reserved_for);
	text_add(&t, ",\"claimed_by\":");
	json_add_string(&t, code->claimed_by);
	text_print(&t, ",\"for_nobody\":%s}", code->for_nobody ? "true" : "false");
	return text_end(&t, value);
}

static bool
copy_member(struct work *w, const struct json_object *doc, const char *name, const char **out)
{
	const char *s = json_string(doc, name);

	*out = NULL;
	return s == NULL || work_copy(w, s, strlen(s), out);
}

static bool
read_code(struct work *w, const char *value, struct code *code)
{
	struct json_object *doc = json_read(value, strlen(value));
	bool done = copy_member(w, doc, "connection", &code->connection)
	    && copy_member(w, doc, "reserved_for", &code->reserved_for)
	    && copy_member(w, doc, "claimed_by", &code->claimed_by);

	code->for_nobody = strstr(value, "\"for_nobody\":true}") != NULL;
	json_object_put(doc);
	if (done && code->connection == NULL)
		return fault(w, FAULT_STORAGE, "a code's record is damaged");
	return done;
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
exchange(struct work *w, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, const struct owner *owner, int64_t deadline_ms, const char **key)
{
	const char *pending_key;
	struct tokens tokens;
	struct identity identity;
	bool pending;

	if (!store_ready(w, &cfg->store) || !code_key(w, "pending", grant->code, &pending_key)
	    || !find_pending(w, &cfg->store, ring, pending_key, &pending, &tokens)
	    || (!pending
		&& !amocrm_exchange(
		    w, &cfg->amocrm, grant->host, grant->code, deadline_ms, &tokens)))
		return false;
	if (amocrm_identity_claimed(w, grant->host, &tokens, &identity))
		return connection_save(w, cfg, ring, &identity, &tokens, owner, key);
	return (pending || put_pending(w, &cfg->store, ring, pending_key, &tokens))
	    && amocrm_identity_asked(w, &cfg->amocrm, grant->host, &tokens, deadline_ms, &identity)
	    && connection_save(w, cfg, ring, &identity, &tokens, owner, key)
	    && store_erase(w, &cfg->store, pending_key);
}

/* A code that nobody has seen.  Its connection is the claimant's; one that comes by browser waits for
 * its claimant when it is reserved, and is else everybody's where connections are shared. */
static bool
make_connection(struct work *w, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, int64_t limit_ms, struct code *code)
{
	const struct owner owner = { grant->claimant };
	bool waits = grant->claimant == NULL && (grant->reserved_for != NULL || grant->for_nobody);

	if (grant->host == NULL)
		return fault(w, FAULT_REFUSED, "the code was known a moment ago; its time is over");
	code->reserved_for = grant->reserved_for;
	code->claimed_by = grant->claimant;
	code->for_nobody = grant->for_nobody;
	return exchange(
	    w, cfg, grant, ring, waits ? NULL : &owner, clock_ms() + limit_ms, &code->connection);
}

static bool
is_other(const char *app_user, const char *claimant)
{
	return app_user != NULL && strcmp(app_user, claimant) != 0;
}

/* A code that has become a connection already; a newer one may have taken its place. */
static bool
claim_connection(struct work *w, const struct config *cfg, const struct grant *grant,
    const struct keyring *ring, struct code *code)
{
	const struct owner owner = { grant->claimant };
	struct connection other;
	bool found = false;

	if (grant->claimant == NULL)
		return true;
	if (code->for_nobody || is_other(code->reserved_for, grant->claimant)
	    || is_other(code->claimed_by, grant->claimant))
		return fault(
		    w, FAULT_CLAIMED, "the code is reserved for, or claimed by, another user");
	/* claimed once: what has become somebody else's since is not taken back */
	if ((code->claimed_by == NULL
		&& !connection_adopt(w, cfg, ring, code->connection, &owner, &found))
	    || (!found && !connection_of(w, cfg, grant->claimant, &found, &other)))
		return false;
	if (!found)
		return fault(
		    w, FAULT_REFUSED, "the code's connection has been erased; connect again");
	code->claimed_by = grant->claimant;
	return true;
}

/* Under the code's lock: whoever came first has left the code's record, or failed. */
static bool
authorize_locked(struct work *w, const struct config *cfg, const struct grant *grant,
    const char *record, int64_t limit_ms)
{
	const struct keyring *ring;
	struct code code;
	const char *value;

	if (!keyring_read(w, cfg->store.keys, &ring) || !store_get(w, &cfg->store, record, &value))
		return false;
	return (value == NULL
		       ? make_connection(w, cfg, grant, ring, limit_ms, &code)
		       : read_code(w, value, &code) && claim_connection(w, cfg, grant, ring, &code))
	    && write_code(w, &code, &value)
	    && store_put(w, &cfg->store, record, value, time(NULL) + CODE_LIFE_S);
}

bool
authorize_known(struct work *w, const struct config *cfg, const char *code, bool *known)
{
	const char *record;
	const char *value;

	if (!code_key(w, "code", code, &record) || !store_get(w, &cfg->store, record, &value))
		return false;
	*known = value != NULL;
	return true;
}

bool
authorize(struct work *w, const struct config *cfg, const struct grant *grant, int64_t limit_ms)
{
	const char *record;
	struct lock lock;
	sigset_t before;
	bool done;

	if (!code_key(w, "code", grant->code, &record)
	    || !store_lock(w, &cfg->store, record, limit_ms + LOCK_SPARE_MS, &lock))
		return false;
	log_note_secret(w, "code", grant->code);
	signals_hold(&before);
	done = authorize_locked(w, cfg, grant, record, limit_ms);
	signals_release(&before);
	lock_release(&lock);
	return done;
}
