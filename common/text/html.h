/* html.h - text into HTML.  Each escaper is named after the place its text lands in.
 */
#ifndef HTML_H
#define HTML_H

#include "base/ctx.h"
#include "base/strbuf.h"

/* Character data between tags: & < > are escaped, bytes that are not UTF-8 and control characters
 * become U+FFFD. */
void html_text(struct strbuf *sb, const char *s);

/* An attribute's value between double quotes: & < > " ' are escaped, the rest as html_text. */
void html_attr(struct strbuf *sb, const char *s);

/* A template, cut at its slots by the build (htdocs/embed).  A slot's place stands in the template,
 * so it cannot be filled unescaped. */
enum html_place {
	HTML_LITERAL, /* text is the template's own */
	HTML_TEXT,    /* text names a slot between tags */
	HTML_ATTR,    /* text names a slot inside a quoted attribute */
	HTML_IF,      /* up to HTML_FI only when the slot named has a value that is not empty */
	HTML_FI,
	HTML_END
};

struct html_part {
	enum html_place place;
	const char *text;
};

struct html_slot {
	const char *name;
	const char *value; /* NULL: nothing */
};

/* The template filled in; slots ends with a NULL name.
 * Fault: FAULT_SERVER when the template names a slot that is not given, or the arena is full. */
bool html_render(struct ctx *ctx, const struct html_part *parts, const struct html_slot *slots,
    const char **page);

#endif
