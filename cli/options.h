/* SPDX-License-Identifier: Apache-2.0
 * Command lines by table: long options with or without a value, positional arguments, help text
 * made from the table. Nothing unknown passes silently: the message names the nearest option.
 *
 *   struct arguments { bool dev; const char *listen; struct cli_texts servers; long seconds; };
 *   static const struct cli_option options[] = {
 *       CLI_FLAG("dev", struct arguments, dev, "for development on this machine"),
 *       CLI_TEXT("listen", "ADDR:PORT", struct arguments, listen, "where to listen"),
 *       CLI_LIST("ice-server", "URL", struct arguments, servers, "may be given several times"),
 *       CLI_INTEGER("duration", "SECONDS", 0, 86400, struct arguments, seconds, "then end"),
 *       CLI_END,
 *   };
 * `--name value` and `--name=value` are the same; `--` ends the options; `--help` is always there.
 */
#ifndef LN_CLI_OPTIONS_H
#define LN_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CLI_EXIT_OK     0
#define CLI_EXIT_FAILED 1
#define CLI_EXIT_USAGE  2

enum cli_kind {
    CLI_KIND_END,
    CLI_KIND_FLAG,    /* bool: true when given */
    CLI_KIND_TEXT,    /* const char *: the value, borrowed from argv */
    CLI_KIND_CHOICE,  /* const char *: one of `choices`, blank-separated */
    CLI_KIND_INTEGER, /* long, within min..max */
    CLI_KIND_LIST,    /* struct cli_texts: each value given */
};

#define CLI_TEXTS_MAX 16
struct cli_texts {
    const char *items[CLI_TEXTS_MAX];
    size_t count;
};

/* Words of the command line that are no options, in their order; they are moved to its front. */
struct cli_words {
    char **items;
    size_t count;
};

struct cli_option {
    enum cli_kind kind;
    const char *name;  /* without the dashes */
    char letter;       /* `-o VALUE` is the same; '\0': none */
    const char *value; /* what help calls the value */
    const char *choices;
    long min, max;
    size_t offset; /* of the field in the arguments struct */
    const char *help;
};

#define CLI_FLAG(name_, type_, field_, help_)                                                      \
    {                                                                                              \
        .kind = CLI_KIND_FLAG, .name = name_, .offset = offsetof(type_, field_), .help = help_     \
    }
#define CLI_TEXT(name_, value_, type_, field_, help_)                                              \
    {                                                                                              \
        .kind = CLI_KIND_TEXT, .name = name_, .value = value_, .offset = offsetof(type_, field_),  \
        .help = help_                                                                              \
    }
#define CLI_TEXT_OR_LETTER(letter_, name_, value_, type_, field_, help_)                           \
    {                                                                                              \
        .kind = CLI_KIND_TEXT, .name = name_, .letter = letter_, .value = value_,                  \
        .offset = offsetof(type_, field_), .help = help_                                           \
    }
#define CLI_CHOICE(name_, choices_, type_, field_, help_)                                          \
    {                                                                                              \
        .kind = CLI_KIND_CHOICE, .name = name_, .choices = choices_,                               \
        .offset = offsetof(type_, field_), .help = help_                                           \
    }
#define CLI_INTEGER(name_, value_, min_, max_, type_, field_, help_)                               \
    {                                                                                              \
        .kind = CLI_KIND_INTEGER, .name = name_, .value = value_, .min = min_, .max = max_,        \
        .offset = offsetof(type_, field_), .help = help_                                           \
    }
#define CLI_LIST(name_, value_, type_, field_, help_)                                              \
    {                                                                                              \
        .kind = CLI_KIND_LIST, .name = name_, .value = value_, .offset = offsetof(type_, field_),  \
        .help = help_                                                                              \
    }
#define CLI_END                                                                                    \
    {                                                                                              \
        .kind = CLI_KIND_END                                                                       \
    }

struct cli_command {
    const char *name;     /* "serve" */
    const char *synopsis; /* "[--dev] [--listen ADDR:PORT]" */
    const char *summary;  /* one line */
    const char *details;  /* paragraphs shown after the options; NULL: none */
    const struct cli_option *options;
    size_t arguments_min, arguments_max; /* positional ones */
};

enum cli_result {
    CLI_PARSED,
    CLI_HELP,  /* --help: the text has been written to standard output; exit 0 */
    CLI_USAGE, /* wrong: one sentence has been written to standard error; exit 2 */
};

/* Parses argv[1..argc) into `arguments` (a struct with its defaults set); argv[0] is the command's
 * name. Positional ones go to `positional` if it is not NULL; argv is put in another order then. */
enum cli_result cli_parse(const struct cli_command *command, int argc, char **argv, void *arguments,
                          struct cli_words *positional);
void cli_write_help(const struct cli_command *command, FILE *out);

/* The word of a NULL-terminated list that is most like `word`, or NULL if none is near. */
const char *cli_nearest(const char *word, const char *const *words);

#endif
