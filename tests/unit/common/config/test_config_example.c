/* test_config_example.c - amo-crm.conf.example documents every key, with its real default.
 *
 * A key is active, or commented out as "#key = value"; no other comment has that form.
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

/* Parses "key = value", the only form of a key in the example. */
static void
parse_key(struct line *line)
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
		parse_key(line);
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
has_every_key_once_in_its_section(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;

		find(*state, key, &count);
		if (count != 1)
			fail_msg("[%s] %s is there %d times", key->section, key->name, count);
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

/* A line that is neither a comment nor blank is a section, or a key that the program knows. */
static void
has_only_known_keys_and_comments(void **state)
{
	const struct example *example = *state;

	for (size_t i = 0; i < example->count; i++) {
		const struct line *line = &example->lines[i];
		bool is_comment_or_blank = line->text[0] == '\0'
		    || strncmp(line->text, "# ", 2) == 0 || strcmp(line->text, "#") == 0;

		if (line->is_key ? !known(line) : !is_comment_or_blank && line->text[0] != '[')
			fail_msg("line %zu: %s", i + 1, line->text);
		if (line->is_key && is_comment_or_blank)
			fail_msg("line %zu: a key looks like a comment", i + 1);
	}
}

static void
has_every_section_once_in_the_order_of_the_table(void **state)
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

/* The default of [store] path is set when the programs are built; the example has the usual one. */
static const char *
documented_default(const struct config_key *key)
{
	return strcmp(key->section, "store") == 0 && strcmp(key->name, "path") == 0
	    ? "/var/lib/amo-crm"
	    : key->default_value;
}

static void
has_the_programs_defaults_commented_out(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;
		const struct line *line = find(*state, key, &count);

		if (key->default_value == NULL || line == NULL)
			continue;
		same_text(key->name, line->value, documented_default(key));
		DEMAND(key->name, line->is_comment);
	}
}

static void
has_the_required_keys_active(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		int count;
		const struct line *line = find(*state, key, &count);

		if (key->required && line != NULL)
			DEMAND(key->name, !line->is_comment);
	}
}

/* Keys that cannot be set together with others: the secret, and engine = files. */
static bool
is_alternative(const char *name)
{
	return strcmp(name, "public_key") == 0 || strcmp(name, "database") == 0
	    || strcmp(name, "password_file") == 0;
}

static bool
selected(const struct line *line, bool comments)
{
	return line->text[0] == '['
	    || (line->is_key && (!line->is_comment || (comments && !is_alternative(line->name))));
}

/* Reads the example as a configuration; with the keys that are commented out, but for alternatives,
 * if comments is true. */
static void
read_as(const struct example *example, bool comments, struct ctx *ctx, struct config *cfg)
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

		if (selected(line, comments))
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
is_a_valid_configuration(void **state)
{
	struct config cfg;
	struct ctx ctx;

	open_ctx(&ctx);
	read_as(*state, false, &ctx, &cfg);
	assert_int_equal(cfg.app.connections, CONNECTIONS_SHARED);
	assert_int_equal(cfg.app.state, STATE_ANY);
	assert_int_equal(cfg.jwt.algorithm, JWT_HS256);
	ctx_close(&ctx);
}

static void
has_a_valid_value_for_every_key(void **state)
{
	struct config cfg;
	struct ctx ctx;

	open_ctx(&ctx);
	read_as(*state, true, &ctx, &cfg);
	same_text("app.name", cfg.app.name, "ForYou");
	assert_int_equal(cfg.app.connections, CONNECTIONS_SHARED);
	assert_int_equal(cfg.app.state, STATE_ANY);
	ctx_close(&ctx);
}

static void
has_a_valid_value_for_every_alternative(void **state)
{
	for (const struct config_key *key = config_keys; key->name != NULL; key++) {
		const char *parsed = NULL;
		const struct line *line;
		int count;

		if (!is_alternative(key->name))
			continue;
		line = find(*state, key, &count);
		DEMAND(key->name, line != NULL && key->parse(key, line->value, &parsed));
		same_text(key->name, parsed, line->value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_every_key_once_in_its_section),
		cmocka_unit_test(has_only_known_keys_and_comments),
		cmocka_unit_test(has_every_section_once_in_the_order_of_the_table),
		cmocka_unit_test(has_the_programs_defaults_commented_out),
		cmocka_unit_test(has_the_required_keys_active),
		cmocka_unit_test(is_a_valid_configuration),
		cmocka_unit_test(has_a_valid_value_for_every_key),
		cmocka_unit_test(has_a_valid_value_for_every_alternative),
	};

	return cmocka_run_group_tests(tests, example_read, example_free);
}
