/* refusal.h - what amoCRM means by a reply that refuses a request.
 *
 * The hints of the token endpoint are those of the library it is built on,
 * https://github.com/thephpleague/oauth2-server, and some of amoCRM's own.
 */
#ifndef REFUSAL_H
#define REFUSAL_H

#include "amocrm/amocrm.h"
#include "helper/https.h"

/* Reports a 400, 401 or 403 with JSON, as amocrm_call does.  A hint that is not known is quoted,
 * and does not prove the code or token invalid. */
void refusal_fault(struct ctx *ctx, const struct amocrm_call *call, const struct https_reply *reply,
    const struct json_object *doc);

/* What a reply says of itself, shortened: its title, and its hint or detail; "" for nothing. */
bool refusal_quote(struct ctx *ctx, const struct json_object *doc, const char **quote);

#endif
