/* page.c - see page.h. */
#include "redirect/page.h"

#include "base/strbuf.h"

#include <string.h>
#include <strings.h>

#define ACCEPT_LANGUAGE_MAX 512  /* bytes; browsers send under 200, the rest is ignored */
#define QVALUE_MAX          1000 /* q=1, in thousandths: a qvalue has at most three decimals */

#define OWS " \t" /* optional whitespace, RFC 9110 section 5.6.3 */

/* The quality value of an element (RFC 9110 section 12.4.2): ";" OWS "q=" qvalue, and QVALUE_MAX if
 * there is none.  A malformed one counts as 0, "not acceptable". */
static int
read_qvalue(const char *s, const char *end)
{
	int qvalue, unit = QVALUE_MAX / 10;

	if (s == end)
		return QVALUE_MAX;
	if (*s++ != ';')
		return 0;
	s += strspn(s, OWS);
	if (end - s < 3 || strncasecmp(s, "q=", 2) != 0 || (s[2] != '0' && s[2] != '1'))
		return 0;
	qvalue = (s[2] - '0') * QVALUE_MAX;
	s += 3;
	if (s < end && *s == '.')
		for (s++; s < end && unit > 0 && *s >= '0' && *s <= '9'; s++, unit /= 10)
			qvalue += (*s - '0') * unit;
	return s == end && qvalue <= QVALUE_MAX ? qvalue : 0;
}

/* The texts in the language of a primary subtag: uk of uk-UA.  "*" is the first.  NULL: none. */
static const struct page_text *
find_text(const char *subtag, size_t len)
{
	const struct page_text *text = page_texts;

	if (len == 1 && *subtag == '*')
		return text;
	for (; text->language != NULL; text++)
		if (len == strlen(text->language) && strncasecmp(subtag, text->language, len) == 0)
			return text;
	return NULL;
}

/* The texts that one element of the list, which ends at end, asks for, or NULL; and its qvalue. */
static const struct page_text *
parse_element(const char *s, const char *end, int *qvalue)
{
	const char *subtag;

	s += strspn(s, OWS);
	while (end > s && strchr(OWS, end[-1]) != NULL)
		end--;
	subtag = s;
	s += strcspn(s, ";," OWS);
	*qvalue = read_qvalue(s + (s < end ? strspn(s, OWS) : 0), end);
	return find_text(subtag, strcspn(subtag, "-;," OWS));
}

/* Content negotiation: the language with the highest quality value, and the first of equals. */
static const struct page_text *
negotiate_language(const char *accept_language)
{
	const struct page_text *best = page_texts;
	int best_qvalue = 0;
	const char *s = accept_language == NULL ? "" : accept_language;
	const char *stop = s + strnlen(s, ACCEPT_LANGUAGE_MAX);
	const char *next;

	for (; *s != '\0'; s = *next == ',' ? next + 1 : next) {
		const struct page_text *text;
		int qvalue;

		next = s + strcspn(s, ",");
		if (next > stop)
			break; /* truncated by the limit, so its qvalue is unknown */
		text = parse_element(s, next, &qvalue);
		if (text != NULL && qvalue > best_qvalue) {
			best = text;
			best_qvalue = qvalue;
		}
	}
	return best;
}

/* The text with the app's name in place of {app}. */
static bool
insert_app(struct ctx *ctx, const char *text, const char *app, const char **out)
{
	static const char mark[] = "{app}";
	struct strbuf sb;
	const char *at;

	strbuf_init(ctx, &sb);
	while ((at = strstr(text, mark)) != NULL) {
		strbuf_add(&sb, text, (size_t)(at - text));
		strbuf_addstr(&sb, app);
		text = at + strlen(mark);
	}
	strbuf_addstr(&sb, text);
	return strbuf_finish(&sb, out);
}

/* "the app" is the text for an app without a name, so it is not a name either. */
static bool
has_no_name(const char *app_name)
{
	return app_name == NULL || *app_name == '\0' || strcmp(app_name, page_texts->app) == 0;
}

/* A slot that is NULL leaves its part of the page out. */
static const char *
slot_if(bool condition)
{
	return condition ? "yes" : NULL;
}

bool
page_render(struct ctx *ctx, const struct page *page, const char **html, const char **language)
{
	const struct page_text *text = negotiate_language(page->accept_language);
	const char *app = has_no_name(page->app_name) ? text->app : page->app_name;
	const char *lead, *open, *late;

	if (!insert_app(ctx, text->by_kind[page->kind].lead, app, &lead)
	    || !insert_app(ctx, text->open, app, &open) || !insert_app(ctx, text->late, app, &late))
		return false;

	const struct html_slot slots[] = {
		{ "language", text->language },
		{ "heading", text->by_kind[page->kind].heading },
		{ "lead", lead },
		{ "open", open },
		{ "open_url", page->intent != NULL ? page->intent : page->link },
		{ "fallback_link", text->fallback_link },
		{ "fallback_url", page->intent != NULL ? page->link : NULL },
		{ "late", late },
		{ "automatic", slot_if(page->automatic) },
		{ "connected", slot_if(page->kind == PAGE_CONNECTED) },
		{ "cancelled", slot_if(page->kind == PAGE_CANCELLED) },
		{ "failed",
		    slot_if(page->kind == PAGE_FAILED || page->kind == PAGE_WRONG_ACCOUNT) },
		{ "try_later", slot_if(page->kind == PAGE_TRY_LATER) },
		{ "nothing", slot_if(page->kind == PAGE_NOTHING) },
		{ NULL, NULL },
	};

	*language = text->language;
	return html_render(ctx, redirect_page, slots, html);
}
