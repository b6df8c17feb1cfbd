/* disconnect_hook.h - amoCRM's signed call after an account has disconnected the integration
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 */
#ifndef DISCONNECT_HOOK_H
#define DISCONNECT_HOOK_H

#include "base/ctx.h"
#include "config/config.h"

#include <stdint.h>

/* Verifies the query "client_uuid=…&account_id=…&signature=…", whose signature is an HMAC with the
 * client secret, and gives the account's id.  The signature does not expire and can be replayed, so
 * the account's connections are to be revoked, not erased.
 * Fault: FAULT_SIGNATURE if a parameter is missing or wrong; FAULT_REQUEST if the query is
 * malformed. */
bool disconnect_hook_verify(
    struct ctx *ctx, const struct amocrm_config *cfg, const char *query, int64_t *account_id);

#endif
