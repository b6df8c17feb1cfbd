/* disconnect_hook.h - amoCRM's signed call when an account has disconnected the integration
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 */
#ifndef DISCONNECT_HOOK_H
#define DISCONNECT_HOOK_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* Reads the query "client_uuid&account_id&signature", signed with the client secret, and gives the
 * account's id.  The signature never expires and may be replayed, so the account's connections are
 * revoked, not erased.
 * Fault: FAULT_SIGNATURE unless all three are there and right; FAULT_REQUEST: the query is
 * malformed. */
bool disconnect_hook_verify(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *query, int64_t *account_id);

#endif
