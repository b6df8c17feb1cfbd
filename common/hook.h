/* hook.h - amoCRM says that an account has disconnected the integration
 * (https://www.amocrm.ru/developers/content/oauth/step-by-step).
 */
#ifndef HOOK_H
#define HOOK_H

#include "config.h"
#include "request.h"
#include "response.h"

/* GET ?client_uuid&account_id&signature, signed with the client secret.  Every connection of that
 * account is revoked: kept, since the signature never expires and may be replayed, but not used
 * until a new authorization.
 * Fault: FAULT_SIGNATURE unless all three are there and right; FAULT_STORAGE. */
bool hook_answer(
    struct work *w, const struct config *cfg, const struct request *req, struct response *res);

#endif
