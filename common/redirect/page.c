/* page.c - see page.h. */
#include "redirect/page.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "redirect/page_texts.h"

#define ACCEPT_LANGUAGE_MAX 512  /* bytes; browsers send under 200, the rest is not read */
#define WEIGHT_MAX          1000 /* q=1, in thousandths: qvalue has at most three decimals */

#define OWS " \t" /* optional whitespace, RFC 9110 section 5.6.3 */

/* The weight of a list's element, from behind its language range to its end: empty, or
 * OWS ";" OWS "q=" qvalue (RFC 9110 section 12.4.2).  Malformed is not wanted: 0. */
static int
weight_read(const char *s, const char *end)
{
	int weight, unit = WEIGHT_MAX / 10;

	if (s == end)
		return WEIGHT_MAX;
	if (*s++ != ';')
		return 0;
	s += strspn(s, OWS);
	if (end - s < 3 || strncasecmp(s, "q=", 2) != 0 || (s[2] != '0' && s[2] != '1'))
		return 0;
	weight = (s[2] - '0') * WEIGHT_MAX;
	s += 3;
	if (s < end && *s == '.')
		for (s++; s < end && unit > 0 && *s >= '0' && *s <= '9'; s++, unit /= 10)
			weight += (*s - '0') * unit;
	return s == end && weight <= WEIGHT_MAX ? weight : 0;
}

/* The texts in the language of a primary subtag: uk of uk-UA.  "*" is whichever we like. */
static const struct page_text *
text_in(const char *subtag, size_t len)
{
	const struct page_text *text = page_texts;

	if (len == 1 && *subtag == '*')
		return text;
	for (; text->language != NULL; text++)
		if (len == strlen(text->language) && strncasecmp(subtag, text->language, len) == 0)
			return text;
	return NULL;
}

/* What one element of the list, up to end, asks for, NULL when we have it not; and how much. */
static const struct page_text *
element_read(const char *s, const char *end, int *weight)
{
	const char *subtag;

	s += strspn(s, OWS);
	while (end > s && strchr(OWS, end[-1]) != NULL)
		end--;
	subtag = s;
	s += strcspn(s, ";," OWS);
	*weight = weight_read(s + (s < end ? strspn(s, OWS) : 0), end);
	return text_in(subtag, strcspn(subtag, "-;," OWS));
}

/* Accept-Language: of the languages we have the one wanted most, of equals the one named first. */
static const struct page_text *
text_preferred(const char *accept_language)
{
	const struct page_text *best = page_texts;
	int best_weight = 0;
	const char *s = accept_language == NULL ? "" : accept_language;
	const char *stop = s + strnlen(s, ACCEPT_LANGUAGE_MAX);
	const char *next;

	for (; *s != '\0'; s = *next == ',' ? next + 1 : next) {
		const struct page_text *text;
		int weight;

		next = s + strcspn(s, ",");
		if (next > stop)
			break; /* cut by the limit, so its weight may be another */
		text = element_read(s, next, &weight);
		if (text != NULL && weight > best_weight) {
			best = text;
			best_weight = weight;
		}
	}
	return best;
}

/* The words with the app's name in place of {app}. */
static bool
name_app(struct ctx *ctx, const char *words, const char *app, const char **out)
{
	static const char mark[] = "{app}";
	struct strbuf sb;
	const char *at;

	strbuf_init(ctx, &sb);
	while ((at = strstr(words, mark)) != NULL) {
		strbuf_add(&sb, words, (size_t)(at - words));
		strbuf_addstr(&sb, app);
		words = at + strlen(mark);
	}
	strbuf_addstr(&sb, words);
	return strbuf_finish(&sb, out);
}

/* The English words are no name either: they are the default of [app] name. */
static bool
nameless(const char *app_name)
{
	return app_name == NULL || *app_name == '\0' || strcmp(app_name, page_texts->app) == 0;
}

static const char *
when(bool condition)
{
	return condition ? "yes" : NULL;
}

bool
page_render(struct ctx *ctx, const struct page *page, const char **html, const char **language)
{
	const struct page_text *text = text_preferred(page->accept_language);
	const char *app = nameless(page->app_name) ? text->app : page->app_name;
	const char *lead, *open, *late;

	if (!name_app(ctx, text->of[page->kind].lead, app, &lead)
	    || !name_app(ctx, text->open, app, &open) || !name_app(ctx, text->late, app, &late))
		return false;

	const struct html_slot slots[] = {
		{ "language", text->language },
		{ "heading", text->of[page->kind].heading },
		{ "lead", lead },
		{ "open", open },
		{ "open_link", page->intent != NULL ? page->intent : page->link },
		{ "otherwise", text->otherwise },
		{ "otherwise_link", page->intent != NULL ? page->link : NULL },
		{ "late", late },
		{ "automatic", when(page->automatic) },
		{ "connected", when(page->kind == PAGE_CONNECTED) },
		{ "cancelled", when(page->kind == PAGE_CANCELLED) },
		{ "failed", when(page->kind == PAGE_FAILED) },
		{ "try_later", when(page->kind == PAGE_TRY_LATER) },
		{ "nothing", when(page->kind == PAGE_NOTHING) },
		{ NULL, NULL },
	};

	*language = text->language;
	return html_render(ctx, redirect_page, slots, html);
}
