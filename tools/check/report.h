/* report.h - what `amocrmctl check` prints: one line for each finding, for a person and for grep.
 *
 *   ok     store            /var/lib/amo-crm
 *   warn   webhook_key      [webhook] secret is not set -> set one, ...
 *   WRONG  redirect_uri     https://crm.example.com/callback -> it must end in ...
 *
 * The level, the part's name without blanks, what was found, and behind " -> " what to do about it.
 * Scripts read the levels and names, so these stay; the words behind them may change.
 */
#ifndef REPORT_H
#define REPORT_H

#include "base/ctx.h"

struct report {
	struct ctx *ctx;
	int wrong;
	int doubtful;
};

/* As it should be. */
void report_ok(struct report *f, const char *part, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* It works, and may not be what was meant; or it will not work for long. */
void report_warning(struct report *f, const char *part, const char *to_do, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* It does not work. */
void report_wrong(struct report *f, const char *part, const char *to_do, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for the fault a step left in f->ctx, which is then ready for the next step. */
void report_fault(struct report *f, const char *part, const char *to_do);

#endif
