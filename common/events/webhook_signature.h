/* webhook_signature.h - the signature of a delivery, as Standard Webhooks has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
 */
#ifndef WEBHOOK_SIGNATURE_H
#define WEBHOOK_SIGNATURE_H

#include "base/ctx.h"

#include <time.h>

#define WHSEC_MIN 24 /* bytes of a secret; the limits are the specification's */
#define WHSEC_MAX 64

/* The value of the header webhook-signature: "v1,<base64>" for each secret.  secrets is a list of
 * "whsec_<base64>", separated by spaces; so is the value.
 * Fault: FAULT_CONFIG if a secret is malformed; its text is not quoted. */
bool webhook_sign(struct ctx *ctx, const char *secrets, const char *id, time_t at, const char *body,
    const char **signature);

#endif
