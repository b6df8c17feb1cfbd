/* report.c - see report.h. */
#include "check/report.h"

#include "base/utf8.h"
#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FOUND_MAX 1024 /* bytes of a finding; the longest path or URL fits */

/* Prints without control characters, which could end the line, and which whatever shows this later
 * could obey.  Part of the text may come from amoCRM or a web server. */
static void
put_text(const char *s)
{
	size_t left = strlen(s);

	while (left > 0) {
		size_t shown = terminal_shown_len(s, left);
		size_t whole = utf8_sequence_len(s, left);
		size_t len = whole > 0 ? whole : 1;

		if (shown > 0)
			fwrite(s, 1, shown, stdout);
		else
			putchar('?');
		s += len;
		left -= len;
	}
}

/* A path of make dist's example that was not filled in needs no other advice. */
static const char *
advice(const char *found, const char *to_do)
{
	return strstr(found, "/home/USER/") == NULL
	    ? to_do
	    : "replace /home/USER by the path of your own home folder";
}

static void
put_line(const char *level, const char *part, const char *found, const char *to_do)
{
	printf("%-6s %-15s ", level, part);
	put_text(found);
	if (to_do != NULL) {
		fputs(" -> ", stdout);
		put_text(advice(found, to_do));
	}
	putchar('\n');
	fflush(stdout); /* the next step may take seconds */
}

static void
put_found(const char *level, const char *part, const char *to_do, const char *format, va_list args)
{
	char found[FOUND_MAX];

	vsnprintf(found, sizeof found, format, args);
	put_line(level, part, found, to_do);
}

void
report_ok(struct report *r, const char *part, const char *format, ...)
{
	va_list args;

	(void)r;
	va_start(args, format);
	put_found("ok", part, NULL, format, args);
	va_end(args);
}

void
report_warning(struct report *r, const char *part, const char *to_do, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_found("warn", part, to_do, format, args);
	va_end(args);
	r->warnings++;
}

void
report_wrong(struct report *r, const char *part, const char *to_do, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_found("WRONG", part, to_do, format, args);
	va_end(args);
	r->wrong++;
}

void
report_fault(struct report *r, const char *part, const char *to_do)
{
	report_wrong(r, part, to_do, "%s", r->ctx->reason);
	ctx_clear_fault(r->ctx);
}
