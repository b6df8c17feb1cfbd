/* check_files.c - the two files of secrets, the configuration and the key ring: who may read or
 * change them, and whether they can be parsed. */
#include "check/check.h"

#include "base/file.h"
#include "config/config_mistake.h"

#include "run_as.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *
check_user_name(struct ctx *ctx, uid_t uid)
{
	char name[RUN_AS_NAME_SIZE];
	const char *text;
	gid_t group;

	if (run_as_find(uid, name, &group))
		return ctx_strndup(ctx, name, strlen(name), &text) ? text : "";
	return ctx_printf(ctx, &text, "user %lu", (unsigned long)uid) ? text : "";
}

static const char change_owner[] =
    "chown it to root, with the web server's group and mode 0640; where everything is one user's, "
    "to that user";

/* Whether the group is root's, or one that the web server's programs run as. */
static bool
group_expected(const struct check *c, gid_t gid)
{
	struct stat store;
	char name[RUN_AS_NAME_SIZE];
	gid_t group;

	return gid == 0 || gid == getegid() || c->owner == 0
	    || (stat(c->ctl->cfg.store.path, &store) == 0 && gid == store.st_gid)
	    || (run_as_find(c->owner, name, &group) && gid == group);
}

static bool
owner_ok(struct check *c, const char *part, const char *path, const struct stat *st)
{
	if (st->st_uid != 0 && st->st_uid != c->owner) {
		report_wrong(&c->report, part, change_owner,
		    "%s: belongs to %s, and the programs run as %s", path,
		    check_user_name(c->ctl->ctx, st->st_uid),
		    check_user_name(c->ctl->ctx, c->owner));
		return false;
	}
	if ((st->st_mode & 040) != 0 && !group_expected(c, st->st_gid)) {
		report_warning(&c->report, part, "chgrp it to the web server's group",
		    "%s: group %lu can read it, and is not the web server's group", path,
		    (unsigned long)st->st_gid);
		return false;
	}
	return true;
}

/* A user who may write the directory can replace the file. */
static bool
folder_ok(struct check *c, const char *part, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *folder = ".";
	struct stat st;

	if (slash != NULL
	    && !ctx_strndup(c->ctl->ctx, path, slash == path ? 1 : (size_t)(slash - path), &folder))
		return false;
	if (stat(folder, &st) != 0 || (st.st_mode & S_IWOTH) == 0 || (st.st_mode & S_ISVTX) != 0)
		return true;
	report_wrong(&c->report, part, "chmod o-w that folder",
	    "%s: any user can write to its folder, and so replace the file", path);
	return false;
}

bool
check_location(struct check *c, const char *part, const char *path)
{
	static const char *const served[] = { "/public_html/", "/htdocs/", "/var/www/" };

	for (size_t i = 0; i < sizeof served / sizeof *served; i++)
		if (strstr(path, served[i]) != NULL) {
			report_warning(&c->report, part, "move it to a folder that is not served",
			    "%s: below %s, from where web servers serve files", path, served[i]);
			return false;
		}
	return true;
}

/* Called after the file was opened, which has checked its mode. */
static bool
file_ok(struct check *c, const char *part, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && owner_ok(c, part, path, &st) && folder_ok(c, part, path)
	    && check_location(c, part, path);
}

const char *
check_advice(const struct ctx *ctx, const char *otherwise)
{
	if (strstr(ctx->reason, "lets other users change it") != NULL)
		return "chmod go-w, then run the check again";
	return strstr(ctx->reason, ": its owner, user ") != NULL ? change_owner : otherwise;
}

/* What to do about a file that cannot be opened or parsed. */
static const char *
advice(const struct ctx *ctx, const char *when_missing, const char *when_wrong)
{
	if (strstr(ctx->reason, ": mode ") != NULL)
		return "set this mode with chmod, then run the check again";
	if (strstr(ctx->reason, strerror(EACCES)) != NULL)
		return "the web server's user must be able to read it: chown root:<its group>, "
		       "chmod 0640, and the same group for the store; and run check as root or as "
		       "that user";
	return check_advice(
	    ctx, strstr(ctx->reason, strerror(ENOENT)) != NULL ? when_missing : when_wrong);
}

/* What to do about a value, or a line, that config_read refuses. */
static const char *
config_advice(const struct ctx *ctx)
{
	static const struct {
		const char *reason, *to_do;
	} known[] = {
		{ "is given twice",
		    "delete one of the two lines, or the blank that the second begins "
		    "with" },
		{ "unknown section",
		    "the sections are [amocrm], [app], [jwt], [store], [webhook] and [deliver]" },
		{ "no [section] before this line",
		    "every key belongs below the line of its section, such as [amocrm]" },
		{ "perhaps it should be ",
		    "write the line as: key = value, with a key of amo-crm.conf.example" },
		{ "a link with its scheme in lower case",
		    "write the scheme in lower case, here and in the app" },
		{ "set algorithm to that of the key",
		    "set [jwt] algorithm = RS256, ES256 or EdDSA: HS256 is the default" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strstr(ctx->reason, known[i].reason) != NULL)
			return known[i].to_do;
	for (enum config_mistake m = CONFIG_NO_MISTAKE + 1; m < CONFIG_MISTAKES; m++)
		if (strstr(ctx->reason, config_mistake_text(m)) != NULL)
			return config_mistake_advice(m);
	return "correct this; amo-crm.conf.example explains every key";
}

bool
check_configuration(struct check *c)
{
	struct ctl *ctl = c->ctl;
	struct stat st;

	if (!config_read(ctl->ctx, ctl->config_path, &ctl->cfg)) {
		report_fault(&c->report, "configuration",
		    advice(ctl->ctx,
			"copy amo-crm.conf.example there and fill it in, or set another path by -c "
			"or AMO_CRM_CONFIG",
			config_advice(ctl->ctx)));
		return false;
	}
	if (!check_values(c))
		return false;
	c->is_trial = strncmp(ctl->cfg.amocrm.authorize_url, "http://", 7) == 0;
	c->owner = stat(ctl->cfg.store.path, &st) == 0 ? st.st_uid : geteuid();
	if (file_ok(c, "configuration", ctl->config_path))
		report_ok(&c->report, "configuration", "%s", ctl->config_path);
	return true;
}

/* Whether the key is one byte repeated, so typed by hand rather than generated. */
static bool
key_is_weak(const struct key *key)
{
	for (size_t i = 1; i < KEY_SIZE; i++)
		if (key->secret[i] != key->secret[0])
			return false;
	return true;
}

void
check_keyring(struct check *c)
{
	struct report *r = &c->report;
	const char *path = c->ctl->cfg.store.keys;

	if (!keyring_read(c->ctl->ctx, path, &c->ring)) {
		c->ring = NULL;
		report_fault(r, "keys",
		    advice(c->ctl->ctx,
			"restore it from its backup: without it no stored token can be decrypted; "
			"only for a new store generate one with amocrmctl keygen",
			"restore it from its backup; each line must be as amocrmctl keygen prints "
			"it"));
		return;
	}
	for (size_t i = 0; i < c->ring->count; i++)
		if (key_is_weak(&c->ring->keys[i])) {
			report_wrong(r, "keys",
			    "put a line from amocrmctl keygen at the top, run amocrmctl rekey, "
			    "then delete this key",
			    "%s: key %s is one byte repeated, which is easy to guess", path,
			    c->ring->keys[i].kid);
			return;
		}
	if (file_ok(c, "keys", path))
		report_ok(
		    r, "keys", "%s: %zu, %s encrypts", path, c->ring->count, c->ring->keys[0].kid);
}

bool
check_password_file(struct check *c)
{
	const char *path = c->ctl->cfg.store.password_file;
	FILE *file;

	if (path == NULL)
		return true;
	if (!file_open_secret(c->ctl->ctx, path, &file)) {
		report_fault(&c->report, "password_file",
		    advice(c->ctl->ctx, "write the password of the database's user to this file",
			"write the password of the database's user to this file"));
		return false;
	}
	fclose(file);
	if (file_ok(c, "password_file", path))
		report_ok(&c->report, "password_file", "%s", path);
	return true;
}
