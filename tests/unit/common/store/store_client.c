/* store_client.c - a program that uses the store in a database, for tests that break the database
 * meanwhile: tests/http/test_store_postgresql.py.
 *
 *   store_client DATABASE PASSWORD_FILE
 *
 * Reads commands, a line each, and replies to each with a line: "ok", and what was read, or the
 * name and the reason of a fault.
 *
 *   get KEY              reads a record
 *   put KEY VALUE        sets one; VALUE may be the name of a length, as in "long:65536"
 *   add KEY TEXT         appends to one
 *   section NAME…        appends ">" to the record "log:" NAME in a section of each name, one in
 *                        another; says how often the innermost body ran
 *   fail NAME            does so in a section that fails
 *   each PREFIX          counts records, and reads each of them once more
 *   hold NAME WAIT TERM  takes a lease; says its token, and whether it was abandoned
 *   let_go [abandoned]   lets go of it
 *   within MS            operations from now on have so long
 */
#include "base/clock.h"
#include "store/store_postgresql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE (16u << 20)
#define LINE_SIZE  4096
#define WORDS_MAX  8

struct client {
	struct ctx ctx;
	struct store_config store;
	struct store_lease lease;
	char lease_name[LINE_SIZE];
	char *words[WORDS_MAX + 1]; /* of the command; end with NULL */
	int runs;                   /* of a body */
	long count;                 /* of records */
};

static bool
append(struct ctx *ctx, void *arg, const char *old, const char **value)
{
	return ctx_printf(ctx, value, "%s%s", old == NULL ? "" : old, (const char *)arg);
}

static bool
add(struct client *client, const char *key, char *text)
{
	const struct store_op op = { key, 0, append, text };

	return store_postgresql_commit(&client->ctx, &client->store, &op, 1);
}

static bool
put(struct client *client, const char *key, char *value)
{
	const struct store_op op = store_op_put(key, value, 0);
	size_t len;
	char *text;

	if (strncmp(value, "long:", 5) != 0)
		return store_postgresql_commit(&client->ctx, &client->store, &op, 1);
	len = strtoul(value + 5, NULL, 10);
	if (!ctx_alloc(&client->ctx, len + 1, &text))
		return false;
	memset(text, 'x', len);
	return put(client, key, text);
}

struct nested {
	struct client *client;
	char **names;
	bool fails;
};

static bool
log_section(struct ctx *ctx, void *arg)
{
	struct nested outer = *(struct nested *)arg;
	char text[] = ">";
	const char *key;

	if (!ctx_printf(ctx, &key, "log:%s", *outer.names) || !add(outer.client, key, text))
		return false;
	outer.names++;
	if (*outer.names != NULL)
		return store_postgresql_together(
		    ctx, &outer.client->store, *outer.names, log_section, &outer);
	outer.client->runs++;
	return !outer.fails || fault(ctx, FAULT_REFUSED, "the body fails");
}

static bool
section(struct client *client, bool fails)
{
	struct nested outermost = { client, client->words + 1, fails };
	bool ok;

	client->runs = 0;
	ok = store_postgresql_together(
	    &client->ctx, &client->store, client->words[1], log_section, &outermost);
	if (ok)
		printf("ok %d\n", client->runs);
	return ok;
}

static bool
count_record(struct ctx *ctx, void *arg, const char *key, const char *value)
{
	struct client *client = arg;
	const char *again;

	client->count++;
	return store_postgresql_get(ctx, &client->store, key, &again)
	    && ((again != NULL && strcmp(value, again) == 0)
		|| fault(ctx, FAULT_CORRUPT, "%s: is not what was read before", key));
}

static bool
each(struct client *client, const char *prefix)
{
	client->count = 0;
	if (!store_postgresql_each(&client->ctx, &client->store, prefix, count_record, client))
		return false;
	printf("ok %ld\n", client->count);
	return true;
}

static bool
get(struct client *client, const char *key)
{
	const char *value;

	if (!store_postgresql_get(&client->ctx, &client->store, key, &value))
		return false;
	printf("ok %s\n", value == NULL ? "-" : value);
	return true;
}

static bool
hold(struct client *client)
{
	const struct store_wait wait = {
		strtol(client->words[2], NULL, 10),
		strtol(client->words[3], NULL, 10),
	};

	snprintf(client->lease_name, sizeof client->lease_name, "%s", client->words[1]);
	client->lease = (struct store_lease){ .name = client->lease_name };
	if (!store_postgresql_hold(&client->ctx, &client->store, &wait, &client->lease))
		return false;
	printf("ok %lld %d\n", (long long)client->lease.token, client->lease.abandoned);
	return true;
}

static bool
said_ok(bool ok)
{
	if (ok)
		puts("ok");
	return ok;
}

static bool
within(struct client *client)
{
	client->ctx.database.end_ms = clock_ms() + strtol(client->words[1], NULL, 10);
	return true;
}

static bool
let_go(struct client *client)
{
	client->lease.abandoned = client->words[1] != NULL;
	store_postgresql_let_go(&client->ctx, &client->store, &client->lease);
	return true;
}

static bool
obey(struct client *client)
{
	char **words = client->words;

	if (strcmp(words[0], "get") == 0)
		return get(client, words[1]);
	if (strcmp(words[0], "put") == 0)
		return said_ok(put(client, words[1], words[2]));
	if (strcmp(words[0], "add") == 0)
		return said_ok(add(client, words[1], words[2]));
	if (strcmp(words[0], "section") == 0)
		return section(client, false);
	if (strcmp(words[0], "fail") == 0)
		return section(client, true);
	if (strcmp(words[0], "each") == 0)
		return each(client, words[1]);
	if (strcmp(words[0], "hold") == 0)
		return hold(client);
	if (strcmp(words[0], "let_go") == 0)
		return said_ok(let_go(client));
	if (strcmp(words[0], "within") == 0)
		return said_ok(within(client));
	return fault(&client->ctx, FAULT_REQUEST, "%s: no such command", words[0]);
}

static void
split(struct client *client, char *line)
{
	int count = 0;

	line[strcspn(line, "\n")] = '\0';
	while (*line != '\0' && count < WORDS_MAX) {
		client->words[count++] = line;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
	while (count <= WORDS_MAX)
		client->words[count++] = NULL;
}

int
main(int argc, char **argv)
{
	static struct client client;
	static char line[LINE_SIZE];

	if (argc != 3 || !ctx_open(&client.ctx, ARENA_SIZE))
		return EXIT_FAILURE;
	client.store.engine = ENGINE_POSTGRESQL;
	client.store.database = argv[1];
	client.store.password_file = argv[2];
	while (fgets(line, sizeof line, stdin) != NULL) {
		split(&client, line);
		if (client.words[0] != NULL && !obey(&client))
			printf("%s: %s\n", fault_name(client.ctx.kind), client.ctx.reason);
		fflush(stdout);
		ctx_clear_fault(&client.ctx);
		arena_rewind(&client.ctx, 0);
	}
	ctx_close(&client.ctx);
	return EXIT_SUCCESS;
}
