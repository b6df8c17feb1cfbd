/* export_import.c - `amocrmctl export` and `amocrmctl import`: all connections as JSON lines.
 *
 *   {"key":"connection:1:2","value":"<the record, sealed>"}
 *   {"key":"connection:1:2","value":"<the record without its tokens>","tokens":"<them>"}   --plain
 *   {"key":"app:<app user>","value":"connection:1:2"}
 */
#include "ctl.h"

#include "config/host_allowlist.h"
#include "connection/connection.h"
#include "crypto/keyring.h"
#include "store/store.h"
#include "text/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct export
{
	const struct keyring *ring; /* NULL: sealed */
	size_t failed;
};

static bool
open_tokens(struct work *w, const struct keyring *ring, const char *value, const char **clear,
    const char **tokens_text)
{
	struct connection connection;
	struct tokens tokens;

	return record_read(w, value, &connection)
	    && work_copy(w, value, (size_t)(connection.sealed - value), clear)
	    && record_tokens(w, ring, &connection, &tokens)
	    && tokens_write(w, &tokens, tokens_text);
}

/* One that does not open is named, and keeps no other from being exported. */
static bool
export_record(struct work *w, void *arg, const char *key, const char *value)
{
	struct export *export = arg;
	const char *tokens = NULL;
	const char *line;
	struct text t;

	if (value == NULL
	    || (export->ring != NULL && strncmp(key, "connection:", 11) == 0
		&& !open_tokens(w, export->ring, value, &value, &tokens))) {
		if (value == NULL)
			work_fault(w, FAULT_DAMAGED, "it is damaged");
		if (w->kind != FAULT_STORAGE && w->kind != FAULT_DAMAGED)
			return false;
		fprintf(stderr, "amocrmctl export: %s: %s\n", key, w->reason);
		work_recover(w);
		export->failed++;
		return true;
	}
	text_begin(w, &t);
	text_add(&t, "{\"key\":");
	json_add_string(&t, key);
	text_add(&t, ",\"value\":");
	json_add_string(&t, value);
	if (tokens != NULL) {
		text_add(&t, ",\"tokens\":");
		json_add_string(&t, tokens);
	}
	text_add_char(&t, '}');
	return text_end(&t, &line) && (puts(line) != EOF || fault(w, FAULT_SERVER, "cannot write"));
}

enum ctl_exit
ctl_export(struct ctl *ctl)
{
	struct export export = { NULL, 0 };
	bool plain = ctl->argc == 2 && strcmp(ctl->argv[1], "--plain") == 0;

	if (ctl->argc > 1 && !plain)
		return ctl_usage(ctl, "takes --plain or nothing");
	if (plain && isatty(STDOUT_FILENO)) {
		fprintf(stderr, "amocrmctl export: tokens are not shown on a terminal\n");
		return CTL_FAILED;
	}
	if ((plain && !keyring_read(ctl->w, ctl->cfg.store.keys, &export.ring))
	    || !store_each(ctl->w, &ctl->cfg.store, "connection:", export_record, &export)
	    || !store_each(ctl->w, &ctl->cfg.store, "app:", export_record, &export))
		return ctl_fault(ctl);
	return export.failed == 0 ? CTL_DONE : CTL_FAILED;
}

struct pointing {
	const char *key;
	bool done;
};

static bool
point(struct work *w, void *arg, const char *old, const char **value)
{
	struct pointing *pointing = arg;

	(void)w;
	pointing->done = old == NULL;
	if (pointing->done)
		*value = pointing->key;
	return true;
}

/* Whose a connection is, unless that is known already; a damaged pointer says nothing. */
static bool
import_pointer(
    struct work *w, const struct config *cfg, const char *key, const char *value, bool *done)
{
	struct pointing pointing = { value, false };
	bool sound = store_change(w, &cfg->store, key, 0, point, &pointing);

	if (!sound && w->kind == FAULT_DAMAGED) {
		work_recover(w);
		pointing.done = sound = store_put(w, &cfg->store, key, value, 0);
	}
	*done = sound && pointing.done;
	return sound;
}

static bool
import_line(struct work *w, const struct config *cfg, const struct keyring *ring,
    const struct json_object *doc, bool *done)
{
	const char *key = json_string(doc, "key");
	const char *value = json_string(doc, "value");
	const char *text = json_string(doc, "tokens");
	char lowered[HOST_SIZE];
	struct connection connection;
	struct tokens tokens;

	if (key != NULL && value != NULL && strncmp(key, "app:", 4) == 0)
		return import_pointer(w, cfg, key, value, done);
	if (key == NULL || value == NULL || strncmp(key, "connection:", 11) != 0)
		return fault(w, FAULT_REQUEST, "it is not one that export wrote");
	if (!record_read(w, value, &connection) || (text != NULL && !tokens_read(w, text, &tokens)))
		return false;
	if (!host_allowed(cfg->amocrm.account_domains, connection.host, lowered))
		return fault(w, FAULT_REQUEST, "its host is none that account_domains allows");
	return connection_restore(w, cfg, ring, key, value, text == NULL ? NULL : &tokens, done);
}

/* Every line that is sound is taken, also behind one that is not. */
static bool
import_lines(struct ctl *ctl, const struct keyring *ring, size_t *taken, size_t *kept)
{
	struct work *w = ctl->w;
	char *line = NULL;
	size_t size = 0;
	size_t number = 0;
	bool sound = true;

	while (getline(&line, &size, stdin) > 0) {
		struct json_object *doc = json_read_strict(line, strcspn(line, "\n"));
		size_t mark = work_mark(w);
		bool done = false;

		number++;
		if (!import_line(w, &ctl->cfg, ring, doc, &done)) {
			fprintf(stderr, "amocrmctl import: line %zu: %s\n", number, w->reason);
			work_recover(w);
			sound = false;
		} else if (done)
			++*taken;
		else
			++*kept;
		json_object_put(doc);
		work_release(w, mark);
		explicit_bzero(line, size);
	}
	free(line);
	return sound;
}

enum ctl_exit
ctl_import(struct ctl *ctl)
{
	const struct keyring *ring;
	size_t taken = 0;
	size_t kept = 0;
	bool sound;

	if (ctl->argc > 1)
		return ctl_usage(ctl, "takes no arguments; the lines come from standard input");
	if (!keyring_read(ctl->w, ctl->cfg.store.keys, &ring))
		return ctl_fault(ctl);
	sound = import_lines(ctl, ring, &taken, &kept);
	printf("imported %zu, left alone %zu: here already, and as new\n", taken, kept);
	return sound ? CTL_DONE : CTL_FAILED;
}
