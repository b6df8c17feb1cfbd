/* authorized.c - see authorized.h. */
#include "connection/authorized.h"

#include "connection/account_index.h"
#include "connection/auth_code.h"
#include "connection/save_retry.h"
#include "store/escrow.h"

static struct claim
claim_of(const struct grant *grant)
{
	if (grant->claimant != NULL)
		return (struct claim){ CLAIM_USER, grant->claimant };
	if (grant->reserved_for != NULL || grant->unclaimable)
		return (struct claim){ CLAIM_LATER, NULL };
	return (struct claim){ CLAIM_ANONYMOUS, NULL };
}

/* The records that will be written, as far as they are known: which connection it becomes is not,
 * but most often it is the one that is there. */
struct known {
	const char *keys[STORE_OPS_MAX];
	size_t count;
	int64_t account_id; /* 0: not known */
};

static bool
add_connection(struct ctx *ctx, struct known *known, const char *key)
{
	int64_t user;

	if (!record_key_read(key, &known->account_id, &user))
		return true;
	if (!account_index_key(ctx, known->account_id, &known->keys[known->count++]))
		return false;
	known->keys[known->count++] = key;
	return true;
}

/* In the order of connection_save, so that the copies get the same names. */
static bool
find_known(struct ctx *ctx, const struct config *cfg, const char *record, const struct grant *grant,
    struct known *known)
{
	const char *pointer;
	const char *key;

	if (grant->claimant != NULL || connections_shared(cfg)) {
		if (!user_key(ctx, cfg, grant->claimant, &pointer)
		    || !user_lookup(ctx, cfg, pointer, &key)
		    || (key != NULL && !add_connection(ctx, known, key)))
			return false;
		known->keys[known->count++] = pointer;
	}
	known->keys[known->count++] = record;
	return true;
}

bool
authorized_rehearse(struct ctx *ctx, const struct config *cfg, const char *record,
    const struct grant *grant, struct lock *slot)
{
	struct known known = { .count = 0 };

	return find_known(ctx, cfg, record, grant, &known)
	    && (known.account_id == 0 || account_index_repair(ctx, &cfg->store, known.account_id))
	    && store_rehearse(ctx, &cfg->store, known.keys, known.count)
	    && store_ready(ctx, &cfg->store)
	    && connection_escrow_reserve(ctx, cfg, ESCROW_SLOTS_EXCHANGE, slot);
}

struct saving {
	const struct config *cfg;
	const struct keyring *ring;
	const struct authorized *authorized;
	char former[STORE_KEY_MAX + 1]; /* see struct authorization */
};

/* Whoever presents the code again learns that it was good.  It has claimed nothing yet. */
static bool
record_outdated(
    struct ctx *ctx, const struct config *cfg, const char *record, const struct auth_code *code)
{
	struct auth_code unclaimed = *code;
	struct store_op op;

	if (code->claimed_by != NULL)
		unclaimed.reserved_for = code->claimed_by;
	unclaimed.claimed_by = NULL;
	return auth_code_op(ctx, record, &unclaimed, &op) && store_commit(ctx, &cfg->store, &op, 1);
}

static bool
save(struct ctx *ctx, void *arg)
{
	struct saving *saving = arg;
	const struct authorized *authorized = saving->authorized;
	const struct grant *grant = authorized->grant;
	const struct identity *identity = authorized->identity;
	const struct claim claim = claim_of(grant);
	struct auth_code code = { .reserved_for = grant->reserved_for,
		.claimed_by = grant->claimant,
		.unclaimable = grant->unclaimable };
	struct store_op op;
	bool outdated;
	struct authorization authorization = { .code_op = &op,
		.at = authorized->at,
		.folded = authorized->folded,
		.outdated = &outdated,
		.former = saving->former };

	if (!record_key(ctx, identity->account_id, identity->user_id, &code.connection)
	    || !auth_code_id(ctx, authorized->record, &authorization.id)
	    || !auth_code_op(ctx, authorized->record, &code, &op)
	    || !connection_save(ctx, saving->cfg, saving->ring, identity, authorized->tokens,
		&claim, &authorization))
		return false;
	return !outdated || record_outdated(ctx, saving->cfg, authorized->record, &code);
}

bool
authorized_check_account(
    struct ctx *ctx, const struct config *cfg, const struct authorized *authorized)
{
	const struct identity *identity = authorized->identity;

	if (cfg->amocrm.account_id == 0 || identity->account_id == cfg->amocrm.account_id)
		return true;
	ctx_fault(ctx, FAULT_OTHER_ACCOUNT, "%s is account %lld, not [amocrm] account_id",
	    identity->host, (long long)identity->account_id);
	auth_code_refuse(ctx, &cfg->store, authorized->record, authorized->grant->host);
	return false;
}

bool
authorized_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct authorized *authorized)
{
	struct saving saving = { .cfg = cfg, .ring = ring, .authorized = authorized };

	return authorized_check_account(ctx, cfg, authorized) && save_retry(ctx, save, &saving);
}

bool
authorized_leave(struct ctx *ctx, struct escrow_entry *entry, bool *waits)
{
	char reason[CTX_REASON_MAX];

	*waits = connection_escrow_leave(ctx, entry, reason);
	if (*waits)
		return fault(
		    ctx, FAULT_STORAGE, "the new tokens wait in the escrow: %.180s", reason);
	return fault(ctx, FAULT_STORAGE, "the new tokens of %.24s are lost; connect again: %.140s",
	    entry->authorized->record, reason);
}
