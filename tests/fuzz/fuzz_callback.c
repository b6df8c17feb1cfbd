/* fuzz_callback.c - the callback, from the web server's variables to the response.
 *
 * Input: a line of flags, then the query, User-Agent and Accept-Language, each on its line.  The
 * flags are H for HEAD, P for POST, and b, 3, s, i for the configuration: button, 302, signed
 * states, Android's intent.  In the query, SIGNED stands for a state that we have signed.
 *
 * There is no amoCRM: nothing listens at the address to which calls go.
 */
#include "folder.h"
#include "web_server.h"

#define main callback_main
#include "../../cgi-bin/callback.c"
#undef main
#include "../../common/web/serve.c"

#define LINK    "foryoure://amo-crm/callback"
#define INTENT  "intent://amo-crm/callback"
#define FLAGS   "b3si"
#define CONFIGS 16 /* one for each combination of flags */

static void
write_config(unsigned flags)
{
	char name[16];
	char text[2048];
	int len = snprintf(text, sizeof text,
	    "[amocrm]\nclient_id = 01d01160-d7a0-4087-b4af-6a1bb83fcd1d\nclient_secret = %064d\n"
	    "redirect_uri = https://crm.example.com/api/amo-crm/callback\n"
	    "account = reforyou.amocrm.ru\nconnect_to = ::127.0.0.1:1\ntimeout = 1\n"
	    "[app]\ndeep_link = " LINK "\nredirect = %s\nstate = %s\n%s"
	    "[jwt]\nsecret = %064d\n[store]\npath = %s/store\nkeys = %s/keys\n",
	    7,
	    (flags & 2) != 0       ? "302"
		: (flags & 1) != 0 ? "button"
				   : "page",
	    (flags & 4) != 0 ? "signed" : "any",
	    (flags & 8) != 0 ? "android_package = ru.foryou.app\n" : "", 8, fuzz_folder(),
	    fuzz_folder());

	MUST(len > 0 && (size_t)len < sizeof text);
	snprintf(name, sizeof name, "conf%u", flags % CONFIGS);
	fuzz_write(name, text, (size_t)len);
}

/* Sets up the first time.  The helpers stay in ctx, as in a FastCGI process. */
static struct ctx *
prepare(const char **state)
{
	static struct ctx ctx;
	static char signed_state[512];
	const char *made;
	const struct keyring *ring;
	char keys[100];
	char path[FUZZ_PATH_SIZE];

	*state = signed_state;
	if (ctx.arena != NULL)
		return &ctx;
	fuzz_make_folder("store");
	snprintf(keys, sizeof keys, "k1 %064d\n", 9);
	fuzz_write("keys", keys, strlen(keys));
	for (unsigned flags = 0; flags < CONFIGS; flags++)
		write_config(flags);
	MUST(ctx_open(&ctx, SERVE_ARENA_SIZE));
	fuzz_path("keys", path);
	MUST(keyring_read(&ctx, path, &ring) && oauth_state_make(&ctx, ring, "u1", &made));
	snprintf(signed_state, sizeof signed_state, "%s", made);
	ctx_wipe(&ctx);
	return &ctx;
}

static void
choose_config(const char *flags)
{
	char path[FUZZ_PATH_SIZE];
	char name[16];
	unsigned chosen = 0;

	for (size_t i = 0; FLAGS[i] != '\0'; i++)
		chosen |= strchr(flags, FLAGS[i]) != NULL ? 1u << i : 0;
	snprintf(name, sizeof name, "conf%u", chosen);
	fuzz_path(name, path);
	MUST(setenv("AMO_CRM_CONFIG", path, 1) == 0);
}

/* The query with the signed state in place of the first SIGNED. */
static char *
with_state(const char *query, const char *state)
{
	static const char mark[] = "SIGNED";
	const char *at = strstr(query, mark);
	size_t size = strlen(query) + strlen(state) + 1;
	char *filled = malloc(size);

	MUST(filled != NULL);
	if (at == NULL)
		snprintf(filled, size, "%s", query);
	else
		snprintf(
		    filled, size, "%.*s%s%s", (int)(at - query), query, state, at + strlen(mark));
	return filled;
}

/* Whether the text begins with the link, and goes on with a query, if with anything. */
static bool
is_link(const char *text, const char *link)
{
	size_t len = strlen(link);

	return strncmp(text, link, len) == 0 && strchr("?#\"\r", text[len]) != NULL;
}

/* Only the configured link is in it, and nothing of the request that a browser would run. */
static void
check_page(const char *html)
{
	int scripts = 0;
	int links = 0;

	for (const char *at = html; (at = strchr(at, '<')) != NULL; at++)
		scripts += strncmp(at, "<script", 7) == 0;
	for (const char *at = html; (at = strstr(at, "href=\"")) != NULL; links++) {
		at += strlen("href=\"");
		MUST(is_link(at, LINK) || is_link(at, INTENT));
	}
	MUST(scripts == 1 && links >= 1);
}

static void
check_response(const struct fuzz_server *server, bool is_head)
{
	const char *body = fuzz_check_response(server, is_head);
	const char *location = fuzz_header(server->response, "Location");
	const char *type = fuzz_header(server->response, "Content-Type");

	MUST(location == NULL || is_link(location, LINK) || is_link(location, INTENT));
	if (!is_head && type != NULL && strncmp(type, "text/html", 9) == 0)
		check_page(body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct program program = { "callback", METHOD_GET | METHOD_HEAD, callback,
		on_error };
	struct fuzz_parts parts = { data, size };
	char *flags = fuzz_line(&parts);
	char *line = fuzz_line(&parts);
	char *agent = fuzz_line(&parts);
	char *language = fuzz_line(&parts);
	const char *state;
	struct ctx *ctx = prepare(&state);
	char *query = with_state(line, state);
	bool is_head = strchr(flags, 'H') != NULL;
	const struct fuzz_variable variables[] = {
		{ "REQUEST_METHOD",
		    is_head                          ? "HEAD"
			: strchr(flags, 'P') != NULL ? "POST"
						     : "GET" },
		{ "QUERY_STRING", query },
		{ "HTTP_USER_AGENT", agent },
		{ "HTTP_ACCEPT_LANGUAGE", language },
		{ NULL, NULL },
	};
	struct fuzz_server server = { .variables = variables };
	const struct gateway gw = fuzz_gateway(&server);

	choose_config(flags);
	MUST(handle(ctx, &gw, &program));
	check_response(&server, is_head);
	ctx_wipe(ctx);
	free(server.response);
	free(query);
	free(language);
	free(agent);
	free(line);
	free(flags);
	return 0;
}
