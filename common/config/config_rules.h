/* config_rules.h - the syntax of values that config_read only checks to be text.
 *
 * A web program does not need these rules: a value that breaks one fails where it is used, with a
 * fault of its own.  `amocrmctl check` applies them to say beforehand which value will fail.  They
 * stand in a file of their own so that only amocrmctl links them.
 */
#ifndef CONFIG_RULES_H
#define CONFIG_RULES_H

#include <stdbool.h>

/* [amocrm] client_id: a UUID (RFC 9562 section 4) in lower case, as amoCRM writes it; its
 * disconnect hook sends it like that. */
bool config_client_id_valid(const char *client_id);

/* [amocrm] connect_to: elements HOST1:PORT1:HOST2:PORT2 separated by spaces, as in
 * https://curl.se/libcurl/c/CURLOPT_CONNECT_TO.html; each part may be empty, and an IPv6 address
 * stands in brackets. */
bool config_connect_to_valid(const char *connect_to);

/* [amocrm] proxy: [scheme://][user:password@]host[:port], with a scheme of
 * https://curl.se/libcurl/c/CURLOPT_PROXY.html. */
bool config_proxy_valid(const char *proxy);

#endif
