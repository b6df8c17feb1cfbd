/* accounts.c - `amocrmctl accounts` and `amocrmctl disconnect`: lists connections, erases one. */
#include "ctl.h"

#include "base/rfc3339.h"
#include "base/strbuf.h"
#include "connection/connection.h"
#include "text/json.h"

#include <stdio.h>
#include <string.h>

static bool
print_json(struct ctx *ctx, void *arg, const struct connection *connection)
{
	char expires_at[RFC3339_SIZE];
	char connected_at[RFC3339_SIZE];
	char refreshed_at[RFC3339_SIZE];
	size_t *count = arg;
	struct strbuf sb;
	const char *object;

	rfc3339_write(connection->expires_at, expires_at);
	rfc3339_write(connection->connected_at, connected_at);
	rfc3339_write(connection->refreshed_at, refreshed_at);
	strbuf_init(ctx, &sb);
	strbuf_addf(&sb, "%s\n{\"account_id\":%lld,\"domain\":", *count == 0 ? "" : ",",
	    (long long)connection->account_id);
	json_add_string(&sb, connection->host);
	strbuf_addf(
	    &sb, ",\"amocrm_user_id\":%lld,\"app_user\":", (long long)connection->amocrm_user_id);
	json_add_string(&sb, connection->app_user);
	strbuf_addf(&sb,
	    ",\"state\":\"%s\",\"expires_at\":\"%s\",\"connected_at\":\"%s\",\"refreshed_at\":\"%"
	    "s\"}",
	    connection_state_name(connection), expires_at, connected_at, refreshed_at);
	if (!strbuf_finish(&sb, &object))
		return false;
	fputs(object, stdout);
	++*count;
	return true;
}

/* Untrusted text is printed without the control characters a terminal would obey. */
static void
print_column(const char *s, int width)
{
	int shown = 0;

	for (; s != NULL && *s != '\0' && shown < 60; s++, shown++)
		putchar(*s >= ' ' && *s <= '~' ? *s : '?');
	printf("%*s", shown < width ? width - shown + 1 : 1, "");
}

static bool
print_row(struct ctx *ctx, void *arg, const struct connection *connection)
{
	char expires_at[RFC3339_SIZE];
	size_t *count = arg;

	(void)ctx;
	rfc3339_write(connection->expires_at, expires_at);
	if (*count == 0)
		printf("account/user          host                         state    token until    "
		       "      app user\n");
	printf("%lld/%-*lld ", (long long)connection->account_id,
	    20 - snprintf(NULL, 0, "%lld", (long long)connection->account_id),
	    (long long)connection->amocrm_user_id);
	print_column(connection->host, 28);
	printf("%-8s %s ", connection_state_name(connection), expires_at);
	print_column(connection->app_user == NULL ? "-" : connection->app_user, 0);
	putchar('\n');
	++*count;
	return true;
}

enum ctl_exit
ctl_accounts(struct ctl *ctl)
{
	bool json = ctl->argc == 2 && strcmp(ctl->argv[1], "--json") == 0;
	size_t count = 0;
	bool folded;
	bool ok;

	if (ctl->argc > 1 && !json)
		return ctl_usage(ctl, "accepts only --json");
	folded = ctl_fold(ctl);
	if (json)
		putchar('[');
	ok = connection_each(ctl->ctx, &ctl->cfg, json ? print_json : print_row, &count);
	if (json)
		puts(count == 0 ? "]" : "\n]");
	else if (ok && count == 0)
		fprintf(stderr, "No account is connected yet.\n");
	if (!ok)
		ctl_skipped(ctl);
	return ok && folded ? CTL_DONE : CTL_FAILED;
}

enum ctl_exit
ctl_disconnect(struct ctl *ctl)
{
	int64_t account_id;
	int64_t user_id;

	if (ctl->argc != 2 || !selector_valid(ctl->argv[1]))
		return ctl_usage(ctl, "expects one account");
	if (!selector_find_ids(ctl, ctl->argv[1], &account_id, &user_id)
	    || !connection_erase(ctl->ctx, &ctl->cfg, account_id, user_id))
		return ctl_fault(ctl);
	fprintf(stderr,
	    "Erased %lld/%lld.  amoCRM itself still lists the integration as installed.\n",
	    (long long)account_id, (long long)user_id);
	return CTL_DONE;
}
