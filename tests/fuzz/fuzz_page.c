/* fuzz_page.c - the redirect page: nothing that varies can leave its place in the HTML.
 *
 * Input: flags (a digit for the kind of page, a for automatic, i for an intent), the app's name,
 * the state, Accept-Language, each on its line; then the code.
 */
#include "fuzz.h"

#include "redirect/deeplink.h"
#include "redirect/page.h"

#define BASE "foryoure://amo-crm/callback"

static int
count(const char *html, const char *text)
{
	int found = 0;

	for (const char *at = html; (at = strstr(at, text)) != NULL; at++)
		found++;
	return found;
}

/* The number of tags and quotes does not depend on what varies.  The name is only in texts, where
 * quotes stay as they are. */
static void
check_html(const char *html, const char *plain, bool quotes_too)
{
	static const char *const fixed[] = { "<", ">", "\"", "'" };

	for (size_t i = 0; i < (quotes_too ? 4 : 2); i++)
		MUST(count(html, fixed[i]) == count(plain, fixed[i]));
}

static void
check_link(const char *link)
{
	MUST(strncmp(link, BASE "?", sizeof BASE) == 0);
	for (; *link != '\0'; link++)
		MUST(*link > ' ' && *link <= '~' && strchr("\"'<>\\^`{|}", *link) == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_parts parts = { data, size };
	char *flags = fuzz_line(&parts);
	char *name = fuzz_line(&parts);
	char *state = fuzz_line(&parts);
	char *languages = fuzz_line(&parts);
	char *code = fuzz_text(parts.at, parts.left);
	struct page page = {
		.kind = (enum page_kind)((unsigned char)flags[0] % PAGE_KINDS),
		.app_name = name,
		.automatic = strchr(flags, 'a') != NULL,
		.accept_language = languages,
	};
	struct page plain;
	const char *html;
	const char *plain_html;
	const char *language;
	struct ctx ctx;

	MUST(ctx_open(&ctx, 8 << 20));
	MUST(code[0] != '\0' ? deeplink_success(&ctx, BASE, code, state, &page.link)
			     : deeplink_error(&ctx, BASE, name, languages, state, &page.link));
	check_link(page.link);
	if (strchr(flags, 'i') != NULL)
		MUST(deeplink_intent(&ctx, page.link, "ru.foryou.app", &page.intent));
	MUST(page_render(&ctx, &page, &html, &language));
	plain = page;
	plain.app_name = "x";
	plain.link = BASE;
	plain.intent = page.intent == NULL ? NULL : "intent:x";
	MUST(page_render(&ctx, &plain, &plain_html, &language));
	check_html(html, plain_html, strpbrk(name, "\"'") == NULL);
	ctx_close(&ctx);
	free(code);
	free(languages);
	free(state);
	free(name);
	free(flags);
	return 0;
}
