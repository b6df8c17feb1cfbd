/* test_delivery.c - which configurations can deliver, the request that is sent, and what the reply
 * means.  https_send is replaced here: no network is used. */
#include "../../table.h"

#include "base/clock.h"
#include "base/encode.h"
#include "events/delivery.h"
#include "events/webhook_signature.h"
#include "helper/https.h"

#define URL    "https://backend.example/events"
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER  "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB"

static struct {
	struct https_request request;
	enum fault_kind fault; /* FAULT_NONE: https_send gives the reply */
	struct https_reply reply;
} network;

bool
https_send(struct ctx *ctx, const struct https_request *call, struct https_reply *reply)
{
	network.request = *call;
	if (network.fault != FAULT_NONE)
		return fault(ctx, network.fault, "backend.example: no connection");
	*reply = network.reply;
	return true;
}

static struct config
config_of(const char *url, const char *secret, bool allow_private)
{
	struct config cfg = { .file = "amo-crm.conf" };

	cfg.deliver.url = url;
	cfg.deliver.secret = secret;
	cfg.deliver.allow_private = allow_private;
	return cfg;
}

static void
checks_the_configuration(void **state)
{
	static const struct {
		const char *label, *url, *secret;
		bool allow_private;
		const char *reason; /* NULL: the configuration is valid */
	} table[] = {
		{ "https and a secret", URL, SECRET, false, NULL },
		{ "a port", "https://backend.example:8443/events", SECRET, false, NULL },
		{ "no path", "https://backend.example", SECRET, false, NULL },
		{ "an IPv4 address", "https://192.0.2.1/", SECRET, false, NULL },
		{ "an IPv6 address", "https://[2001:db8::1]:8443/", SECRET, false, NULL },
		{ "@ in the path", "https://backend.example/a@b", SECRET, false, NULL },
		{ "@ in the query", "https://backend.example?a@b", SECRET, false, NULL },
		{ "@ in the fragment", "https://backend.example#a@b", SECRET, false, NULL },
		{ "two secrets", URL, SECRET " " OTHER, false, NULL },
		{ "https where http is allowed", URL, SECRET, true, NULL },
		{ "http where it is allowed", "http://127.0.0.1:3000/", SECRET, true, NULL },

		{ "neither url nor secret", NULL, NULL, false, "url and secret are not both set" },
		{ "no url", NULL, SECRET, false, "url and secret are not both set" },
		{ "no secret", URL, NULL, false, "url and secret are not both set" },
		{ "plain http", "http://backend.example/", SECRET, false, "plain http" },
		{ "another scheme", "ftp://backend.example/", SECRET, false, "plain http" },
		{ "the scheme in capitals", "HTTPS://backend.example/", SECRET, false,
		    "plain http" },
		{ "no scheme", "backend.example/events", SECRET, true, "not a URL" },
		{ "a user name", "https://user@backend.example/", SECRET, false, "user name" },
		{ "a user name and a password", "https://user:pass@backend.example/", SECRET, false,
		    "user name" },
		{ "a user name before an IPv6 address", "https://user@[2001:db8::1]/", SECRET,
		    false, "user name" },
		{ "a user name over plain http", "http://user@127.0.0.1/", SECRET, true,
		    "user name" },
		{ "a secret without its prefix", URL, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false,
		    "secret must be whsec_" },
		{ "the prefix alone", URL, "whsec_", false, "secret must be whsec_" },
		{ "a secret that is too short", URL, "whsec_c2hvcnQ=", false,
		    "secret must be whsec_" },
		{ "a secret that is not base64", URL, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
		    false, "secret must be whsec_" },
		{ "the second secret is wrong", URL, SECRET " whsec_x", false,
		    "secret must be whsec_" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		const char *reason = table[i].reason;
		struct config cfg =
		    config_of(table[i].url, table[i].secret, table[i].allow_private);
		struct ctx ctx;
		bool ok;

		open_ctx(&ctx);
		ok = delivery_check(&ctx, &cfg);
		same_fault(table[i].label, &ctx, ok, reason == NULL ? FAULT_NONE : FAULT_CONFIG);
		has_text(table[i].label, ctx.reason, reason == NULL ? "" : reason);
		has_no_text(table[i].label, ctx.reason, "MfKQ");
		ctx_close(&ctx);
	}
}

static enum delivery_outcome
send_event(struct ctx *ctx, const struct config *cfg)
{
	const struct stored_event event = { .id = "a1b2", .account_id = 5, .line = "{\"n\":1}" };

	return delivery_send(ctx, cfg, &event);
}

static const char *
header(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < HTTPS_HEADERS_MAX && network.request.headers[i] != NULL; i++)
		if (strncmp(network.request.headers[i], name, len) == 0
		    && strncmp(network.request.headers[i] + len, ": ", 2) == 0)
			return network.request.headers[i] + len + 2;
	fail_msg("no header %s", name);
	return NULL;
}

static void
signs_and_posts_the_line(void **state)
{
	struct config cfg = config_of(URL, SECRET " " OTHER, false);
	int64_t began_ms = clock_ms();
	time_t began = time(NULL);
	const char *signature;
	int64_t timestamp;
	struct ctx ctx;

	(void)state;
	open_ctx(&ctx);
	network.fault = FAULT_NONE;
	network.reply = (struct https_reply){ .status = 200 };
	assert_int_equal(send_event(&ctx, &cfg), DELIVERY_ACCEPTED);
	same_text("the method", network.request.method, "POST");
	same_text("the URL", network.request.url, URL);
	same_text("the body", network.request.body, "{\"n\":1}");
	same_text("its type", header("Content-Type"), "application/json");
	same_text("the id", header("webhook-id"), "a1b2");
	assert_true(decimal_parse(header("webhook-timestamp"), &timestamp));
	DEMAND("the time is now", timestamp >= began && timestamp <= time(NULL));
	assert_true(webhook_sign(
	    &ctx, cfg.deliver.secret, "a1b2", (time_t)timestamp, "{\"n\":1}", &signature));
	same_text("the signature", header("webhook-signature"), signature);
	DEMAND("the deadline",
	    network.request.deadline_ms >= began_ms + DELIVERY_TIMEOUT_MS
		&& network.request.deadline_ms <= clock_ms() + DELIVERY_TIMEOUT_MS);
	ctx_close(&ctx);
}

static void
allows_private_addresses_and_http_together(void **state)
{
	(void)state;
	for (int allowed = 0; allowed <= 1; allowed++) {
		struct config cfg = config_of(URL, SECRET, allowed);
		struct ctx ctx;

		open_ctx(&ctx);
		network.fault = FAULT_NONE;
		network.reply = (struct https_reply){ .status = 200 };
		assert_int_equal(send_event(&ctx, &cfg), DELIVERY_ACCEPTED);
		same_number("http", network.request.plain_allowed, allowed);
		same_number("public addresses only", network.request.public_only, !allowed);
		ctx_close(&ctx);
	}
}

static void
uses_the_network_settings_of_deliveries(void **state)
{
	struct config cfg = config_of(URL, SECRET, false);
	struct ctx ctx;

	(void)state;
	cfg.amocrm.ca_file = "amocrm.pem";
	cfg.amocrm.connect_to = "::127.0.0.1:1";
	cfg.amocrm.proxy = "amocrm-proxy:3128";
	cfg.deliver.ca_file = "deliver.pem";
	cfg.deliver.proxy = "deliver-proxy:3128";
	open_ctx(&ctx);
	network.fault = FAULT_NONE;
	network.reply = (struct https_reply){ .status = 200 };
	assert_int_equal(send_event(&ctx, &cfg), DELIVERY_ACCEPTED);
	same_text("ca_file", network.request.ca_file, "deliver.pem");
	same_text("connect_to", network.request.connect_to, NULL);
	same_text("proxy", network.request.proxy, "deliver-proxy:3128");
	ctx_close(&ctx);
}

static void
names_the_host_of_the_url(void **state)
{
	static const struct {
		const char *label, *url, *host;
	} table[] = {
		{ "a path", "https://backend.example/events", "backend.example" },
		{ "no path", "https://backend.example", "backend.example" },
		{ "a port", "https://backend.example:8443/events", "backend.example" },
		{ "a query", "https://backend.example?a=b:c", "backend.example" },
		{ "a fragment", "https://backend.example#a", "backend.example" },
		{ "capitals", "https://BackEnd.EXAMPLE/Events", "backend.example" },
		{ "a colon in the path", "https://backend.example/a:b", "backend.example" },
		{ "an IPv4 address", "https://192.0.2.1:8443/", "192.0.2.1" },
		{ "an IPv6 address", "https://[2001:DB8::1]/", "[2001:db8::1]" },
		{ "an IPv6 address and a port", "https://[2001:db8::1]:8443/", "[2001:db8::1]" },
		{ "an address that is cut short", "https://[2001:db8::1", "[2001:db8::1" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct config cfg = config_of(table[i].url, SECRET, false);
		struct ctx ctx;

		open_ctx(&ctx);
		network.fault = FAULT_NONE;
		network.reply = (struct https_reply){ .status = 200 };
		assert_int_equal(send_event(&ctx, &cfg), DELIVERY_ACCEPTED);
		same_text(table[i].label, network.request.host, table[i].host);
		ctx_close(&ctx);
	}
}

static void
turns_the_reply_into_an_outcome(void **state)
{
	static const struct {
		const char *label;
		enum fault_kind fault;
		struct https_reply reply;
		enum delivery_outcome outcome;
		enum fault_kind kind;
		const char *reason;
	} table[] = {
		{ "200", FAULT_NONE, { .status = 200 }, DELIVERY_ACCEPTED, FAULT_NONE, "" },
		{ "204", FAULT_NONE, { .status = 204 }, DELIVERY_ACCEPTED, FAULT_NONE, "" },
		{ "299", FAULT_NONE, { .status = 299 }, DELIVERY_ACCEPTED, FAULT_NONE, "" },
		{ "199", FAULT_NONE, { .status = 199 }, DELIVERY_FAILED, FAULT_UNAVAILABLE, "199" },
		{ "a redirect", FAULT_NONE, { .status = 302 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "the receiver replied with 302" },
		{ "300", FAULT_NONE, { .status = 300 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "300" },
		{ "400", FAULT_NONE, { .status = 400 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "400" },
		{ "404", FAULT_NONE, { .status = 404 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "404" },
		{ "408", FAULT_NONE, { .status = 408 }, DELIVERY_FAILED, FAULT_UNAVAILABLE, "408" },
		{ "422", FAULT_NONE, { .status = 422 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "422" },
		{ "425", FAULT_NONE, { .status = 425 }, DELIVERY_FAILED, FAULT_UNAVAILABLE, "425" },
		{ "429", FAULT_NONE, { .status = 429 }, DELIVERY_FAILED, FAULT_UNAVAILABLE, "429" },
		{ "499", FAULT_NONE, { .status = 499 }, DELIVERY_REJECTED, FAULT_UNAVAILABLE,
		    "499" },
		{ "500", FAULT_NONE, { .status = 500 }, DELIVERY_FAILED, FAULT_UNAVAILABLE, "500" },
		{ "410", FAULT_NONE, { .status = 410 }, DELIVERY_GONE, FAULT_UNAVAILABLE, "410" },
		{ "503 with Retry-After", FAULT_NONE, { .status = 503, .retry_after_s = 120 },
		    DELIVERY_FAILED, FAULT_UNAVAILABLE, "503" },
		{ "no server listens", FAULT_UNAVAILABLE, { 0 }, DELIVERY_FAILED, FAULT_UNAVAILABLE,
		    "no connection" },
		{ "the reply is lost", FAULT_REPLY_LOST, { 0 }, DELIVERY_FAILED, FAULT_REPLY_LOST,
		    "no connection" },
		{ "the configuration is wrong", FAULT_CONFIG, { 0 }, DELIVERY_FAILED, FAULT_CONFIG,
		    "no connection" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(table); i++) {
		struct config cfg = config_of(URL, SECRET, false);
		struct ctx ctx;

		open_ctx(&ctx);
		network.fault = table[i].fault;
		network.reply = table[i].reply;
		same_number(table[i].label, send_event(&ctx, &cfg), table[i].outcome);
		same_number(table[i].label, ctx.kind, table[i].kind);
		has_text(table[i].label, ctx.reason, table[i].reason);
		same_number(table[i].label, ctx.retry_after_s, table[i].reply.retry_after_s);
		ctx_close(&ctx);
	}
}

static bool
send_step(struct ctx *ctx, void *arg)
{
	return send_event(ctx, arg) == DELIVERY_ACCEPTED;
}

static void
reports_a_full_arena(void **state)
{
	struct config cfg = config_of(URL, SECRET, false);

	(void)state;
	network.fault = FAULT_NONE;
	network.reply = (struct https_reply){ .status = 200 };
	try_small_arenas("a delivery", send_step, &cfg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(checks_the_configuration),
		cmocka_unit_test(signs_and_posts_the_line),
		cmocka_unit_test(allows_private_addresses_and_http_together),
		cmocka_unit_test(uses_the_network_settings_of_deliveries),
		cmocka_unit_test(names_the_host_of_the_url),
		cmocka_unit_test(turns_the_reply_into_an_outcome),
		cmocka_unit_test(reports_a_full_arena),
	};

	return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
