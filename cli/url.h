/* SPDX-License-Identifier: Apache-2.0
 * Addresses of a server as people give them. */
#ifndef LN_CLI_URL_H
#define LN_CLI_URL_H

#include <stdbool.h>

#define CLI_URL_MAX 2048u

/* That of its page is as good as that of its WebSocket: http becomes ws, and without a path it is
 * /ws. Returns 0 or LN_ERR_SYNTAX: too long. */
int cli_socket_url(const char *url, char ret_url[CLI_URL_MAX]);
/* The other way: "https://HOST/" and `path` of what cli_socket_url() gave. Returns 0 or
 * LN_ERR_SYNTAX. */
int cli_page_url(const char *socket_url, const char *path, char ret_url[CLI_URL_MAX]);

/* Whether only programs of this machine get there: its host is localhost, 127.… or [::1]. */
bool cli_url_is_loopback(const char *socket_url);

#endif
