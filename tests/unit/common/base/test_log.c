/* test_log.c - what reaches the server's log, and what never does. */
#include "../../table.h"

#include "base/log.h"

#include <limits.h>
#include <stdio.h>

static void
notes_what_is_printable(void **state)
{
	static const struct {
		const char *label, *key, *value, *expected;
	} table[] = {
		{ "a value", "host", "reforyou.amocrm.ru", " host=reforyou.amocrm.ru" },
		{ "no value", "host", NULL, "" },
		{ "an empty value", "host", "", " host=" },
		{ "a blank", "name", "For You", " name=\"For You\"" },
		{ "a newline would begin a line of its own", "code",
		    "1\namo-crm x:", " code=\"1?amo-crm x:\"" },
		{ "a carriage return", "code", "1\r2", " code=1?2" },
		{ "a tab", "code", "1\t2", " code=1?2" },
		{ "a terminal's escape", "code", "\x1b[2J", " code=?[2J" },
		{ "DEL", "code", "1\x7f", " code=1?" },
		{ "a quote would end the value", "name", "a \"b", " name=\"a ?b\"" },
		{ "a backslash", "name", "a\\", " name=a?" },
		{ "UTF-8, byte by byte", "name", "\xd0\xaf", " name=??" },
		{ "the ends of printable ASCII", "name", "!~", " name=!~" },
		{ "an equals sign", "q", "a=b", " q=a=b" },
		{ "a key over 30 characters", "k234567890123456789012345678901", "v",
		    " k23456789012345678901234567890=v" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct work w;

		open_room(&w);
		log_note(&w, table[i].key, table[i].value);
		same_text(table[i].label, w.notes, table[i].expected);
		work_close(&w);
	}
}

static void
notes_numbers(void **state)
{
	struct work w;

	(void)state;
	open_room(&w);
	log_note_number(&w, "account", 31920194);
	log_note_number(&w, "least", LLONG_MIN);
	assert_string_equal(w.notes, " account=31920194 least=-9223372036854775808");
	work_close(&w);
}

static void
shortens_a_value(void **state)
{
	char value[LOG_VALUE_MAX + 2];

	(void)state;
	for (size_t len = LOG_VALUE_MAX; len <= LOG_VALUE_MAX + 1; len++)
		for (int blank = 0; blank < 2; blank++) {
			struct work w;

			memset(value, 'x', len);
			value[len] = '\0';
			if (blank)
				value[0] = ' ';
			open_room(&w);
			log_note(&w, "k", value);
			same_number("the note's length", (long long)strlen(w.notes),
			    LOG_VALUE_MAX + (blank ? 5 : 3));
			work_close(&w);
		}
}

static void
drops_notes_beyond_the_limit(void **state)
{
	struct work w;
	char before[WORK_NOTES_MAX];
	size_t left;

	(void)state;
	open_room(&w);
	for (int i = 0; i < 46; i++)
		log_note(&w, "k", "123456"); /* 9 characters */
	left = sizeof w.notes - 1 - strlen(w.notes);
	assert_in_range(left, 10, LOG_VALUE_MAX);

	memcpy(before, w.notes, sizeof before);
	{
		char value[LOG_VALUE_MAX] = { 0 };

		memset(value, 'x', left - 3 + 1); /* " k=" and one byte too many */
		log_note(&w, "k", value);
		assert_string_equal(w.notes, before);
		value[left - 3] = '\0';
		log_note(&w, "k", value);
		assert_int_equal(strlen(w.notes), sizeof w.notes - 1);
	}
	log_note(&w, "", "");
	assert_int_equal(strlen(w.notes), sizeof w.notes - 1);
	work_close(&w);
}

static void
notes_a_secret_by_its_digest(void **state)
{
	struct work w;

	(void)state;
	open_room(&w);
	log_note_secret(&w, "code", "abc");
	assert_string_equal(w.notes, " code=ba7816bf");
	log_note_secret(&w, "token", NULL);
	assert_string_equal(w.notes, " code=ba7816bf");
	work_close(&w);
}

static void
writes_one_line(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind kind;
		const char *reason, *note, *expected;
	} table[] = {
		{ "nothing to tell", FAULT_NONE, NULL, NULL, "" },
		{ "something was done", FAULT_NONE, NULL, "1", "amo-crm callback: k=1\n" },
		{ "a fault", FAULT_REFUSED, "hint (used already)", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"hint (used already)\"\n" },
		{ "a fault and a note", FAULT_REFUSED, "hint", "1",
		    "amo-crm callback: fault=auth_failed reason=\"hint\" k=1\n" },
		{ "a reason that would end its line", FAULT_REFUSED, "a\nb\r\x1b", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"a?b??\"\n" },
		{ "a reason that would end its quotes", FAULT_REFUSED, "a\" fault=none \\", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"a? fault=none ?\"\n" },
		{ "a reason that is not ASCII", FAULT_REFUSED, "\xd0\xaf\x7f", NULL,
		    "amo-crm callback: fault=auth_failed reason=\"???\"\n" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct work w;
		char line[LOG_LINE_MAX];

		open_room(&w);
		if (table[i].reason != NULL)
			work_fault(&w, table[i].kind, "%s", table[i].reason);
		log_note(&w, "k", table[i].note);
		log_line(&w, "callback", "auth_failed", line);
		same_text(table[i].label, line, table[i].expected);
		work_close(&w);
	}
}

static void
ends_the_longest_line(void **state)
{
	struct work w;
	char line[LOG_LINE_MAX];
	size_t len;

	(void)state;
	open_room(&w);
	memset(w.reason, 'r', sizeof w.reason - 1);
	memset(w.notes, 'n', sizeof w.notes - 1);
	w.kind = FAULT_UNAVAILABLE;
	log_line(&w, "exchange-code", "temporarily_unavailable", line);
	len = strlen(line);
	assert_int_equal(line[len - 1], '\n');
	assert_int_equal(line[len - 2], 'n');
	has_text("the line", line, "r\"n");
	work_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_what_is_printable),
		cmocka_unit_test(notes_numbers),
		cmocka_unit_test(shortens_a_value),
		cmocka_unit_test(drops_notes_beyond_the_limit),
		cmocka_unit_test(notes_a_secret_by_its_digest),
		cmocka_unit_test(writes_one_line),
		cmocka_unit_test(ends_the_longest_line),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
