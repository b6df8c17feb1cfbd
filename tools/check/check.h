/* check.h - the steps of `amocrmctl check`, one for each part of the set-up.
 *
 * Each step prints its findings and depends on the results of the steps before it, which are in
 * struct check.  A step skips what an earlier finding makes meaningless, so that one cause gives
 * one line.
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
	bool is_trial; /* all on this machine, with a mock amoCRM server: http is allowed */
	uid_t owner;   /* of the store: the web server's user */
	const struct keyring *ring; /* NULL: it cannot be used */
	bool amocrm_settings_ok;    /* redirect_uri, client_id and the like are valid */
	bool https_usable;          /* an HTTPS call can be made */
	bool crypto_usable;         /* amo-crm-crypto works */
	bool store_usable;          /* it can be read, and all of it is the owner's */
	bool disk_usable;           /* the disk has space */
	time_t newest;              /* the latest time in the store */
};

/* check_files.c: the files of secrets, their owners and modes. */
bool check_configuration(struct check *c); /* false: no other step is possible */
void check_keyring(struct check *c);

/* False, with a finding: [store] password_file cannot be used. */
bool check_password_file(struct check *c);

/* check_values.c: false, with findings: a value is in quotes, or has a second key behind it. */
bool check_values(struct check *c);

/* check_store_dir.c: the directory of the store, its owners and modes. */
void check_store_dir(struct check *c);

/* check_engine.c: the database of engine = postgresql, which makes the store usable or not. */
void check_engine(struct check *c);

/* check_filesystem.c: whether changes in the store can be made durable. */
void check_filesystem(struct check *c);

/* check_redirect_uri.c: what must be the same in amoCRM and in the configuration. */
void check_redirect_uri(struct check *c);
void check_client(struct check *c);
void check_platform(struct check *c);

/* check_deep_link.c: the link that opens the app, and the pages that carry it. */
void check_deep_link(struct check *c);

/* check_secrets.c: the app's token, the webhook's key, the signature of deliveries. */
void check_jwt(struct check *c);

/* check_public_key.c: false, with a finding: the file of [jwt] public_key holds something else. */
bool check_public_key(struct check *c);
void check_webhook(struct check *c);
void check_deliver(struct check *c);

/* check_network.c: certificates, proxy, and the helper programs. */
void check_ca(struct check *c);
void check_network(struct check *c);
void check_https(struct check *c);
void check_crypto(struct check *c);

/* check_system.c: disk space, clock, and locks. */
void check_disk(struct check *c);
void check_clock(struct check *c);
void check_locks(struct check *c);

/* check_records.c: the connections in the store. */
void check_records(struct check *c);

/* check_skipped.c: after a walk over the store has failed.  True: only some shards were skipped,
 * and are reported; false: the fault is reported. */
bool check_skipped(struct check *c);

/* check_escrow.c: tokens that wait to be stored. */
void check_escrow(struct check *c);

/* check_journal.c: the events, and their delivery. */
void check_journal(struct check *c);

/* check_public.c: our own URLs, requested from outside. */
void check_public(struct check *c);

/* check_accounts.c: whether amoCRM accepts our keys, and sends webhooks. */
void check_accounts(struct check *c);

/* False, with a finding: path is below a directory whose files web servers usually serve. */
bool check_location(struct check *c, const char *part, const char *path);

/* What to do about the fault in ctx: about a file that others can change, else otherwise. */
const char *check_advice(const struct ctx *ctx, const char *otherwise);

/* Whether the value is a placeholder of amo-crm.conf.example. */
bool check_is_placeholder(const char *value);

/* test_token.c: a bearer token for a user who does not exist, valid for a minute.  With a public
 * key everything but its signature is right. */
bool test_token_make(struct ctx *ctx, const struct jwt_config *cfg, const char **token);

/* The user's name, or "user " and the number if there is none; in the arena. */
const char *check_user_name(struct ctx *ctx, uid_t uid);

#endif
