/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/proxy.h"

#include "base/alloc.h"
#include "stun/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECRET_MAX 95u /* of the WebSocket's library */

/* Whether the list (of suffixes, with commas) names the host of the URL. */
static bool is_exempt(const char *list, const char *url)
{
    const char *host = strstr(url, "://");
    size_t len;

    host = host ? host + 3 : url;
    len = strcspn(host, host[0] == '[' ? "]/" : ":/?");
    if (host[0] == '[') {
        host++;
        len--;
    }
    while (*list) {
        size_t item = strcspn(list, ", "), skip = list[0] == '.' || list[0] == '*';

        if (item > 0 && item - skip <= len &&
            strncasecmp(host + len - (item - skip), list + skip, item - skip) == 0 &&
            (item - skip == len || skip || host[len - item - 1] == '.'))
            return true;
        list += item;
        list += strspn(list, ", ");
    }
    return false;
}

static const char *either(const char *small, const char *capital)
{
    const char *value = getenv(small);

    return value && *value ? value : getenv(capital);
}

/* As programs write it there: without a scheme too. */
static const char *of_environment(const char *url)
{
    static char text[1024];
    const char *value = either("https_proxy", "HTTPS_PROXY"), *but = either("no_proxy", "NO_PROXY");

    if (!value || !*value || (but && url && is_exempt(but, url)))
        return NULL;
    snprintf(text, sizeof text, "%s%s", strstr(value, "://") ? "" : "http://", value);
    return text;
}

bool cli_proxy_choose(const char *command, const char *given, const char *url,
                      const char **ret_proxy)
{
    const char *chosen = given ? given : of_environment(url);
    struct ln_proxy proxy;
    bool good;

    *ret_proxy = NULL;
    if (!chosen || strcmp(chosen, "none") == 0)
        return true;
    good = ln_proxy_parse(chosen, &proxy) == 0 && strlen(proxy.secret) <= SECRET_MAX;
    ln_wipe(&proxy, sizeof proxy);
    if (good)
        *ret_proxy = chosen;
    else if (given)
        fprintf(stderr,
                "linnet %s: --proxy takes http://HOST:PORT or http://USER:PASSWORD@HOST:PORT, with "
                "%u bytes of user and password at most\n",
                command, SECRET_MAX);
    else
        fprintf(stderr, "linnet %s: the proxy of $https_proxy is no HTTP proxy; it is not used\n",
                command);
    return good || !given;
}
