/* report.h - the output of `amocrmctl check`: one line for each finding, for people and for grep.
 *
 *   ok     store            /var/lib/amo-crm
 *   warn   webhook_key      [webhook] secret is not set -> set one, ...
 *   WRONG  redirect_uri     https://crm.example.com/callback -> it must end in ...
 *
 * The level, the part's name without spaces, the finding, and behind " -> " what to do about it.
 * Level and name are a stable interface for scripts; the text behind them may change.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/ctx.h"

struct report {
	struct ctx *ctx;
	int wrong;    /* lines with WRONG */
	int warnings; /* lines with warn */
};

/* It is as it should be. */
void report_ok(struct report *r, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* It works, but may not be what was meant, or will stop working. */
void report_warning(struct report *r, const char *part, const char *to_do, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* It does not work. */
void report_wrong(struct report *r, const char *part, const char *to_do, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reports the fault in r->ctx as wrong, and clears it. */
void report_fault(struct report *r, const char *part, const char *to_do);

#endif
