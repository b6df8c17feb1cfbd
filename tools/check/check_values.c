/* check_values.c - values that the configuration's syntax accepts, but nobody means. */
#include "check/check.h"

#include "config/config_mistake.h"

#include <string.h>

#define AMOCRM_CALLS_MAX 7 /* a second, for one account */

/* The text that the configuration has for a key; NULL: none, or the key is no text. */
static const char *
text_of(const struct config *cfg, const struct config_key *key)
{
	const char *text;

	if (!key->text)
		return NULL;
	memcpy(&text, (const char *)cfg + key->offset, sizeof text);
	return text;
}

/* The part of the check that a key belongs to. */
static const char *
part_of(const struct config_key *key)
{
	static const struct {
		const char *section, *name, *part;
	} parts[] = {
		{ "amocrm", "client_secret", "client_secret" },
		{ "jwt", "secret", "jwt" },
		{ "jwt", "secret_previous", "jwt" },
		{ "webhook", "secret", "webhook_key" },
		{ "deliver", "secret", "deliver" },
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (strcmp(parts[i].section, key->section) == 0
		    && strcmp(parts[i].name, key->name) == 0)
			return parts[i].part;
	return "configuration";
}

static void
check_budget(struct check *c)
{
	int calls = c->ctl->cfg.amocrm.budget.calls;

	if (calls > AMOCRM_CALLS_MAX)
		report_warning(&c->report, "amocrm", "set it to 7 or less",
		    "[amocrm] budget allows %d calls a second; amoCRM blocks a client that makes "
		    "more than %d",
		    calls, AMOCRM_CALLS_MAX);
}

bool
check_values(struct check *c)
{
	bool ok = true;

	check_budget(c);
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		const char *text = text_of(&c->ctl->cfg, key);
		enum config_mistake mistake =
		    text == NULL ? CONFIG_NO_MISTAKE : config_find_mistake(text);

		if (mistake == CONFIG_NO_MISTAKE)
			continue;
		ok = false;
		report_wrong(&c->report, part_of(key), config_mistake_advice(mistake), "[%s] %s %s",
		    key->section, key->name, config_mistake_text(mistake));
	}
	return ok;
}
