/* rekey.c - key rotation: `amocrmctl keygen` makes the new key, which the administrator puts at the
 * top of the key ring, and `amocrmctl rekey` re-encrypts every connection with it. */
#include "ctl.h"

#include "connection/connection.h"
#include "crypto/keyring.h"
#include "engine_keys.h"

#include <stdio.h>

enum ctl_exit
ctl_keygen(struct ctl *ctl)
{
	const char *line;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "accepts no arguments");
	if (!keyring_generate(ctl->ctx, time(NULL), &line))
		return ctl_fault(ctl);
	printf("%s\n", line);
	return CTL_DONE;
}

struct rekey {
	const struct config *cfg;
	const struct keyring *ring;
	size_t sealed;
	size_t seen;
	size_t failed;
};

/* Repairs the account's list of connections, where an older version, or an import that was killed,
 * may have left this one off. */
static bool
repair_index(struct ctx *ctx, const struct config *cfg, const struct connection *connection)
{
	int64_t account = connection->account_id;
	int64_t user = connection->amocrm_user_id;
	bool indexed;

	if (!connection_indexed(ctx, cfg, account, user, &indexed))
		return false;
	if (indexed)
		return true;
	if (!connection_index_add(ctx, cfg, account, user))
		return false;
	fprintf(stderr,
	    "amocrmctl rekey: %lld/%lld was missing from its account's list, and was added\n",
	    (long long)account, (long long)user);
	return true;
}

/* Replaces one record atomically, so the command can be interrupted and run again.  A record that
 * cannot be decrypted is reported, and the others are re-encrypted all the same. */
static bool
rekey_one(struct ctx *ctx, void *arg, const struct connection *connection)
{
	struct rekey *rekey = arg;
	const char *key;
	bool ok;

	if (!record_key(ctx, connection->account_id, connection->amocrm_user_id, &key))
		return false;
	rekey->seen++;
	if (repair_index(ctx, rekey->cfg, connection)
	    && connection_reseal(ctx, rekey->cfg, rekey->ring, key, &ok)) {
		rekey->sealed += ok;
		return true;
	}
	if (ctx->kind != FAULT_STORAGE && ctx->kind != FAULT_CORRUPT)
		return false;
	fprintf(stderr, "amocrmctl rekey: %s: %s\n", key, ctx->reason);
	ctx_clear_fault(ctx);
	rekey->failed++;
	return true;
}

/* Other hosts could not read what would be encrypted with a key that they have another one for. */
static bool
announce_keys(struct ctl *ctl, const struct keyring *ring)
{
	const struct store_config *store = &ctl->cfg.store;
	struct engine_keys found;

	if (store->engine != ENGINE_POSTGRESQL)
		return true;
	if (!engine_keys_add(ctl->ctx, store, ring, &found))
		return false;
	return !found.first
	    || fault(ctl->ctx, FAULT_CONFIG,
		"%s: the hosts of this database have another key %s; copy their key ring here, or, "
		"if this is the right one, put a line from amocrmctl keygen at the top",
		store->keys, ring->keys[0].kid);
}

static bool
settle_keys(struct ctl *ctl, const struct keyring *ring)
{
	const struct store_config *store = &ctl->cfg.store;

	return store->engine != ENGINE_POSTGRESQL || engine_keys_set(ctl->ctx, store, ring);
}

enum ctl_exit
ctl_rekey(struct ctl *ctl)
{
	struct rekey rekey = { .cfg = &ctl->cfg };

	if (ctl->argc > 1)
		return ctl_usage(ctl, "accepts no arguments");
	if (!keyring_read(ctl->ctx, ctl->cfg.store.keys, &rekey.ring)
	    || !announce_keys(ctl, rekey.ring))
		return ctl_fault(ctl);
	rekey.failed += !ctl_fold(ctl); /* they may be sealed with a key that is to be removed */
	if (!connection_each(ctl->ctx, &ctl->cfg, rekey_one, &rekey)) {
		rekey.failed++;
		if (!ctl_skipped(ctl))
			return CTL_FAILED;
	}
	printf("re-encrypted %zu of %zu\n", rekey.sealed, rekey.seen);
	if (rekey.failed == 0 && !settle_keys(ctl, rekey.ring))
		return ctl_fault(ctl);
	return rekey.failed == 0 ? CTL_DONE : CTL_FAILED;
}
