/* terminal.c - see terminal.h. */
#include "terminal.h"

#include "base/file.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define SEQUENCE_MAX 4 /* bytes of a UTF-8 sequence */
#define ESCAPED_MAX  6 /* \u001b */
#define CHUNK_SIZE   512

struct terminal {
	int fd;
	/* A sequence whose end is still to come.  All output ends with a newline, so none stays. */
	char begun[SEQUENCE_MAX];
	size_t len;
};

size_t
terminal_shown_len(const char *s, size_t len)
{
	size_t n = utf8_sequence_len(s, len);

	if (n == 1 && ((unsigned char)*s < ' ' || *s == 0x7f))
		return 0;
	if (n == 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] < 0xa0) /* C1 */
		return 0;
	return n;
}

/* Whether the bytes can still become a sequence when more follow. */
static bool
is_cut(const char *s, size_t len)
{
	static const char *const ends[] = { "\x80", "\x80\x80", "\x80\x80\x80", "\x90\x80\x80",
		"\xa0\x80" };
	char whole[2 * SEQUENCE_MAX];

	for (size_t i = 0; len < SEQUENCE_MAX && i < sizeof ends / sizeof *ends; i++) {
		memcpy(whole, s, len);
		memcpy(whole + len, ends[i], strlen(ends[i]));
		if (utf8_sequence_len(whole, len + strlen(ends[i])) > len)
			return true;
	}
	return false;
}

/* Takes the first character of the begun sequence, and writes it to `to`.  0: more is to come. */
static size_t
take(struct terminal *from, char to[ESCAPED_MAX + 1])
{
	const char *s = from->begun;
	size_t whole = utf8_sequence_len(s, from->len);
	size_t taken = whole > 0 ? whole : 1;
	size_t n = taken;

	if (from->len == 0 || (whole == 0 && is_cut(s, from->len)))
		return 0;
	if (terminal_shown_len(s, from->len) > 0 || *s == '\n' || *s == '\t')
		memcpy(to, s, taken);
	else
		n = (size_t)snprintf(to, ESCAPED_MAX + 1, whole > 0 ? "\\u%04x" : "\\x%02x",
		    (unsigned char)s[taken - 1]);
	from->len -= taken;
	memmove(from->begun, from->begun + taken, from->len);
	return n;
}

/* For fopencookie: returns size, or 0 for an error. */
static ssize_t
write_escaped(void *cookie, const char *bytes, size_t size)
{
	struct terminal *to = cookie;
	char chunk[CHUNK_SIZE + SEQUENCE_MAX * ESCAPED_MAX + 1];
	size_t filled = 0;

	for (size_t i = 0; i < size; i++) {
		size_t n;

		to->begun[to->len++] = bytes[i];
		while ((n = take(to, chunk + filled)) > 0)
			filled += n;
		if (filled >= CHUNK_SIZE) {
			if (!file_write_all(to->fd, chunk, filled))
				return 0;
			filled = 0;
		}
	}
	return file_write_all(to->fd, chunk, filled) ? (ssize_t)size : 0;
}

/* Replaces the stream if it is a terminal. */
static bool
protect(int fd, FILE **stream)
{
	static const cookie_io_functions_t functions = { .write = write_escaped };
	struct terminal *terminal;
	FILE *replaced;

	if (isatty(fd) == 0)
		return true;
	terminal = calloc(1, sizeof *terminal);
	replaced = terminal == NULL ? NULL : fopencookie(terminal, "w", functions);
	if (replaced == NULL) {
		free(terminal);
		return false;
	}
	terminal->fd = fd;
	setvbuf(replaced, NULL, _IOLBF, BUFSIZ);
	*stream = replaced;
	return true;
}

bool
terminal_protect(void)
{
	return protect(STDOUT_FILENO, &stdout) && protect(STDERR_FILENO, &stderr);
}
