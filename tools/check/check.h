/* check.h - the parts `amocrmctl check` looks at.
 *
 * Each step prints its findings and goes by what the steps before it have learnt.  What cannot be
 * judged because of a finding made already is left out: one cause, one line.
 */
#ifndef CHECK_H
#define CHECK_H

#include "check/report.h"
#include "crypto/keyring.h"
#include "ctl.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct check {
	struct ctl *ctl;
	struct report report;
	bool is_trial; /* all on one machine, against a stand-in: plain http is meant */
	uid_t owner;   /* whom the store belongs to: the web server's user */
	const struct keyring *ring; /* NULL: cannot be used */
	bool keys_ok;               /* nothing is wrong with what amoCRM knows us by */
	bool calls_usable;          /* nothing is wrong with what a call needs */
	bool crypto_usable;         /* amo-crm-crypto works */
	bool store_usable;          /* can be looked into, and is all the owner's */
	bool disk_usable;           /* has room */
	time_t newest;              /* of all times the store holds */
};

/* check_files.c: what has to be readable, and by whom alone. */
bool check_configuration(struct check *c); /* false: nothing else can be looked at */
void check_keyring(struct check *c);

/* check_store_dir.c */
void check_store_dir(struct check *c);

/* check_redirect_uri.c: what amoCRM and the configuration must agree about. */
void check_redirect_uri(struct check *c);
void check_client(struct check *c);
void check_platform(struct check *c);

/* check_secrets.c: the app's token, the webhook's key, and deliveries. */
void check_jwt(struct check *c);
void check_webhook(struct check *c);
void check_deliver(struct check *c);

/* check_network.c: what an HTTPS call needs. */
void check_ca(struct check *c);
void check_network(struct check *c);
void check_https(struct check *c);
void check_crypto(struct check *c);

/* check_system.c: disk, clock, and locks. */
void check_disk(struct check *c);
void check_clock(struct check *c);
void check_locks(struct check *c);

/* check_records.c */
void check_records(struct check *c);

/* check_journal.c */
void check_journal(struct check *c);

/* check_public.c: our own addresses, as others see them. */
void check_public(struct check *c);

/* check_accounts.c: amoCRM, as it sees us. */
void check_accounts(struct check *c);

/* False, with a finding: web servers hand out to anybody what lies there. */
bool check_location(struct check *c, const char *part, const char *path);

/* Left over from amo-crm.conf.example. */
bool check_is_placeholder(const char *value);

/* A bearer token for nobody.  By a secret it is signed and good for a minute;
 * for a public key only its signature is wrong. */
bool test_token_make(struct ctx *ctx, const struct jwt_config *cfg, const char **token);

/* The name of a user for a person to read, lives in the room;
 * by the number where there is no name. */
const char *check_user_name(struct ctx *ctx, uid_t uid);

#endif
