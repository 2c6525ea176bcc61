/* SPDX-License-Identifier: Apache-2.0
 * `linnet diagnose [URL|ICE-SERVER…]`: why calls work or do not work from this machine, a verdict a
 * step, each that is not good with one thing to try.
 *
 * Steps that can know nothing (no server, no way) say nothing. Exit codes: 0 calls work, 1 they do
 * not, 3 they work with limits. */
#include "cli/diagnose.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/proxy.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_LIMITED 3

static void free_server(struct diagnose_server *server)
{
    free(server->text);
    free(server->username);
    free(server->credential);
}

/* A copy of `given`, or of what stands in the text; NULL when there is neither. */
static char *keep(const char *given, const char *in_text, bool *failed)
{
    const char *from = given ? given : in_text;
    char *copy = from ? strdup(from) : NULL;

    *failed = *failed || (from && !copy);
    return copy;
}

int diagnose_add_server(struct diagnosis *d, const char *text, const char *username,
                        const char *credential)
{
    struct diagnose_server *server = &d->servers[d->server_count];
    char *user, *password = NULL;
    bool failed = false;
    int error;

    if (d->server_count == DIAGNOSE_SERVERS_MAX)
        return LN_ERR_LIMIT;
    memset(server, 0, sizeof *server);
    server->text = strdup(text);
    if (!server->text)
        return LN_ERR_NOMEM;
    user = strchr(server->text, ',');
    if (user)
        *user++ = '\0';
    if (user && (password = strchr(user, ',')))
        *password++ = '\0';
    server->name = server->text;
    server->username = keep(username, user, &failed);
    server->credential = keep(credential, password, &failed);
    error = failed ? LN_ERR_NOMEM : ln_ice_url_parse(server->text, &server->url);
    if (error)
        free_server(server);
    else
        d->server_count++;
    return error;
}

void diagnose_wait(struct diagnosis *d, bool (*done)(void *ctx), void *ctx, ln_duration most)
{
    struct ln_loop *loop = ln_driver_loop(d->driver);
    ln_time end = ln_loop_now(loop) + most, now;

    while (!done(ctx) && (now = ln_loop_now(loop)) < end)
        if (ln_loop_run_once(loop, end - now) != 0)
            return;
}

/* --- command line */

static const struct cli_option options[] = {
    CLI_FLAG("json", struct diagnose_arguments, json, "one JSON object instead of lines"),
    CLI_FLAG("long", struct diagnose_arguments, lifetime,
             "also how long an idle mapping lives: takes four minutes"),
    CLI_TEXT("room", "ROOM", struct diagnose_arguments, room,
             "the room that is joined for its servers (one by chance)"),
    CLI_TEXT("token", "TOKEN", struct diagnose_arguments, token, "what the room asks for"),
    CLI_PROXY_OPTION(struct diagnose_arguments, proxy),
    CLI_FLAG("insecure", struct diagnose_arguments, insecure,
             "take any certificate of the page's server (development)"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "diagnose",
    .synopsis = "[options] [URL|ICE-SERVER...]",
    .summary = "Why calls work or do not work from here: a verdict a step, and what to try.",
    .details =
        "URL is the address of a page served by linnet serve; an ICE server is\n"
        "stun:HOST[:PORT] or turn:HOST[:PORT][?transport=tcp],USER,PASSWORD.\n"
        "Exit codes: 0 calls work, 1 they do not, 2 wrong command line, 3 they work with limits.",
    .options = options,
    .arguments_max = DIAGNOSE_SERVERS_MAX,
};

static bool is_ice_server(const char *text)
{
    return strncmp(text, "stun", 4) == 0 || strncmp(text, "turn", 4) == 0;
}

static const char *page_of(const struct cli_words *arguments)
{
    for (size_t i = 0; i < arguments->count; i++)
        if (!is_ice_server(arguments->items[i]))
            return arguments->items[i];
    return NULL;
}

/* Returns 0 or the exit code. */
static int add_servers(struct diagnosis *d, const struct cli_words *arguments)
{
    for (size_t i = 0; i < arguments->count; i++) {
        const char *text = arguments->items[i];

        if (is_ice_server(text) && diagnose_add_server(d, text, NULL, NULL) != 0) {
            fprintf(stderr,
                    "linnet diagnose: \"%s\" is no ICE server; they look like stun:HOST:PORT or "
                    "turn:HOST:PORT,USER,PASSWORD\n",
                    text);
            return CLI_EXIT_USAGE;
        }
    }
    return 0;
}

static int steps(struct diagnosis *d, const struct cli_words *arguments)
{
    enum verdict verdict;
    const char *sentence;
    bool signalled = true;

    for (size_t i = 0; i < arguments->count; i++)
        if (!is_ice_server(arguments->items[i]))
            signalled = diagnose_signalling(d, arguments->items[i]) && signalled;
    diagnose_names(d);
    diagnose_families(d);
    diagnose_nat(d, &d->ipv4, "IPv4");
    diagnose_nat(d, &d->ipv6, "IPv6");
    diagnose_relays(d);
    diagnose_view(d);
    verdict = diagnose_conclusion(d, &sentence);
    if (!signalled) {
        verdict = VERDICT_FAIL;
        sentence = "the page's server was not reached: there is nobody to arrange calls";
    }
    report_end(&d->report, verdict, sentence);
    return verdict == VERDICT_FAIL   ? CLI_EXIT_FAILED
           : verdict == VERDICT_WARN ? EXIT_LIMITED
                                     : CLI_EXIT_OK;
}

int cli_diagnose(int argc, char **argv)
{
    static struct diagnosis d;
    struct cli_words arguments;
    int code;

    switch (cli_parse(&command, argc, argv, &d.arguments, &arguments)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    code = add_servers(&d, &arguments);
    if (!code &&
        !cli_proxy_choose("diagnose", d.arguments.proxy, page_of(&arguments), &d.arguments.proxy))
        code = CLI_EXIT_USAGE;
    if (!code && ln_driver_create(&d.driver) != 0) {
        fprintf(stderr, "linnet diagnose: cannot start: no memory or descriptors left\n");
        code = CLI_EXIT_FAILED;
    }
    if (!code) {
        d.report.json = d.arguments.json;
        d.report.steps = json_array();
        code = steps(&d, &arguments);
    }
    json_decref(d.report.steps);
    ln_driver_free(d.driver);
    free(d.page);
    free(d.user);
    free(d.credential);
    for (size_t i = 0; i < d.server_count; i++)
        free_server(&d.servers[i]);
    return code;
}
