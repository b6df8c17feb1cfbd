/* log.c - see log.h. */
#include "base/log.h"

#include "base/file.h"
#include "base/rfc3339.h"
#include "base/sha2.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes at most LOG_VALUE_MAX characters of s.  Bytes outside printable ASCII, quotes and
 * backslashes become '?'. */
static size_t
put_printable(char *to, size_t size, const char *s)
{
	size_t n = 0;

	for (; s[n] != '\0' && n < LOG_VALUE_MAX && n + 1 < size; n++)
		to[n] = s[n] >= ' ' && s[n] <= '~' && s[n] != '"' && s[n] != '\\' ? s[n] : '?';
	to[n] = '\0';
	return n;
}

void
log_note(struct ctx *ctx, const char *key, const char *value)
{
	char note[LOG_VALUE_MAX + 64];
	size_t have = strlen(ctx->notes);
	size_t len;
	bool quoted;

	if (value == NULL)
		return;
	quoted = strchr(value, ' ') != NULL;
	len = (size_t)snprintf(note, sizeof note, " %.30s=%s", key, quoted ? "\"" : "");
	len += put_printable(note + len, sizeof note - len - 1, value);
	if (quoted)
		note[len++] = '"';
	note[len] = '\0';
	if (have + len < sizeof ctx->notes)
		memcpy(ctx->notes + have, note, len + 1);
}

void
log_note_number(struct ctx *ctx, const char *key, long long value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%lld", value);
	log_note(ctx, key, digits);
}

void
log_note_secret(struct ctx *ctx, const char *key, const char *secret)
{
	char hex[SHA256_HEX_SIZE];

	if (secret == NULL)
		return;
	sha256_hex(secret, strlen(secret), hex);
	hex[8] = '\0';
	log_note(ctx, key, hex);
}

void
log_line(
    const struct ctx *ctx, const char *program, const char *fault_code, char line[LOG_LINE_MAX])
{
	char reason[CTX_REASON_MAX];
	int len = 0;

	line[0] = '\0';
	if (ctx->kind == FAULT_NONE && ctx->notes[0] == '\0')
		return;
	len = snprintf(line, LOG_LINE_MAX, "amo-crm %s:", program);
	if (ctx->kind != FAULT_NONE) {
		for (size_t i = 0; (reason[i] = ctx->reason[i]) != '\0'; i++)
			if (reason[i] < ' ' || reason[i] > '~' || reason[i] == '"'
			    || reason[i] == '\\')
				reason[i] = '?';
		len += snprintf(line + len, LOG_LINE_MAX - (size_t)len, " fault=%s reason=\"%s\"",
		    fault_code, reason);
	}
	snprintf(line + len, LOG_LINE_MAX - (size_t)len, "%s\n", ctx->notes);
}

/* $JOURNAL_STREAM names the stream by device and inode (systemd.exec(5)); a child whose standard
 * error was redirected inherits the variable, too. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[48]; /* two numbers of 20 digits at most */
	struct stat st;

	if (stream == NULL || fstat(fd, &st) != 0)
		return false;
	snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino);
	return strcmp(stream, name) == 0;
}

void
log_to_stderr(const char *line)
{
	char timed[RFC3339_SIZE + LOG_LINE_MAX];

	if (!is_journal(STDERR_FILENO)) {
		rfc3339_write(time(NULL), timed);
		snprintf(timed + strlen(timed), LOG_LINE_MAX, " %s", line);
		line = timed;
	}
	(void)file_write_all(STDERR_FILENO, line, strlen(line));
}
