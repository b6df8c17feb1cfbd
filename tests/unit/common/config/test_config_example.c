/* test_config_example.c - amo-crm.conf.example says of every key what the program does.
 *
 * A key is active, or shown as a comment: "#key = value", which no other comment looks like.
 */
#include "../../folder.h"

#include "config/config.h"

#include <stdio.h>
#include <stdlib.h>

#define EXAMPLE "amo-crm.conf.example" /* the tests run in the folder where the Makefile is */

#define LINE_SIZE 256
#define LINES_MAX 256

struct line {
	char text[LINE_SIZE];
	char section[LINE_SIZE];
	char name[LINE_SIZE];
	char value[LINE_SIZE];
	bool is_key;
	bool is_comment;
};

struct example {
	struct line lines[LINES_MAX];
	size_t count;
};

/* "key = value", as the example writes it everywhere. */
static void
take_key(struct line *line)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz_";
	const char *text = line->text + line->is_comment;
	size_t len = strspn(text, alphabet);

	if (len == 0 || strncmp(text + len, " = ", 3) != 0)
		return;
	line->is_key = true;
	memcpy(line->name, text, len);
	memcpy(line->value, text + len + 3, strlen(text + len + 3));
}

static int
example_read(void **state)
{
	FILE *file = fopen(EXAMPLE, "r");
	struct example *example = calloc(1, sizeof *example);
	const char *section = "";

	if (file == NULL || example == NULL)
		return -1;
	for (struct line *line = example->lines;
	     example->count < LINES_MAX && fgets(line->text, LINE_SIZE, file) != NULL; line++) {
		example->count++;
		line->text[strcspn(line->text, "\n")] = '\0';
		line->is_comment = line->text[0] == '#';
		if (line->text[0] == '[') {
			memcpy(line->section, line->text + 1, strcspn(line->text, "]") - 1);
			section = line->section;
		} else
			memcpy(line->section, section, strlen(section));
		take_key(line);
	}
	*state = example;
	return fclose(file);
}

static int
example_free(void **state)
{
	free(*state);
	return 0;
}

static const struct line *
find(const struct example *example, const struct config_key *key, int *count)
{
	const struct line *found = NULL;

	*count = 0;
	for (const struct line *line = example->lines; line < example->lines + example->count;
	     line++)
		if (line->is_key && strcmp(line->name, key->name) == 0
		    && strcmp(line->section, key->section) == 0) {
			found = line;
			++*count;
		}
	return found;
}

static void
every_key_stands_in_its_section_once(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;

		find(*state, key, &count);
		if (count != 1)
			fail_msg("[%s] %s stands there %d times", key->section, key->name, count);
	}
}

static bool
known(const struct line *line)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++)
		if (strcmp(line->name, key->name) == 0 && strcmp(line->section, key->section) == 0)
			return true;
	return false;
}

/* What is neither prose nor blank is a section or a key that the program knows. */
static void
nothing_else_stands_there(void **state)
{
	const struct example *example = *state;

	for (size_t i = 0; i < example->count; i++) {
		const struct line *line = &example->lines[i];
		bool is_prose = line->text[0] == '\0' || strncmp(line->text, "# ", 2) == 0
		    || strcmp(line->text, "#") == 0;

		if (line->is_key ? !known(line) : !is_prose && line->text[0] != '[')
			fail_msg("line %zu: %s", i + 1, line->text);
		if (line->is_key && is_prose)
			fail_msg("line %zu: a key is commented out without a blank", i + 1);
	}
}

static void
sections_stand_there_once_and_in_the_tables_order(void **state)
{
	const struct example *example = *state;
	const struct config_key *key = config_keys;

	for (size_t i = 0; i < example->count; i++) {
		const struct line *line = &example->lines[i];
		const char *section = key->section;

		if (line->text[0] != '[')
			continue;
		if (key->name == NULL || strcmp(line->section, section) != 0)
			fail_msg("line %zu: [%s], where [%s] was expected", i + 1, line->section,
			    key->name == NULL ? "nothing more" : section);
		while (key->name != NULL && strcmp(key->section, section) == 0)
			key++;
	}
	if (key->name != NULL)
		fail_msg("section [%s] is missing", key->section);
}

/* The store's path is compiled in, and may have been chosen. */
static const char *
usual(const struct config_key *key)
{
	return strcmp(key->section, "store") == 0 && strcmp(key->name, "path") == 0
	    ? "/var/lib/amo-crm"
	    : key->fallback;
}

static void
a_default_is_commented_out_and_is_the_programs(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;
		const struct line *line = find(*state, key, &count);

		if (key->fallback == NULL || line == NULL)
			continue;
		same_text(key->name, line->value, usual(key));
		DEMAND(key->name, line->is_comment);
	}
}

static void
what_is_required_is_active(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;
		const struct line *line = find(*state, key, &count);

		if (key->required && line != NULL)
			DEMAND(key->name, !line->is_comment);
	}
}

static bool
shown(const struct line *line, bool comments, const char *left_out)
{
	return line->text[0] == '['
	    || (line->is_key && (comments || !line->is_comment)
		&& (left_out == NULL || strcmp(line->name, left_out) != 0));
}

/* Writes it with the '#' of every key parsed away, or with the active keys only, and reads that. */
static void
read_as(const struct example *example, bool comments, const char *left_out, struct ctx *ctx,
    struct config *cfg)
{
	void *folder = NULL;
	char path[PATH_SIZE];
	FILE *file;
	bool ok;

	assert_int_equal(folder_make(&folder), 0);
	path_in(folder, "amo-crm.conf", path);
	file_write_text(path, "");
	assert_non_null(file = fopen(path, "w"));
	for (size_t i = 0; i < example->count; i++) {
		const struct line *line = &example->lines[i];

		if (shown(line, comments, left_out))
			fprintf(file, "%s\n", line->text + line->is_comment);
		else
			fputs("\n", file);
	}
	assert_int_equal(fclose(file), 0);
	ok = config_read(ctx, path, cfg);
	assert_int_equal(folder_remove(&folder), 0);
	if (!ok)
		fail_msg("refused: %s", ctx->reason);
}

static void
as_it_stands_it_is_a_configuration(void **state)
{
	struct config cfg;
	struct ctx ctx;

	open_ctx(&ctx);
	read_as(*state, false, NULL, &ctx, &cfg);
	assert_int_equal(cfg.app.connections, CONNECTIONS_SHARED);
	assert_int_equal(cfg.app.state, STATE_ANY);
	assert_int_equal(cfg.jwt.algorithm, JWT_HS256);
	ctx_close(&ctx);
}

/* All but public_key, which excludes the secret. */
static void
every_value_that_is_shown_is_a_good_one(void **state)
{
	struct config cfg;
	struct ctx ctx;

	open_ctx(&ctx);
	read_as(*state, true, "public_key", &ctx, &cfg);
	same_text("app.name", cfg.app.name, "ForYou");
	assert_int_equal(cfg.app.connections, CONNECTIONS_SHARED);
	assert_int_equal(cfg.app.state, STATE_ANY);
	ctx_close(&ctx);
}

static void
the_public_key_that_is_shown_is_a_good_one(void **state)
{
	const struct config_key *key = config_keys;
	const struct line *line;
	const char *parsed = NULL;
	int count;

	while (strcmp(key->name, "public_key") != 0)
		key++;
	line = find(*state, key, &count);
	assert_non_null(line);
	assert_true(key->parse(key, line->value, &parsed));
	same_text("public_key", parsed, line->value);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_stands_in_its_section_once),
		cmocka_unit_test(nothing_else_stands_there),
		cmocka_unit_test(sections_stand_there_once_and_in_the_tables_order),
		cmocka_unit_test(a_default_is_commented_out_and_is_the_programs),
		cmocka_unit_test(what_is_required_is_active),
		cmocka_unit_test(as_it_stands_it_is_a_configuration),
		cmocka_unit_test(every_value_that_is_shown_is_a_good_one),
		cmocka_unit_test(the_public_key_that_is_shown_is_a_good_one),
	};

	return cmocka_run_group_tests(tests, example_read, example_free);
}
