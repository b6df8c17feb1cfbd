/* page_texts.h - the words of the redirect page, in all its languages.
 *
 * {app} stands for the app's name.  Every sentence is built so that the name is in the nominative
 * or the accusative, which are one form for names and for the words that stand in for one.
 */
#ifndef PAGE_TEXTS_H
#define PAGE_TEXTS_H

#include "redirect/page.h"

struct page_text {
	const char *language;  /* its tag, RFC 5646 */
	const char *app;       /* an app without a name */
	const char *open;      /* the button */
	const char *otherwise; /* the plain link, where the button is an intent */
	const char *late;      /* shown when the app should have opened by now */
	struct {
		const char *heading;
		const char *lead; /* what it means, what to do */
	} of[PAGE_KINDS];
};

/* Ends with a NULL language.  The first is for visitors who prefer none of them. */
extern const struct page_text page_texts[];

#endif
