/* log.h - the log line of a request that failed or changed something.
 *
 *   amo-crm callback: fault=auth_failed reason="Authorization code has expired" host=a.amocrm.ru
 *
 * Steps add notes to the context, and the line is written once, at the end of the request.  Input
 * from outside is truncated and stripped of unprintable characters.  A secret is never logged, only
 * the first 8 hex digits of its SHA-256, which suffice to match lines with each other.
 */
#ifndef LOG_H
#define LOG_H

#include "base/ctx.h"

#define LOG_VALUE_MAX 120 /* characters; longer values are truncated */
#define LOG_LINE_MAX  1024

/* Adds key=value to the line.  A NULL value adds nothing; notes beyond CTX_NOTES_MAX are
 * dropped. */
void log_note(struct ctx *ctx, const char *key, const char *value);
void log_note_number(struct ctx *ctx, const char *key, long long value);
void log_note_secret(struct ctx *ctx, const char *key, const char *secret);

/* Writes a line to standard error, behind the time (UTC, RFC 3339): a web server or spawn-fcgi
 * usually connects it to a file, into which nobody else writes the time.  Systemd's journal adds
 * its own, so a line for the journal is written without. */
void log_to_stderr(const char *line);

/* Formats the line, with its newline; empty if there is neither a fault nor a note. */
void log_line(
    const struct ctx *ctx, const char *program, const char *fault_code, char line[LOG_LINE_MAX]);

#endif
