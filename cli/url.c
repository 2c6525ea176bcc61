/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/url.h"

#include <linnet/error.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int cli_socket_url(const char *url, char ret_url[CLI_URL_MAX])
{
    const char *scheme = "", *rest = url, *path;
    int len;

    if (strncmp(url, "http://", 7) == 0) {
        scheme = "ws://";
        rest = url + 7;
    } else if (strncmp(url, "https://", 8) == 0) {
        scheme = "wss://";
        rest = url + 8;
    } else if (!strstr(url, "://")) {
        scheme = "ws://";
    }
    len = snprintf(ret_url, CLI_URL_MAX, "%s%.*s", scheme, (int)strcspn(rest, "#"), rest);
    if (len < 0 || len >= (int)CLI_URL_MAX - 4)
        return LN_ERR_SYNTAX;
    path = strchr(strstr(ret_url, "://") + 3, '/');
    if (!path)
        strcat(ret_url, "/ws");
    else if (strcmp(path, "/") == 0)
        strcat(ret_url, "ws");
    return 0;
}

int cli_page_url(const char *socket_url, const char *path, char ret_url[CLI_URL_MAX])
{
    bool secure = strncmp(socket_url, "wss://", 6) == 0;
    const char *host = strstr(socket_url, "://") + 3;
    int len = snprintf(ret_url, CLI_URL_MAX, "%s://%.*s%s", secure ? "https" : "http",
                       (int)strcspn(host, "/?"), host, path);

    return len < 0 || len >= (int)CLI_URL_MAX ? LN_ERR_SYNTAX : 0;
}

bool cli_url_is_loopback(const char *socket_url)
{
    static const char *const hosts[] = { "localhost", "127.", "[::1]" };
    const char *host = strstr(socket_url, "://") + 3;

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strncmp(host, hosts[i], strlen(hosts[i])) == 0)
            return true;
    return false;
}
