/* connection.h - what a connected account is.
 *
 * The records of the store (see store.h):
 *
 *   connection:<account id>:<amoCRM user id>   the tokens and whose they are (see record.h)
 *   account:<account id>                       which amoCRM users of it are connected
 *   app:<app user>                             which connection is theirs; "app:" is everybody's
 *   code:<sha256 of the code>                  which connection the code became
 *   pending:<sha256 of the code>               tokens whose account is not known yet
 *
 * A pointer that leads nowhere counts as absent, so it hardly matters where a change is cut short.
 */
#ifndef CONNECTION_H
#define CONNECTION_H

#include "config.h"
#include "record.h"
#include "store.h"
#include "work.h"

/* Stores the tokens as the connection of that amoCRM user, active whatever it was before; *key is
 * its record's.  In a shared set-up it takes the place of the account's other connections.
 * Fault: FAULT_STORAGE, FAULT_UNAVAILABLE. */
bool connection_save(struct work *w, const struct config *cfg, const struct keyring *ring,
    const struct identity *identity, const struct tokens *tokens, const char **key);

/* Every connection, in no order.  The visitor's room is taken back after each. */
typedef bool connection_visit(struct work *w, void *context, const struct connection *connection);
bool connection_each(
    struct work *w, const struct config *cfg, connection_visit *visit, void *context);

/* One connection; *found is false when there is none of that name. */
bool connection_find(struct work *w, const struct config *cfg, int64_t account_id,
    int64_t amocrm_user_id, bool *found, struct connection *connection);

#endif
