/* crypto_message.h - the messages between a program and amo-crm-crypto (see helper.h), encoded and
 * decoded here for both ends.
 */
#ifndef CRYPTO_MESSAGE_H
#define CRYPTO_MESSAGE_H

#include "base/ctx.h"
#include "base/strbuf.h"
#include "crypto/keyring.h"

#include <stdint.h>

struct json_object;

enum crypto_operation {
	CRYPTO_SEAL,   /* encrypts; struct cipher_request, replies with the sealed text */
	CRYPTO_OPEN,   /* decrypts; struct cipher_request, replies with the plaintext */
	CRYPTO_VERIFY, /* verifies a signature; struct verify_request */
	CRYPTO_OPERATIONS
};

struct cipher_request {
	const struct key *key;
	const char *context; /* the associated data; see seal.h */
	const char *text;
};

struct verify_request {
	const char *algorithm;   /* as the header parameter `alg` spells it */
	const char *public_key;  /* the path of a PEM file */
	const char *signed_part; /* need not be NUL-terminated */
	size_t signed_len;
	const uint8_t *signature;
	size_t signature_len;
};

/* The caller's end.  Encodes a request, a line for crypto_send.  Fault: FAULT_SERVER when the arena
 * is full. */
bool cipher_request_encode(struct ctx *ctx, enum crypto_operation operation,
    const struct cipher_request *request, const char **line);
bool verify_request_encode(
    struct ctx *ctx, const struct verify_request *request, const char **line);

/* Sends the line and waits for the reply, which the caller releases with json_object_put.
 * NULL with a fault: see helper_request. */
struct json_object *crypto_send(struct ctx *ctx, const char *line);

/* Decodes its reply; *text lives in the arena.  Fault: FAULT_SERVER when doc is not one. */
bool cipher_reply_decode(struct ctx *ctx, const struct json_object *doc, const char **text);
bool verify_reply_decode(struct ctx *ctx, const struct json_object *doc, bool *valid);

/* The end of amo-crm-crypto.  Decodes a request: first its operation, then the struct that belongs
 * to it.  The struct's members belong to the arena or to doc.  Fault: FAULT_SERVER when doc is not
 * a request. */
bool crypto_operation_decode(
    struct ctx *ctx, const struct json_object *doc, enum crypto_operation *operation);
bool cipher_request_decode(
    struct ctx *ctx, const struct json_object *doc, struct cipher_request *request);
bool verify_request_decode(
    struct ctx *ctx, const struct json_object *doc, struct verify_request *request);

void cipher_reply_encode(struct strbuf *sb, const char *text);
void verify_reply_encode(struct strbuf *sb, bool valid);

#endif
