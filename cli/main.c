/* SPDX-License-Identifier: Apache-2.0
 * `linnet SUBCOMMAND …`: finds the subcommand in a table and calls it.
 *
 * Exit codes of all subcommands: 0 done, 1 failed, 2 wrong command line; others are in the help of
 * the subcommand that has them. */
#include "cli/commands.h"
#include "cli/options.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static int run_help(int argc, char **argv);
static int run_version(int argc, char **argv);

struct subcommand {
    const char *name, *summary;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
};

static const struct subcommand subcommands[] = {
    { "serve", "the server: page, signalling, STUN", cli_serve },
    { "turn", "a STUN and TURN server", cli_turn },
    { "join", "a participant at the terminal", cli_join },
    { "send", "sends files to whoever has the code it prints", cli_send },
    { "receive", "receives them", cli_receive },
    { "peer", "one connection, signalled by lines of JSON", cli_peer },
    { "diagnose", "why calls work or do not work from here", cli_diagnose },
    { "bench", "measures this machine with this program", cli_bench },
    { "version", "the version of this program", run_version },
    { "help", "this text, or that of a subcommand", run_help },
};
#define SUBCOMMAND_COUNT (sizeof subcommands / sizeof *subcommands)

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    return NULL;
}

static void write_overview(FILE *out)
{
    fprintf(out, "linnet: real-time audio, video and data between browsers and programs\n\n"
                 "  linnet SUBCOMMAND [options]\n\n");
    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(out,
            "\n`linnet help SUBCOMMAND` tells more. `linnet serve --dev` is a good beginning.\n");
}

static int unknown(const char *name)
{
    const char *names[SUBCOMMAND_COUNT + 1] = { NULL }, *nearest;

    for (size_t i = 0; i < SUBCOMMAND_COUNT; i++)
        names[i] = subcommands[i].name;
    nearest = cli_nearest(name + strspn(name, "-"), names);
    fprintf(stderr, "linnet: there is no subcommand \"%s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean %s?\n", nearest);
    else
        fprintf(stderr, "; see linnet help\n");
    return CLI_EXIT_USAGE;
}

static int run_version(int argc, char **argv)
{
    static const struct cli_option options[] = { CLI_END };
    static const struct cli_command command = { .name = "version",
                                                .synopsis = "",
                                                .summary = "The version of this program.",
                                                .options = options };

    switch (cli_parse(&command, argc, argv, NULL, NULL)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    printf("linnet %s\n", LINNET_VERSION);
    return CLI_EXIT_OK;
}

static int run_help(int argc, char **argv)
{
    const struct subcommand *subcommand;
    char help[] = "--help";
    char *words[3];

    if (argc < 2) {
        write_overview(stdout);
        return CLI_EXIT_OK;
    }
    subcommand = find(argv[1]);
    if (!subcommand)
        return unknown(argv[1]);
    if (subcommand->run == run_help) {
        write_overview(stdout);
        return CLI_EXIT_OK;
    }
    words[0] = argv[1];
    words[1] = help;
    words[2] = NULL;
    return subcommand->run(2, words);
}

/* Sockets and relays are descriptors: as many as the system lets us have. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    const struct subcommand *subcommand;

    if (argc < 2) {
        write_overview(stderr);
        return CLI_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return run_help(1, argv);
    if (strcmp(argv[1], "--version") == 0)
        return run_version(1, argv);
    raise_descriptors();
    subcommand = find(argv[1]);
    return subcommand ? subcommand->run(argc - 1, argv + 1) : unknown(argv[1]);
}
