/* html.h - escaping text for HTML, and a template.  Each escaper is named after the context of its
 * text.
 */
#ifndef HTML_H
#define HTML_H

#include "base/ctx.h"
#include "base/strbuf.h"

/* Appends character data between tags: escapes & < >, and replaces bytes that are not UTF-8 and
 * control characters by U+FFFD. */
void html_text(struct strbuf *sb, const char *s);

/* Appends a double-quoted attribute's value: escapes & < > " ' and replaces as html_text does. */
void html_attr(struct strbuf *sb, const char *s);

/* A template, which the build splits at its slots (htdocs/embed).  The template says in which
 * context each slot is, so no value can be inserted unescaped. */
enum html_place {
	HTML_LITERAL, /* text is part of the template */
	HTML_TEXT,    /* text names a slot between tags */
	HTML_ATTR,    /* text names a slot inside a quoted attribute */
	HTML_IF,      /* omits what follows up to HTML_ENDIF if the slot named is empty */
	HTML_ENDIF,
	HTML_END
};

struct html_part {
	enum html_place place;
	const char *text;
};

struct html_slot {
	const char *name;
	const char *value; /* NULL: empty */
};

/* Renders a template; slots ends with a NULL name.
 * Fault: FAULT_SERVER when the template names a slot that is not given, or the arena is full. */
bool html_render(struct ctx *ctx, const struct html_part *parts, const struct html_slot *slots,
    const char **page);

#endif
