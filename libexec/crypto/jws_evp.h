/* jws_evp.h - the algorithms of public keys, where they are done; whoever has them done uses jws.h.
 */
#ifndef JWS_EVP_H
#define JWS_EVP_H

#include "crypto/jws.h"

extern const struct jws_algorithm evp_rs256; /* at least 2048 bits */
extern const struct jws_algorithm evp_es256; /* P-256 */
extern const struct jws_algorithm evp_eddsa; /* Ed25519 */

#endif
