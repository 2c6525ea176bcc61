/* SPDX-License-Identifier: Apache-2.0
 * The option parser: what is taken, and that nothing unknown passes. */
#include "cli/options.h"
#include "tests/support/test.h"

struct arguments {
    bool dev;
    const char *listen, *video, *output;
    long duration;
    struct cli_texts servers;
};

static const struct cli_option options[] = {
    CLI_FLAG("dev", struct arguments, dev, "a flag"),
    CLI_TEXT("listen", "ADDR", struct arguments, listen, "a text"),
    CLI_TEXT_OR_LETTER('o', "output", "DIR", struct arguments, output, "a text with a letter"),
    CLI_CHOICE("video", "test none", struct arguments, video, "a choice"),
    CLI_INTEGER("duration", "SECONDS", 1, 100, struct arguments, duration, "a number"),
    CLI_LIST("ice-server", "URL", struct arguments, servers, "a list"),
    CLI_END,
};

static const struct cli_command command = { .name = "probe",
                                            .synopsis = "",
                                            .summary = "A probe.",
                                            .options = options,
                                            .arguments_max = 2,
                                            .arguments_min = 0 };

static struct arguments a;
static struct cli_words positional;

/* Words by blanks; standard error is closed meanwhile. */
static enum cli_result parse(const char *line)
{
    static char text[512], *argv[64];
    char *word, *state = NULL;
    enum cli_result result;
    FILE *null = fopen("/dev/null", "w"), *err = stderr, *out = stdout;
    int argc = 0;

    memset(&a, 0, sizeof a);
    positional.count = 0;
    snprintf(text, sizeof text, "probe %s", line);
    for (word = strtok_r(text, " ", &state); word; word = strtok_r(NULL, " ", &state))
        argv[argc++] = word;
    argv[argc] = NULL;
    CHECK(null);
    stderr = stdout = null;
    result = cli_parse(&command, argc, argv, &a, &positional);
    stderr = err;
    stdout = out;
    fclose(null);
    return result;
}

LN_TEST(options, all_kinds_are_taken)
{
    CHECK(parse("--dev --listen=x --video none --duration 5 --ice-server a --ice-server=b url -- "
                "--dev") == CLI_PARSED);
    CHECK(a.dev && a.duration == 5 && a.servers.count == 2 && positional.count == 2);
    CHECK_TEXT(a.listen, "x");
    CHECK_TEXT(a.video, "none");
    CHECK_TEXT(a.servers.items[1], "b");
    CHECK_TEXT(positional.items[0], "url");
    CHECK_TEXT(positional.items[1], "--dev");
    CHECK(parse("") == CLI_PARSED && !a.dev);
    CHECK(parse("x -o there y") == CLI_PARSED && positional.count == 2);
    CHECK_TEXT(a.output, "there");
    CHECK_TEXT(positional.items[1], "y");
    CHECK(parse("--output=-") == CLI_PARSED);
    CHECK_TEXT(a.output, "-");
    CHECK(parse("--help") == CLI_HELP && parse("-h") == CLI_HELP);
}

LN_TEST(options, what_is_wrong_is_a_usage_error)
{
    static const char *const lines[] = {
        "--deV",
        "--de",
        "-d",
        "--dev=1",
        "--listen",
        "--listen --dev",
        "--video x",
        "--duration 0",
        "--duration 101",
        "--duration x",
        "--duration 5x",
        "--duration=",
        "a b c",
        "--no-such-thing",
        "-o",
        "-ox",
        "-x",
        "--",
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines - 1; i++)
        CHECK(parse(lines[i]) == CLI_USAGE);
    CHECK(parse("--") == CLI_PARSED);
}

LN_TEST(options, the_nearest_word_is_found_and_far_ones_are_not)
{
    static const char *const words[] = { "listen", "dev", "tls-cert", "tls-key", NULL };

    CHECK_TEXT(cli_nearest("lisetn", words), "listen");
    CHECK_TEXT(cli_nearest("listne", words), "listen");
    CHECK_TEXT(cli_nearest("tls-certificate", words) ? "near" : "none", "none");
    CHECK_TEXT(cli_nearest("tls", words), "tls-cert");
    CHECK_TEXT(cli_nearest("tls-kye", words), "tls-key");
    CHECK(cli_nearest("something-else", words) == NULL);
    CHECK(cli_nearest("", words) == NULL);
}
