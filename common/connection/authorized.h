/* authorized.h - keeping the tokens that amoCRM has issued for an authorization code, as
 * connection_internal.h does for refreshed ones: tried before amoCRM is asked, repeated afterwards,
 * and kept in the escrow if the store keeps failing.
 */
#ifndef AUTHORIZED_H
#define AUTHORIZED_H

#include "amocrm/amocrm.h"
#include "connection/authorize.h"
#include "connection/connection_escrow.h"
#include "connection/connection_internal.h"

/* Tokens, and what decides whose they are. */
struct authorized {
	const char *record;              /* the key of the code's record */
	const struct grant *grant;       /* its host, reserved_for, claimant and unclaimable */
	const struct identity *identity; /* whose they are; NULL: amoCRM has to be asked */
	const struct tokens *tokens;
	time_t at;
	bool folded; /* from the escrow: something newer may have happened since */
};

/* Before amoCRM is asked: tries what storing the tokens will take, as far as the records are known,
 * and reserves a slot of the escrow.  Fault: as store_commit. */
bool authorized_rehearse(struct ctx *ctx, const struct config *cfg, const char *record,
    const struct grant *grant, struct lock *slot);

/* Before the tokens are written anywhere, if it is known whose they are.
 * Fault: FAULT_OTHER_ACCOUNT if they are not those of the pinned account: the code, which is used
 * up, is recorded as refused. */
bool authorized_check_account(
    struct ctx *ctx, const struct config *cfg, const struct authorized *authorized);

/* Stores the connection and, in the same commit, the code's record; again after an error.
 * Fault: as connection_save; FAULT_OTHER_ACCOUNT if the tokens are not those of the pinned account:
 * they are not stored, and the code is recorded as refused. */
bool authorized_save(struct ctx *ctx, const struct config *cfg, const struct keyring *ring,
    const struct authorized *authorized);

/* After a step that failed: leaves the tokens in the escrow by connection_escrow_leave, and *waits
 * tells whether they are there.
 * Always false: FAULT_STORAGE, with the reason of that step and what has become of the tokens. */
bool authorized_leave(struct ctx *ctx, struct escrow_entry *entry, bool *waits);

#endif
