/* webhook_signature.h - signatures of the webhooks we send on
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

#include "base/ctx.h"

#include <time.h>

#define WHSEC_MIN 24 /* bytes of a secret, as the specification has it */
#define WHSEC_MAX 64

/* The value of webhook-signature: "v1,<base64>" for each secret of the list "whsec_<base64>
 * whsec_<base64>", separated by spaces.
 * Fault: FAULT_CONFIG when a secret is not one. */
bool webhook_sign(struct ctx *ctx, const char *secrets, const char *id, time_t at, const char *body,
    const char **signature);

#endif
