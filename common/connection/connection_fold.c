/* connection_fold.c - folding in the tokens that wait in the escrow; see connection_escrow.h. */
#include "base/clock.h"
#include "base/log.h"
#include "connection/auth_code.h"
#include "connection/authorized.h"
#include "connection/connection_escrow.h"
#include "store/escrow.h"

#include <string.h>
#include <sys/param.h>

struct fold {
	const struct config *cfg;
	const struct fold_filter *filter;
	int64_t wait_ms;     /* for another process that uses a slot */
	int64_t deadline_ms; /* for amoCRM's answers, of all texts together; 0: it is not asked */
	bool any;
	struct first_reason unreadable; /* slots, and texts that cannot be decrypted */
	bool undecryptable;             /* the text that failed last cannot be decrypted */
	enum fault_kind kind;           /* of the first text that could not be folded */
	char reason[CTX_REASON_MAX];
};

static bool
fold_refreshed(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct kept *kept, const struct tokens *tokens)
{
	const struct refreshed refreshed = { kept->key, &kept->before, tokens, kept->at };

	return connection_save_refreshed(ctx, cfg, ring, &refreshed);
}

static bool
find_identity(struct ctx *ctx, const struct fold *fold, const struct kept *kept,
    const struct tokens *tokens, struct identity *identity)
{
	if (amocrm_identity_from_token(ctx, kept->host, tokens, identity))
		return true;
	if (fold->deadline_ms == 0)
		return fault(ctx, FAULT_UNAVAILABLE, "amoCRM has to be asked whose tokens wait");
	return amocrm_identity_from_api(
	    ctx, fold->cfg, kept->host, tokens, BUDGET_OWN_STATE, fold->deadline_ms, identity);
}

static bool
fold_authorized(struct ctx *ctx, const struct fold *fold, const struct keyring *ring,
    const struct kept *kept, const struct tokens *tokens)
{
	const struct config *cfg = fold->cfg;
	struct identity identity;
	const struct authorized authorized = { kept->code, &kept->grant, &identity, tokens,
		kept->at, true };

	if (find_identity(ctx, fold, kept, tokens, &identity)
	    && authorized_save(ctx, cfg, ring, &authorized))
		return true;
	if (ctx->kind != FAULT_OTHER_ACCOUNT)
		return false;
	log_note(ctx, "refused", ctx->reason); /* nothing to keep */
	ctx_clear_fault(ctx);
	return true;
}

/* These two kinds of fault mean that the key ring cannot decrypt the text. */
static bool
open_tokens(struct ctx *ctx, struct fold *fold, const struct keyring *ring, const struct kept *kept,
    struct tokens *tokens)
{
	if (kept_tokens(ctx, ring, kept, tokens))
		return true;
	fold->undecryptable = ctx->kind == FAULT_STORAGE || ctx->kind == FAULT_CORRUPT;
	return false;
}

static bool
fold_tokens(struct ctx *ctx, struct fold *fold, const struct kept *kept)
{
	const struct keyring *ring;
	struct tokens tokens;

	return keyring_read(ctx, fold->cfg->store.keys, &ring)
	    && open_tokens(ctx, fold, ring, kept, &tokens)
	    && (kept->key != NULL ? fold_refreshed(ctx, fold->cfg, ring, kept, &tokens)
				  : fold_authorized(ctx, fold, ring, kept, &tokens));
}

/* Whether the store has these tokens, or newer ones.  A code's record is written last: if it has a
 * connection, all is stored, and it may have been claimed since. */
static bool
is_outdated(struct ctx *ctx, const struct config *cfg, const struct kept *kept, bool *outdated)
{
	const struct refreshed refreshed = { kept->key, &kept->before, NULL, kept->at };
	struct auth_code code;
	bool known;

	if (kept->key != NULL)
		return connection_refreshed_outdated(ctx, cfg, &refreshed, outdated);
	if (!auth_code_find(ctx, &cfg->store, kept->code, &known, &code))
		return false;
	*outdated = known && code.connection != NULL;
	return true;
}

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether the app user of the filter may get the tokens of this code. */
static bool
is_for_user(const struct fold_filter *filter, const struct kept *kept)
{
	return filter->app_user != NULL && kept->code != NULL
	    && (*filter->app_user == '\0' || same(kept->grant.claimant, filter->app_user));
}

/* Whether the text is certainly of the account, or the app user, that is being disconnected. */
static bool
is_disconnected(const struct fold_filter *filter, const struct kept *kept)
{
	return (filter->account_id != 0 && kept->account_id == filter->account_id)
	    || is_for_user(filter, kept);
}

/* Tokens that cannot be decrypted would connect again what is being disconnected, if their key came
 * back. */
static bool
drop_disconnected(struct ctx *ctx, const struct fold *fold, const struct kept *kept)
{
	if (!fold->undecryptable || !fold->filter->disconnecting
	    || !is_disconnected(fold->filter, kept))
		return false;
	log_note(ctx, "dropped", ctx->reason);
	ctx_clear_fault(ctx);
	return true;
}

/* Outdated tokens are not opened: the key that they are sealed with may be lost. */
static bool
fold_text(struct ctx *ctx, void *arg, const char *text)
{
	struct fold *fold = arg;
	struct kept kept;
	bool outdated;

	if (!kept_read(ctx, text, &kept) || !is_outdated(ctx, fold->cfg, &kept, &outdated))
		return false;
	if (!(outdated ? store_sync(ctx, &fold->cfg->store) : fold_tokens(ctx, fold, &kept)))
		return drop_disconnected(ctx, fold, &kept);
	fold->any = true;
	log_note(ctx, "folded", kept.key != NULL ? kept.key : kept.code);
	return true;
}

/* Whether the filter matches; a text that cannot be read matches only a filter of all. */
static bool
matches(struct ctx *ctx, const char *text, const struct fold_filter *filter)
{
	struct kept kept;

	if (filter->all)
		return true;
	if (!kept_read(ctx, text, &kept)) {
		ctx_clear_fault(ctx);
		return false;
	}
	return same(kept.key, filter->key) || same(kept.code, filter->key)
	    || is_for_user(filter, &kept)
	    || (filter->account_id != 0
		&& (kept.account_id == 0 || kept.account_id == filter->account_id));
}

static void
explain_undecryptable(struct ctx *ctx, int number)
{
	struct ctx before = *ctx;

	ctx_clear_fault(ctx);
	ctx_fault(ctx, before.kind, "escrow/%03x: %.130s; if that key is lost, delete this file",
	    (unsigned)number, before.reason);
}

/* Tokens that cannot be decrypted do not stop a disconnection that they may have nothing to do
 * with. */
static void
note_failure(struct ctx *ctx, struct fold *fold, int number)
{
	if (fold->undecryptable)
		explain_undecryptable(ctx, number);
	if (fold->undecryptable && fold->filter->disconnecting) {
		first_reason_add(&fold->unreadable, ctx->reason);
	} else if (fold->kind == FAULT_NONE) {
		fold->kind = ctx->kind;
		memcpy(fold->reason, ctx->reason, sizeof fold->reason);
	}
}

static bool
visit(struct ctx *ctx, void *arg, int number, const char *text)
{
	struct fold *fold = arg;

	fold->undecryptable = false;
	if (matches(ctx, text, fold->filter)
	    && !escrow_take(ctx, &fold->cfg->store, number, fold->wait_ms, fold_text, fold)) {
		note_failure(ctx, fold, number);
		ctx_clear_fault(ctx);
	}
	return true;
}

/* One slot that cannot be read does not stop those whose tokens are not in it. */
static bool
report_unreadable(struct ctx *ctx, const struct fold *fold)
{
	if (fold->unreadable.count == 0)
		return true;
	if (fold->filter->all_readable)
		return fault(ctx, FAULT_STORAGE, "%s", fold->unreadable.text);
	log_note(ctx, "unreadable", fold->unreadable.text);
	return true;
}

static bool
fold_within_limit(struct ctx *ctx, struct fold *fold)
{
	return escrow_each(ctx, &fold->cfg->store, visit, fold, &fold->unreadable)
	    && (fold->kind == FAULT_NONE || fault(ctx, fold->kind, "%s", fold->reason))
	    && report_unreadable(ctx, fold);
}

/* A database may be there and store nothing, as without a standby: then the first texts take all of
 * the time, and the others fail at once. */
static void
limit_time(struct ctx *ctx, const struct fold *fold)
{
	if (ctx->database.end_ms == 0)
		ctx->database.end_ms = MAX(fold->deadline_ms, clock_ms()) + STORE_WAIT_MS;
}

static bool
fold_texts(struct ctx *ctx, struct fold *fold)
{
	int64_t end_ms = ctx->database.end_ms;
	bool ok;

	limit_time(ctx, fold);
	ok = fold_within_limit(ctx, fold);
	ctx->database.end_ms = end_ms;
	return ok;
}

bool
connection_fold_matching(
    struct ctx *ctx, const struct config *cfg, const struct fold_filter *filter)
{
	struct fold fold = { .cfg = cfg,
		.filter = filter,
		.wait_ms = STORE_WAIT_MS,
		.deadline_ms = amocrm_deadline(cfg) };

	if (filter->deadline_ms != 0) {
		int64_t left_ms = filter->deadline_ms - clock_ms();

		fold.wait_ms = left_ms < 0 ? 0 : MIN(left_ms, STORE_WAIT_MS);
		fold.deadline_ms = MIN(filter->deadline_ms, fold.deadline_ms);
	}
	return fold_texts(ctx, &fold);
}

bool
connection_fold(struct ctx *ctx, const struct config *cfg, const char *key)
{
	const struct fold_filter filter = {
		.key = key, .all = key == NULL, .all_readable = key == NULL
	};

	return connection_fold_matching(ctx, cfg, &filter);
}

bool
connection_escrow_may_hold(struct ctx *ctx, const struct config *cfg, const char *key)
{
	const struct fold_filter filter = { .key = key, .all_readable = true };
	struct ctx before = *ctx;
	char reason[CTX_REASON_MAX];
	enum fault_kind kind;

	ctx_clear_fault(ctx);
	if (connection_fold_matching(ctx, cfg, &filter)) {
		ctx_fault(ctx, before.kind, "%s", before.reason);
		return false;
	}
	kind = ctx->kind;
	memcpy(reason, ctx->reason, sizeof reason);
	ctx_clear_fault(ctx);
	ctx_fault(ctx, kind, "its new tokens may wait in the escrow: %.110s; %.90s", reason,
	    before.reason);
	return true;
}

bool
connection_fold_nowait(struct ctx *ctx, const struct config *cfg, const struct fold_filter *filter)
{
	struct fold fold = { .cfg = cfg, .filter = filter };

	if (!fold_texts(ctx, &fold)) {
		log_note(ctx, "waiting", ctx->kind == FAULT_UNAVAILABLE ? NULL : ctx->reason);
		ctx_clear_fault(ctx);
	}
	return fold.any;
}
