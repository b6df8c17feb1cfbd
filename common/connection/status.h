/* status.h - what the app is told of its user's connection.
 */
#ifndef STATUS_H
#define STATUS_H

#include "base/ctx.h"
#include "config/config.h"
#include "connection/connection.h"

/* {"connected":…,"hasTokens":…,"domain":…,"accountId":…} as JSON text.  connection NULL: there is
 * none; the domain is then the pinned account.  authorize_url NULL leaves "authorizeUrl" out. */
bool status_data(struct ctx *ctx, const struct config *cfg, const struct connection *connection,
    const char *authorize_url, const char **data);

#endif
