/* cgi.h - the Common Gateway Interface: one process for one request (RFC 3875).
 *
 *   web server -- meta-variables: environment, body: stdin -->  program
 *   web server <-- response: stdout, log line: stderr --------  program
 */
#ifndef CGI_H
#define CGI_H

#include "web/gateway.h"

/* For a response outside cgi_serve. */
extern const struct gateway cgi_gateway;

/* Handles the process's one request.  Returns main's exit status. */
int cgi_serve(struct ctx *ctx, gateway_handler *handle, const void *arg);

#endif
