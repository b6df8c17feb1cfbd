/* report.c - see report.h. */
#include "check/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FOUND_MAX 1024 /* bytes of what was found; the longest path or URL fits */

/* On one line, and without what a terminal would obey: C0, DEL, and C1, which UTF-8 begins with C2.
 * Some of it is what amoCRM or a web server has said. */
static void
put_text(const char *s)
{
	for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++)
		if (*c < ' ' || *c == 0x7f || (*c == 0xc2 && c[1] < 0xa0))
			putchar('?');
		else
			putchar(*c);
}

/* The paths of make dist's example, as long as nobody has filled them in, are wrong for this reason
 * and no other. */
static const char *
advice(const char *found, const char *to_do)
{
	return strstr(found, "/home/USER/") == NULL
	    ? to_do
	    : "/home/USER stands for your own home folder: put that in its place";
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
	fflush(stdout); /* a step may take seconds, and somebody is watching */
}

static void
put_found(const char *level, const char *part, const char *to_do, const char *format, va_list args)
{
	char found[FOUND_MAX];

	vsnprintf(found, sizeof found, format, args);
	put_line(level, part, found, to_do);
}

void
report_ok(struct report *f, const char *part, const char *format, ...)
{
	va_list args;

	(void)f;
	va_start(args, format);
	put_found("ok", part, NULL, format, args);
	va_end(args);
}

void
report_warning(struct report *f, const char *part, const char *to_do, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_found("warn", part, to_do, format, args);
	va_end(args);
	f->doubtful++;
}

void
report_wrong(struct report *f, const char *part, const char *to_do, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_found("WRONG", part, to_do, format, args);
	va_end(args);
	f->wrong++;
}

void
report_fault(struct report *f, const char *part, const char *to_do)
{
	report_wrong(f, part, to_do, "%s", f->ctx->reason);
	ctx_clear_fault(f->ctx);
}
