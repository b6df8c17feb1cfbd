/* json_compact.c - see json_compact.h. */
#include "text/json_compact.h"

#include "base/encode.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <string.h>

struct scan {
	const char *at;
	const char *end;
	const char *from;   /* up to `at`: scanned, and not yet in out */
	struct strbuf *out; /* NULL: only validates, and refuses whitespace */
};

static bool
sees(const struct scan *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static void
pass(struct scan *s, size_t len)
{
	s->at += len;
}

/* Appends what was scanned, and leaves out the next len bytes. */
static void
replace(struct scan *s, size_t len)
{
	strbuf_add(s->out, s->from, (size_t)(s->at - s->from));
	s->at += len;
	s->from = s->at;
}

static void
skip_space(struct scan *s)
{
	size_t len = 0;

	if (s->out == NULL)
		return;
	while (s->at + len < s->end
	    && (s->at[len] == ' ' || s->at[len] == '\t' || s->at[len] == '\n'
		|| s->at[len] == '\r'))
		len++;
	if (len > 0)
		replace(s, len);
}

/* Accepts one structural character, after whitespace. */
static bool
take(struct scan *s, char c)
{
	skip_space(s);
	if (!sees(s, c))
		return false;
	pass(s, 1);
	return true;
}

static size_t
escape_len(const char *s, size_t left)
{
	uint8_t byte;

	if (left < 2 || s[1] == '\0')
		return 0;
	if (strchr("\"\\/bfnrt", s[1]) != NULL)
		return 2;
	return s[1] == 'u' && left >= 6 && hex_byte(s + 2, &byte) && hex_byte(s + 4, &byte) ? 6 : 0;
}

/* The length of the next character of a string; 0: it is invalid there (RFC 8259 section 7). */
static size_t
character_len(const char *s, size_t left)
{
	unsigned char c = (unsigned char)*s;

	if (c == '\\')
		return escape_len(s, left);
	return c < 0x80 ? c >= ' ' : utf8_sequence_len(s, left);
}

/* The printable ASCII character that an escape of len bytes stands for; 0: the escape is kept, as
 * those of a quote and a backslash are. */
static char
unescaped(const char *escape, size_t len)
{
	uint8_t high = 0;
	uint8_t byte = (uint8_t)escape[1];

	if (len == 6 && (!hex_byte(escape + 2, &high) || !hex_byte(escape + 4, &byte)))
		return 0;
	if ((len == 2 && byte != '/') || high != 0 || byte < ' ' || byte > '~')
		return 0;
	return byte == '"' || byte == '\\' ? 0 : (char)byte;
}

/* Copies a string in runs, which end at each escape that is decoded. */
static bool
scan_string(struct scan *s)
{
	size_t len = 1;

	if (!sees(s, '"'))
		return false;
	while (s->at + len < s->end && s->at[len] != '"') {
		const char *c = s->at + len;
		size_t c_len = character_len(c, (size_t)(s->end - c));
		char plain = c_len > 1 && *c == '\\' ? unescaped(c, c_len) : 0;

		if (c_len == 0)
			return false;
		if (plain == 0 || s->out == NULL) {
			len += c_len;
			continue;
		}
		pass(s, len);
		replace(s, c_len);
		strbuf_addch(s->out, plain);
		len = 0;
	}
	if (s->at + len >= s->end)
		return false;
	pass(s, len + 1);
	return true;
}

static bool
pass_digits(struct scan *s)
{
	size_t len = 0;

	while (s->at + len < s->end && s->at[len] >= '0' && s->at[len] <= '9')
		len++;
	pass(s, len);
	return len > 0;
}

static bool
pass_one(struct scan *s, const char *of)
{
	if (s->at == s->end || *s->at == '\0' || strchr(of, *s->at) == NULL)
		return false;
	pass(s, 1);
	return true;
}

/* RFC 8259 section 6. */
static bool
scan_number(struct scan *s)
{
	pass_one(s, "-");
	if (!pass_one(s, "0") && !pass_digits(s))
		return false;
	if (pass_one(s, ".") && !pass_digits(s))
		return false;
	if (!pass_one(s, "eE"))
		return true;
	pass_one(s, "+-");
	return pass_digits(s);
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, word, len) != 0)
		return false;
	pass(s, len);
	return true;
}

static bool scan_value(struct scan *s, int depth);

static bool
scan_name(struct scan *s)
{
	skip_space(s);
	return scan_string(s) && take(s, ':');
}

/* Scans the rest of an object or array, after its opening bracket. */
static bool
scan_container(struct scan *s, char close, int depth)
{
	if (depth == 0)
		return false;
	if (take(s, close))
		return true;
	do
		if ((close == '}' && !scan_name(s)) || !scan_value(s, depth - 1))
			return false;
	while (take(s, ','));
	return take(s, close);
}

static bool
scan_value(struct scan *s, int depth)
{
	if (take(s, '{'))
		return scan_container(s, '}', depth);
	if (take(s, '['))
		return scan_container(s, ']', depth);
	if (sees(s, '"'))
		return scan_string(s);
	return scan_word(s, "true") || scan_word(s, "false") || scan_word(s, "null")
	    || scan_number(s);
}

/* Scans an object, whitespace and the end of the text. */
static bool
scan_object(struct scan *s, int depth)
{
	if (!take(s, '{') || !scan_container(s, '}', depth))
		return false;
	skip_space(s);
	return s->at == s->end;
}

bool
json_compact(struct ctx *ctx, const char *text, size_t len, const char **line)
{
	struct strbuf out;
	struct scan s = { .at = text, .end = text + len, .from = text, .out = &out };

	strbuf_init(ctx, &out);
	if (!scan_object(&s, JSON_COMPACT_DEPTH_MAX))
		return fault(ctx, FAULT_REQUEST,
		    "not a JSON object of at most %d levels: error at byte %zu",
		    JSON_COMPACT_DEPTH_MAX, (size_t)(s.at - text));
	replace(&s, 0);
	return strbuf_finish(&out, line);
}

bool
json_compact_complete(const char *line, size_t len)
{
	struct scan s = { .at = line, .end = line + len };

	return scan_object(&s, JSON_COMPACT_DEPTH_MAX + 1);
}
