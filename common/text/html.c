/* html.c - see html.h. */
#include "text/html.h"

#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

static const char *
entity(char c, bool quoted)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return quoted ? "&quot;" : NULL;
	case '\'':
		return quoted ? "&#39;" : NULL;
	default:
		return NULL;
	}
}

/* C0 except tab and newline, DEL, and C1, which is encoded as C2 80 to C2 9F. */
static bool
is_control(const char *s, size_t len)
{
	unsigned char first = (unsigned char)s[0];

	if (len == 2)
		return first == 0xC2 && (unsigned char)s[1] < 0xA0;
	return len == 1 && (first == 0x7F || (first < 0x20 && s[0] != '\t' && s[0] != '\n'));
}

/* Most of a page and its links.  strspn builds a table each time, which letters that are not of
 * ASCII are not worth. */
static size_t
plain_len(const char *s)
{
	if ((unsigned char)*s >= 0x80)
		return 0;
	return strspn(
	    s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 -._~%/:?=#;,+*!()");
}

static void
escape(struct strbuf *sb, const char *s, bool quoted)
{
	const char *end = s + strlen(s), *plain = s;

	while (s += plain_len(s), s < end) {
		size_t len = utf8_sequence_len(s, (size_t)(end - s));
		const char *instead =
		    len == 0 || is_control(s, len) ? REPLACEMENT : entity(*s, quoted);

		if (instead == NULL) {
			s += len;
			continue;
		}
		strbuf_add(sb, plain, (size_t)(s - plain));
		strbuf_addstr(sb, instead);
		s += len == 0 ? 1 : len;
		plain = s;
	}
	strbuf_add(sb, plain, (size_t)(end - plain));
}

void
html_text(struct strbuf *sb, const char *s)
{
	escape(sb, s, false);
}

void
html_attr(struct strbuf *sb, const char *s)
{
	escape(sb, s, true);
}

static bool
slot_value(struct ctx *ctx, const struct html_slot *slots, const char *name, const char **value)
{
	for (; slots->name != NULL; slots++)
		if (strcmp(slots->name, name) == 0) {
			*value = slots->value == NULL ? "" : slots->value;
			return true;
		}
	return fault(ctx, FAULT_SERVER, "the template has a slot without a value: %s", name);
}

bool
html_render(struct ctx *ctx, const struct html_part *parts, const struct html_slot *slots,
    const char **page)
{
	struct strbuf sb;
	const char *value = "";
	bool shown = true;

	strbuf_init(ctx, &sb);
	for (; parts->place != HTML_END; parts++) {
		bool names_slot = parts->place == HTML_TEXT || parts->place == HTML_ATTR
		    || parts->place == HTML_IF;

		if (names_slot && !slot_value(ctx, slots, parts->text, &value))
			return false;
		if (parts->place == HTML_IF)
			shown = *value != '\0';
		else if (parts->place == HTML_ENDIF)
			shown = true;
		else if (shown && parts->place == HTML_LITERAL)
			strbuf_addstr(&sb, parts->text);
		else if (shown && parts->place == HTML_TEXT)
			html_text(&sb, value);
		else if (shown)
			html_attr(&sb, value);
	}
	return strbuf_finish(&sb, page);
}
