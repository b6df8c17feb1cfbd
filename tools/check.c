/* check.c - `amocrmctl check`: each part of the set-up, looked at in the order things depend on each
 * other; what cannot be looked at because something before it is wrong is left out. */
#include "ctl.h"

#include "connection.h"
#include "keyring.h"
#include "store.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char callback_path[] = "/api/amo-crm/callback";
static const char old_path[] = "/api/v1/integrations/";

struct findings {
	struct ctl *ctl;
	int wrong;
};

static void
fine(const char *what, const char *found)
{
	printf("ok     %-13s %s\n", what, found);
}

static void
wrong(struct findings *f, const char *what, const char *found, const char *to_do)
{
	printf("WRONG  %-13s %s\n%21s-> %s\n", what, found, "", to_do);
	f->wrong++;
}

/* The fault a step left, which names the place; then the work is ready for the next look. */
static void
wrong_fault(struct findings *f, const char *what, const char *to_do)
{
	wrong(f, what, f->ctl->w->reason, to_do);
	f->ctl->w->kind = FAULT_NONE;
}

static bool
check_config(struct findings *f)
{
	struct ctl *ctl = f->ctl;

	if (!config_read(ctl->w, ctl->config_path, &ctl->cfg)) {
		wrong_fault(
		    f, "configuration", "mend that line; amo-crm.conf.example explains every key");
		return false;
	}
	fine("configuration", ctl->config_path);
	return true;
}

static bool
ends_in(const char *s, const char *end)
{
	size_t len = strlen(s);
	size_t end_len = strlen(end);

	return len >= end_len && strcmp(s + len - end_len, end) == 0;
}

static void
check_redirect_uri(struct findings *f)
{
	const char *uri = f->ctl->cfg.amocrm.redirect_uri;

	if (strstr(uri, old_path) != NULL)
		wrong(f, "redirect_uri", uri,
		    "nothing listens below /api/v1/integrations/; use "
		    "https://<host>/api/amo-crm/callback here "
		    "and in amoCRM's settings");
	else if (!ends_in(uri, callback_path))
		wrong(f, "redirect_uri", uri,
		    "it must end in /api/amo-crm/callback, here and in amoCRM's settings");
	else if (strncmp(uri, "https://", 8) != 0)
		wrong(f, "redirect_uri", uri,
		    "it must begin with https://; http is for trying things out on localhost only");
	else
		fine("redirect_uri", uri);
}

static void
check_keyring(struct findings *f)
{
	const struct keyring *ring;

	if (keyring_read(f->ctl->w, f->ctl->cfg.store.keys, &ring))
		fine("key ring", f->ctl->cfg.store.keys);
	else
		wrong_fault(f, "key ring",
		    "amocrmctl keygen makes a line for it; chmod 0600, or 0640 with the web "
		    "server's group");
}

static bool
check_store_mode(struct findings *f)
{
	const char *path = f->ctl->cfg.store.path;
	struct stat st;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		wrong(f, "store", path,
		    "make the directory: install -d -m 700 -o <web server's user>");
		return false;
	}
	if ((st.st_mode & 077) != 0) {
		wrong(f, "store", path, "others can look into it: chmod 0700");
		return false;
	}
	if (geteuid() != 0 && st.st_uid != geteuid()) {
		wrong(f, "store", path,
		    "it belongs to somebody else: run check as the web server's user, or chown it");
		return false;
	}
	return true;
}

static bool
count(struct work *w, void *context, const struct connection *connection)
{
	(void)w;
	(void)connection;
	++*(int *)context;
	return true;
}

static void
check_store(struct findings *f)
{
	struct ctl *ctl = f->ctl;
	const char *found;
	int connections = 0;

	if (!check_store_mode(f))
		return;
	if (!store_ready(ctl->w, &ctl->cfg.store)) {
		wrong_fault(
		    f, "store", "make space, or give the directory to the web server's user");
		return;
	}
	if (!connection_each(ctl->w, &ctl->cfg, count, &connections)) {
		wrong_fault(f, "store", "restore that file from a backup, or move it away");
		return;
	}
	if (work_print(ctl->w, &found, "%s, connections: %d", ctl->cfg.store.path, connections))
		fine("store", found);
}

enum ctl_exit
ctl_check(struct ctl *ctl)
{
	struct findings f = { .ctl = ctl };

	if (ctl->argc > 1)
		return ctl_usage(ctl, "takes no arguments");
	if (check_config(&f)) {
		check_redirect_uri(&f);
		check_keyring(&f);
		check_store(&f);
	}
	return f.wrong == 0 ? CTL_DONE : CTL_FAILED;
}
