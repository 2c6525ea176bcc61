/* SPDX-License-Identifier: Apache-2.0
 * The environment's word about proxies. */
#include "cli/proxy.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <string.h>

static const char *chosen_for(const char *url)
{
    const char *proxy = "?";

    CHECK(cli_proxy_choose("test", NULL, url, &proxy));
    return proxy ? proxy : "none";
}

LN_TEST(cli_proxy, no_proxy_names_hosts_and_the_ends_of_their_names)
{
    setenv("https_proxy", "proxy:3128", 1);
    setenv("no_proxy", "example.org, .corp,10.0.0.1, [, ,*.net", 1);
    CHECK_TEXT(chosen_for("https://other.org/x"), "http://proxy:3128");
    CHECK_TEXT(chosen_for("https://badexample.org"), "http://proxy:3128");
    CHECK_TEXT(chosen_for("https://example.org.evil/"), "http://proxy:3128");
    CHECK_TEXT(chosen_for(NULL), "http://proxy:3128");
    CHECK_TEXT(chosen_for("https://example.org:443/x"), "none");
    CHECK_TEXT(chosen_for("wss://www.Example.org/ws"), "none");
    CHECK_TEXT(chosen_for("https://a.corp"), "none");
    CHECK_TEXT(chosen_for("http://10.0.0.1:8080/"), "none");
    CHECK_TEXT(chosen_for("https://b.net/"), "none");
    setenv("no_proxy", "*", 1);
    CHECK_TEXT(chosen_for("https://other.org/x"), "none");
    setenv("no_proxy", "::1", 1);
    CHECK_TEXT(chosen_for("http://[::1]:8080/"), "none");
    unsetenv("no_proxy");
    unsetenv("https_proxy");
    setenv("HTTPS_PROXY", "http://big:1", 1);
    CHECK_TEXT(chosen_for("https://other.org/x"), "http://big:1");
    unsetenv("HTTPS_PROXY");
    CHECK_TEXT(chosen_for("https://other.org/x"), "none");
}
