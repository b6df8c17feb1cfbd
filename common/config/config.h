/* config.h - the configuration file: its keys, their rules, their defaults.
 *
 * An INI file, parsed by inih.  An unknown key or an invalid value is refused with file, line and
 * reason: a misspelt key must not silently leave its default in force.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/ctx.h"

#include <stdint.h>

enum redirect_mode { REDIRECT_PAGE, REDIRECT_BUTTON, REDIRECT_302 };
enum connections_mode { CONNECTIONS_SHARED, CONNECTIONS_PER_USER };
enum state_mode { STATE_ANY, STATE_SIGNED };
enum jwt_algorithm { JWT_HS256, JWT_HS384, JWT_HS512, JWT_RS256, JWT_ES256, JWT_EDDSA };
enum store_engine { ENGINE_FILES, ENGINE_POSTGRESQL };
enum webhook_accounts { WEBHOOK_CONNECTED, WEBHOOK_ANY };

#define BUDGET_CALLS_MAX 50 /* a second; amoCRM allows 7, and more to nobody so far */

struct call_budget {
	int calls;     /* a second, to one account */
	int exchanges; /* of them: exchanges of codes that carry no state of ours */
};

struct amocrm_config {
	const char *client_id;
	const char *client_secret;
	const char *redirect_uri;
	int64_t account_id;  /* 0: not pinned by number */
	const char *account; /* a host in lower case; NULL: any that account_domains allows */
	const char *account_domains;
	const char *authorize_url;
	int timeout; /* seconds */
	struct call_budget budget;
	const char *ca_file;    /* this and the next two: for calls to amoCRM only */
	const char *connect_to; /* curl's HOST1:PORT1:HOST2:PORT2, separated by spaces */
	const char *proxy;
};

struct app_config {
	const char *name; /* NULL: "the app", in the visitor's language */
	const char *deep_link;
	int redirect;    /* enum redirect_mode */
	int connections; /* enum connections_mode */
	int state;       /* enum state_mode */
	const char *android_package;
};

struct jwt_config {
	int algorithm; /* enum jwt_algorithm */
	const char *secret;
	const char *public_key; /* path */
	const char *issuer;
	const char *audience;
	const char *user_claim;
	int leeway; /* seconds */
};

struct store_config {
	int engine; /* enum store_engine */
	const char *path;
	const char *keys;

	/* Of ENGINE_POSTGRESQL: */
	const char *database;      /* libpq's connection string of keywords, without a password */
	const char *password_file; /* NULL: the server asks for none */
};

struct webhook_config {
	const char *secret;
	int accounts;        /* enum webhook_accounts */
	int max_body;        /* bytes */
	int keep_days;       /* days */
	int64_t max_journal; /* bytes */
};

struct deliver_config {
	const char *url;
	const char *secret;
	int allow_private; /* bool */
	const char *ca_file;
	const char *proxy;
};

struct config {
	const char *file;
	bool valid; /* the file was read without a fault */
	struct amocrm_config amocrm;
	struct app_config app;
	struct jwt_config jwt;
	struct store_config store;
	struct webhook_config webhook;
	struct deliver_config deliver;
};

/* $AMO_CRM_CONFIG, or the path that was compiled in. */
const char *config_path(void);

/* Optional values that are not set are NULL.  A process with a cache (see filecache.h) parses the
 * file again only when it has changed.  Fault: FAULT_CONFIG.  Even then cfg->app holds the values
 * parsed so far, and defaults for the others, so that the error can be reported to the app. */
bool config_read(struct ctx *ctx, const char *path, struct config *cfg);

/* As config_read, whoever owns the file: for root, which learns from it as which user to run, and
 * then reads it again. */
bool config_read_as_root(struct ctx *ctx, const char *path, struct config *cfg);

/* Refuses a store that somebody other than root and we can change, by the rule of base/file.h.  A
 * store without access for others costs one system call.  One that is missing is not refused here:
 * the functions of the store will say so.  Fault: FAULT_CONFIG. */
bool config_check_store(struct ctx *ctx, const struct store_config *store);

/* The table of all keys; it ends with a NULL name. */
struct config_key {
	const char *section;
	const char *name;
	const char *default_value; /* as it would be written in the file; NULL: none */
	bool required;
	bool secret;   /* never shown */
	bool text;     /* its member is a const char * */
	size_t offset; /* in struct config */
	bool (*parse)(const struct config_key *key, const char *value, void *target);
	long min;            /* of a number, or of a text's length in bytes */
	long max;            /* of a number */
	const char *choices; /* the allowed values, separated by spaces; NULL: not a choice */
	const char *error;   /* the error message for a wrong value; NULL for a choice */
	const char *(*problem)(
	    const char *value); /* in place of error, where it depends on the value */
};
extern const struct config_key config_keys[];

#endif
