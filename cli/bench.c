/* SPDX-License-Identifier: Apache-2.0
 * `linnet bench NAME`: the measurements of bench/, as a table or as one JSON object. */
#include "bench/bench.h"
#include "cli/commands.h"
#include "cli/options.h"

#include <linnet/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    bool json;
    bool one_port;
    long runs, seconds, streamed;
    const char *with, *sizes, *controls, *rates, *rtts, *losses, *directions;
};

static const struct {
    const char *name;
    int (*run)(const struct bench_options *options, json_t *rows);
} benches[] = {
    { "setup", bench_setup }, { "idle", bench_idle },   { "data", bench_data },
    { "srtp", bench_srtp },   { "paths", bench_paths }, { "latency", bench_latency_row },
    { "turn", bench_turn },   { "mixed", bench_mixed }, { "resident", bench_resident },
};

static const struct cli_option options[] = {
    CLI_FLAG("json", struct arguments, json, "one JSON object instead of a table"),
    CLI_TEXT(
        "with", "STACK,...", struct arguments, with,
        "other stacks in the same run (bench/peers): wrtc, pion, datachannel, chromium; coturn "
        "(turn)"),
    CLI_TEXT("sizes", "BYTES,...", struct arguments, sizes, "message sizes (data; mixed: one)"),
    CLI_TEXT("direction", "NAME,...", struct arguments, directions,
             "directions (data): forth, back, both"),
    CLI_INTEGER("streamed", "MIB", 1, 1 << 20, struct arguments, streamed,
                "one message of this length too, in pieces (data)"),
    CLI_TEXT("control", "NAME,...", struct arguments, controls,
             "congestion controls (paths): cubic, model, delay, reno"),
    CLI_TEXT("rate", "MBIT,...", struct arguments, rates, "of 10, 100, 1000 (paths)"),
    CLI_TEXT("rtt", "MS,...", struct arguments, rtts, "of 1, 20, 50, 100, 200 (paths)"),
    CLI_TEXT("loss", "PERCENT,...", struct arguments, losses, "of 0, 0.1, 1, 3 (paths)"),
    CLI_INTEGER("runs", "N", 1, 100000, struct arguments, runs, "how many runs, or pairs (idle)"),
    CLI_FLAG("one-port", struct arguments, one_port,
             "one end of each pair shares a UDP port with the others (idle)"),
    CLI_INTEGER("seconds", "N", 1, 3600, struct arguments, seconds, "length of one run"),
    CLI_END,
};

static const struct cli_command command = {
    .name = "bench",
    .synopsis = "setup|idle|data|mixed|srtp|paths|latency|turn|resident [options]",
    .summary = "Measures this machine with this program.",
    .options = options,
    .arguments_min = 1,
    .arguments_max = 1,
};

/* BYTES,BYTES,… */
static bool sizes_are_right(const char *list)
{
    for (const char *at = list;; at++) {
        char *end;
        long bytes = strtol(at, &end, 10);

        if (end == at || bytes < 1 || bytes > BENCH_MESSAGE_MAX || (*end && *end != ','))
            break;
        if (!*end)
            return true;
        at = end;
    }
    fprintf(stderr,
            "linnet bench: --sizes takes message sizes from 1 to %d, as 1024,65536, not "
            "\"%s\"\n",
            BENCH_MESSAGE_MAX, list);
    return false;
}

static void print_row(const json_t *row)
{
    const char *name, *space = "";
    const json_t *value;

    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        if (json_is_string(value))
            printf("%s%s", space, json_string_value(value));
        else if (json_is_real(value))
            printf("%s%s %.3g", space, name, json_real_value(value));
        else
            printf("%s%s %lld", space, name, (long long)json_integer_value(value));
        space = "  ";
    }
    printf("\n");
}

static void print(const char *bench, json_t *rows, bool json)
{
    json_t *whole;
    const json_t *row;
    size_t i;

    if (json) {
        whole = json_pack("{s:s, s:o, s:O}", "bench", bench, "machine", bench_machine(), "rows",
                          rows);
        json_dumpf(whole, stdout, JSON_REAL_PRECISION(6));
        printf("\n");
        json_decref(whole);
        return;
    }
    json_array_foreach(rows, i, row) print_row(row);
}

int cli_bench(int argc, char **argv)
{
    struct arguments arguments = { 0 };
    struct cli_words names;
    struct bench_options wanted;
    json_t *rows;
    int error;

    switch (cli_parse(&command, argc, argv, &arguments, &names)) {
    case CLI_HELP:
        return CLI_EXIT_OK;
    case CLI_USAGE:
        return CLI_EXIT_USAGE;
    case CLI_PARSED:
        break;
    }
    if (arguments.sizes && !sizes_are_right(arguments.sizes))
        return CLI_EXIT_USAGE;
    wanted = (struct bench_options){ .one_port = arguments.one_port,
                                     .runs = arguments.runs,
                                     .seconds = arguments.seconds,
                                     .with = arguments.with,
                                     .directions = arguments.directions,
                                     .controls = arguments.controls,
                                     .rates = arguments.rates,
                                     .rtts = arguments.rtts,
                                     .losses = arguments.losses,
                                     .streamed = arguments.streamed,
                                     .sizes = arguments.sizes };
    for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) {
        if (strcmp(benches[i].name, names.items[0]) != 0)
            continue;
        rows = json_array();
        error = benches[i].run(&wanted, rows);
        if (error)
            fprintf(stderr, "linnet bench: %s\n", ln_error_sentence(error));
        else
            print(names.items[0], rows, arguments.json);
        json_decref(rows);
        return error ? CLI_EXIT_FAILED : CLI_EXIT_OK;
    }
    fprintf(stderr,
            "linnet bench: there is no bench \"%s\": setup, idle, data, mixed, srtp, paths, "
            "latency or turn\n",
            names.items[0]);
    return CLI_EXIT_USAGE;
}
