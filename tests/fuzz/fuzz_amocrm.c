/* fuzz_amocrm.c - amoCRM's replies, whatever they are.
 *
 * Input: a line with the call (a digit), the status, and J for a reply of JSON; then the body.
 */
#include "fuzz.h"

#include "amocrm/amocrm.h"
#include "config/host_allowlist.h"
#include "helper/https.h"

#include <stdio.h>

static struct https_reply reply;

/* In place of the one in helper/https.c, which then is not linked. */
bool
https_send(struct ctx *ctx, const struct https_request *request, struct https_reply *out)
{
	(void)ctx;
	MUST(request->host != NULL && request->url != NULL && request->method != NULL);
	*out = reply;
	return true;
}

static void
check_token(const char *token)
{
	MUST(token != NULL && token[0] != '\0' && strlen(token) <= AMOCRM_TOKEN_MAX);
	for (; *token != '\0'; token++)
		MUST(*token > ' ' && *token <= '~');
}

static void
check_identity(const struct config *cfg, const struct identity *identity)
{
	char lowered[HOST_SIZE];

	MUST(identity->account_id > 0 && identity->user_id > 0);
	MUST(host_allowed(cfg->amocrm.account_domains, identity->host, lowered));
}

static bool
exchange(struct ctx *ctx, const struct config *cfg, bool is_code)
{
	const char *host = cfg->amocrm.account;
	struct budget_turn turn;
	struct tokens tokens;
	struct identity identity;

	if (is_code
		? !amocrm_exchange(ctx, cfg, host, "c", BUDGET_OWN_STATE, INT64_MAX, &tokens, &turn)
		: !amocrm_refresh(ctx, cfg, host, "r", INT64_MAX, &tokens, &turn))
		return false;
	budget_end(ctx, cfg, &turn);
	check_token(tokens.access_token);
	check_token(tokens.refresh_token);
	MUST(tokens.expires_at > 0);
	if (amocrm_identity_from_token(ctx, host, &tokens, &identity))
		check_identity(cfg, &identity);
	return true;
}

static bool
call(struct ctx *ctx, const struct config *cfg, char which)
{
	static const char *const events[] = { "add_lead", NULL };
	const struct tokens tokens = {
		.access_token = "a.eyJhcGlfZG9tYWluIjoiYXBpLmFtb2NybS5ydSJ9.c", .refresh_token = "r"
	};
	const char *host = cfg->amocrm.account;
	char lowered[HOST_SIZE];
	struct identity identity;
	enum subscription found;

	switch (which) {
	case '0':
	case '1':
		return exchange(ctx, cfg, which == '0');
	case '2':
		if (!amocrm_identity_from_api(
			ctx, cfg, host, &tokens, BUDGET_OWN_STATE, INT64_MAX, &identity))
			return false;
		check_identity(cfg, &identity);
		return true;
	case '3':
		if (!amocrm_current_host(ctx, cfg, &tokens, INT64_MAX, &host))
			return false;
		MUST(host_allowed(cfg->amocrm.account_domains, host, lowered));
		return true;
	case '4':
		return amocrm_subscription(
		    ctx, cfg, host, "a", "https://a.example/", INT64_MAX, &found);
	case '5':
		return amocrm_subscribe(
		    ctx, cfg, host, "a", "https://a.example/", events, INT64_MAX);
	default:
		return amocrm_unsubscribe(ctx, cfg, host, "a", "https://a.example/", INT64_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct config cfg = { .amocrm = { .client_id = "i",
					       .client_secret = "s",
					       .redirect_uri = "https://a.example/",
					       .account = "reforyou.amocrm.ru",
					       .account_domains = "amocrm.ru kommo.com",
					       .timeout = 5 } };
	struct fuzz_parts parts = { data, size };
	char *how = fuzz_line(&parts);
	char *body = fuzz_text(parts.at, parts.left);
	struct ctx ctx;
	bool ok;

	reply = (struct https_reply){ .status = how[0] == '\0' ? 0 : strtol(how + 1, NULL, 10),
		.body = body,
		.is_json = strchr(how, 'J') != NULL,
		.retry_after_s = (long)(size % 7) };
	MUST(ctx_open(&ctx, 4 << 20));
	ok = call(&ctx, &cfg, how[0]);
	MUST(ok == (ctx.kind == FAULT_NONE));
	MUST(ok || ctx.reason[0] != '\0');
	ctx_close(&ctx);
	free(body);
	free(how);
	return 0;
}
