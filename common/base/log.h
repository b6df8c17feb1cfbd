/* log.h - one line for each request that met a fault or changed something.
 *
 *   amo-crm callback: fault=auth_failed reason="Authorization code has expired" host=a.amocrm.ru
 *
 * Steps leave notes in the work; the line is written once, when the request is over.  Nothing that
 * came from outside reaches it unshortened or unprintable, and no secret at all: a secret is noted
 * as the first 8 hex digits of its SHA-256, enough to match lines with each other.
 */
#ifndef LOG_H
#define LOG_H

#include "base/ctx.h"

#define LOG_VALUE_MAX 120 /* characters of one value that are shown */
#define LOG_LINE_MAX  1024

/* Notes key=value for the request's line.  A NULL value notes nothing; notes beyond CTX_NOTES_MAX
 * are dropped. */
void log_note(struct ctx *ctx, const char *key, const char *value);
void log_note_number(struct ctx *ctx, const char *key, long long value);
void log_note_secret(struct ctx *ctx, const char *key, const char *secret);

/* The line of a request, ended by a newline; empty when there is nothing to tell. */
void log_line(
    const struct ctx *ctx, const char *program, const char *fault_code, char line[LOG_LINE_MAX]);

#endif
