/* test_log.c - what is written to the server's log, and what is not. */
#include "../../child.h"

#include "base/log.h"
#include "base/rfc3339.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void
notes_only_printable_characters(void **state)
{
	static const struct {
		const char *label, *key, *value, *expected;
	} table[] = {
		{ "a value", "host", "reforyou.amocrm.ru", " host=reforyou.amocrm.ru" },
		{ "no value", "host", NULL, "" },
		{ "an empty value", "host", "", " host=" },
		{ "a space", "name", "For You", " name=\"For You\"" },
		{ "a newline, which would begin another line", "code",
		    "1\namo-crm x:", " code=\"1?amo-crm x:\"" },
		{ "a carriage return", "code", "1\r2", " code=1?2" },
		{ "a tab", "code", "1\t2", " code=1?2" },
		{ "a terminal's escape sequence", "code", "\x1b[2J", " code=?[2J" },
		{ "DEL", "code", "1\x7f", " code=1?" },
		{ "a quote, which would end the value", "name", "a \"b", " name=\"a ?b\"" },
		{ "a backslash", "name", "a\\", " name=a?" },
		{ "UTF-8, byte by byte", "name", "\xd0\xaf", " name=??" },
		{ "the first and last printable ASCII characters", "name", "!~", " name=!~" },
		{ "an equals sign", "q", "a=b", " q=a=b" },
		{ "a key over 30 characters", "k234567890123456789012345678901", "v",
		    " k23456789012345678901234567890=v" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;

		open_ctx(&ctx);
		log_note(&ctx, table[i].key, table[i].value);
		same_text(table[i].label, ctx.notes, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
notes_numbers(void **state)
{
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	log_note_number(&ctx, "account", 31920194);
	log_note_number(&ctx, "least", LLONG_MIN);
	assert_string_equal(ctx.notes, " account=31920194 least=-9223372036854775808");
	ctx_close(&ctx);
}

static void
truncates_a_long_value(void **state)
{
	char value[LOG_VALUE_MAX + 2];

	(void)state;
	for (size_t len = LOG_VALUE_MAX; len <= LOG_VALUE_MAX + 1; len++)
		for (int space = 0; space < 2; space++) {
			struct ctx ctx;

			memset(value, 'x', len);
			value[len] = '\0';
			if (space)
				value[0] = ' ';
			open_ctx(&ctx);
			log_note(&ctx, "k", value);
			same_number("the note's length", (long long)strlen(ctx.notes),
			    LOG_VALUE_MAX + (space ? 5 : 3));
			ctx_close(&ctx);
		}
}

static void
drops_notes_beyond_the_limit(void **state)
{
	struct ctx ctx;
	char before[CTX_NOTES_MAX];
	size_t left;

	(void)state;
	open_ctx(&ctx);
	for (int i = 0; i < 46; i++)
		log_note(&ctx, "k", "123456"); /* 9 characters */
	left = sizeof ctx.notes - 1 - strlen(ctx.notes);
	assert_in_range(left, 10, LOG_VALUE_MAX);

	memcpy(before, ctx.notes, sizeof before);
	{
		char value[LOG_VALUE_MAX] = { 0 };

		memset(value, 'x', left - 3 + 1); /* " k=" and one byte too many */
		log_note(&ctx, "k", value);
		assert_string_equal(ctx.notes, before);
		value[left - 3] = '\0';
		log_note(&ctx, "k", value);
		assert_int_equal(strlen(ctx.notes), sizeof ctx.notes - 1);
	}
	log_note(&ctx, "", "");
	assert_int_equal(strlen(ctx.notes), sizeof ctx.notes - 1);
	ctx_close(&ctx);
}

static void
notes_a_secret_by_its_digest(void **state)
{
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	log_note_secret(&ctx, "code", "abc");
	assert_string_equal(ctx.notes, " code=ba7816bf");
	log_note_secret(&ctx, "token", NULL);
	assert_string_equal(ctx.notes, " code=ba7816bf");
	ctx_close(&ctx);
}

static void
writes_one_line(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind kind;
		const char *reason, *note, *expected;
	} table[] = {
		{ "no fault and no note", FAULT_NONE, NULL, NULL, "" },
		{ "a note", FAULT_NONE, NULL, "1", "amo-crm callback: k=1\n" },
		{ "a fault", FAULT_REFUSED, "hint (used already)", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"hint (used already)\"\n" },
		{ "a fault and a note", FAULT_REFUSED, "hint", "1",
		    "amo-crm callback: fault=auth_failed reason=\"hint\" k=1\n" },
		{ "a reason with line breaks", FAULT_REFUSED, "a\nb\r\x1b", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"a?b??\"\n" },
		{ "a reason with quotes", FAULT_REFUSED, "a\" fault=none \\", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"a? fault=none ?\"\n" },
		{ "a reason that is not ASCII", FAULT_REFUSED, "\xd0\xaf\x7f", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"???\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct ctx ctx;
		char line[LOG_LINE_MAX];

		open_ctx(&ctx);
		if (table[i].reason != NULL)
			ctx_fault(&ctx, table[i].kind, "%s", table[i].reason);
		log_note(&ctx, "k", table[i].note);
		log_line(&ctx, "callback", "auth_failed", line);
		same_text(table[i].label, line, table[i].expected);
		ctx_close(&ctx);
	}
}

static void
completes_the_longest_line(void **state)
{
	struct ctx ctx;
	char line[LOG_LINE_MAX];
	size_t len;

	(void)state;
	open_ctx(&ctx);
	memset(ctx.reason, 'r', sizeof ctx.reason - 1);
	memset(ctx.notes, 'n', sizeof ctx.notes - 1);
	ctx.kind = FAULT_UNAVAILABLE;
	log_line(&ctx, "exchange-code", "temporarily_unavailable", line);
	len = strlen(line);
	assert_int_equal(line[len - 1], '\n');
	assert_int_equal(line[len - 2], 'n');
	has_text("the line", line, "r\"n");
	ctx_close(&ctx);
}

struct stderr_case {
	const char *label;
	bool in_journal, elsewhere; /* JOURNAL_STREAM names standard error, or another stream */
	bool timed;
	int fd;
};

static bool
log_in_child(void *arg)
{
	const struct stderr_case *c = arg;
	char stream[64];
	struct stat st;

	if (dup2(c->fd, STDERR_FILENO) < 0 || fstat(STDERR_FILENO, &st) != 0)
		return false;
	snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + c->elsewhere);
	if (c->in_journal || c->elsewhere ? setenv("JOURNAL_STREAM", stream, 1) != 0
					  : unsetenv("JOURNAL_STREAM") != 0)
		return false;
	log_to_stderr("amo-crm callback: a=b\n");
	return true;
}

static void
writes_the_time_where_nobody_else_does(void **state)
{
	static const struct stderr_case table[] = {
		{ .label = "a file or a pipe", .timed = true },
		{ .label = "systemd's journal", .in_journal = true },
		{ .label = "redirected from the journal", .elsewhere = true, .timed = true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct stderr_case row = table[i];
		struct timespec at;
		char line[200] = "";
		char *rest = line;
		int ends[2];

		assert_int_equal(pipe(ends), 0);
		row.fd = ends[1];
		in_child(row.label, log_in_child, &row);
		assert_true(read(ends[0], line, sizeof line - 1) > 0);
		close(ends[0]);
		close(ends[1]);
		if (row.timed) {
			rest = strchr(line, ' ');
			assert_non_null(rest);
			*rest++ = '\0';
			DEMAND(row.label, rfc3339_parse(line, &at));
			DEMAND(row.label, time(NULL) - at.tv_sec < CHILD_LIMIT_S);
		}
		same_text(row.label, rest, "amo-crm callback: a=b\n");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_only_printable_characters),
		cmocka_unit_test(notes_numbers),
		cmocka_unit_test(truncates_a_long_value),
		cmocka_unit_test(drops_notes_beyond_the_limit),
		cmocka_unit_test(notes_a_secret_by_its_digest),
		cmocka_unit_test(writes_one_line),
		cmocka_unit_test(completes_the_longest_line),
		cmocka_unit_test(writes_the_time_where_nobody_else_does),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
