/* SPDX-License-Identifier: Apache-2.0
 * The option parser: one pass over argv, each option found in the command's table.
 *
 * A message names the command, what was wrong and, where there is one, the nearest option. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 63u /* longer words are like nothing */

/* Insertions, deletions, changes and swaps of neighbours that turn a into b. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return WORD_MAX;
    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                above2[j - 2] + 1 < best)
                best = above2[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

const char *cli_nearest(const char *word, const char *const *words)
{
    const char *nearest = NULL;
    size_t best = strlen(word) / 3 + 2; /* so far off it is another word */

    for (; *words; words++) {
        size_t d = distance(word, *words);

        /* An unfinished word means the one that begins with it. */
        if (strlen(word) >= 2 && strncmp(word, *words, strlen(word)) == 0)
            d = 1;
        if (d < best) {
            best = d;
            nearest = *words;
        }
    }
    return nearest;
}

static const struct cli_option *find(const struct cli_command *command, const char *name,
                                     size_t len)
{
    const struct cli_option *option = command->options;

    for (; option && option->kind != CLI_KIND_END; option++)
        if (strlen(option->name) == len && memcmp(option->name, name, len) == 0)
            return option;
    return NULL;
}

static enum cli_result unknown(const struct cli_command *command, const char *word)
{
    const char *words[64] = { NULL }, *nearest;
    char name[WORD_MAX + 1];
    size_t count = 0, len = strcspn(word, "=");

    for (const struct cli_option *o = command->options; o && o->kind != CLI_KIND_END; o++)
        if (count < sizeof words / sizeof *words - 2)
            words[count++] = o->name;
    words[count] = "help";
    if (len > WORD_MAX)
        len = WORD_MAX;
    memcpy(name, word, len);
    name[len] = '\0';
    nearest = cli_nearest(name + strspn(name, "-"), words);
    fprintf(stderr, "linnet %s: there is no option %s", command->name, name);
    if (nearest)
        fprintf(stderr, "; did you mean --%s?\n", nearest);
    else
        fprintf(stderr, "; see linnet help %s\n", command->name);
    return CLI_USAGE;
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);

    for (const char *p = choices; *p; p += strspn(p, " ")) {
        size_t word = strcspn(p, " ");

        if (word == len && memcmp(p, value, len) == 0)
            return true;
        p += word;
    }
    return false;
}

static enum cli_result store_integer(const struct cli_command *command,
                                     const struct cli_option *option, const char *value,
                                     long *field)
{
    char *end;
    long number;

    errno = 0;
    number = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < option->min ||
        number > option->max) {
        fprintf(stderr, "linnet %s: --%s takes a number from %ld to %ld, not \"%s\"\n",
                command->name, option->name, option->min, option->max, value);
        return CLI_USAGE;
    }
    *field = number;
    return CLI_PARSED;
}

static enum cli_result store(const struct cli_command *command, const struct cli_option *option,
                             const char *value, void *arguments)
{
    void *field = (char *)arguments + option->offset;
    struct cli_texts *list = field;

    switch (option->kind) {
    case CLI_KIND_FLAG:
        *(bool *)field = true;
        return CLI_PARSED;
    case CLI_KIND_CHOICE:
        if (!is_choice(option->choices, value)) {
            fprintf(stderr, "linnet %s: --%s is one of %s, not \"%s\"\n", command->name,
                    option->name, option->choices, value);
            return CLI_USAGE;
        }
        *(const char **)field = value;
        return CLI_PARSED;
    case CLI_KIND_TEXT:
        *(const char **)field = value;
        return CLI_PARSED;
    case CLI_KIND_INTEGER:
        return store_integer(command, option, value, field);
    case CLI_KIND_LIST:
        if (list->count == CLI_TEXTS_MAX) {
            fprintf(stderr, "linnet %s: --%s was given more than %d times\n", command->name,
                    option->name, CLI_TEXTS_MAX);
            return CLI_USAGE;
        }
        list->items[list->count++] = value;
        return CLI_PARSED;
    case CLI_KIND_END:
        break;
    }
    return CLI_USAGE;
}

/* "-o VALUE": as if the whole name stood there. */
static enum cli_result take_letter(const struct cli_command *command, int argc, char **argv,
                                   int *at, void *arguments)
{
    const char *word = argv[*at];
    const struct cli_option *option = command->options;

    while (option && option->kind != CLI_KIND_END && option->letter != word[1])
        option++;
    if (!option || option->kind == CLI_KIND_END || word[2] != '\0')
        return unknown(command, word);
    if (*at + 1 >= argc) {
        fprintf(stderr, "linnet %s: %s takes a value (%s)\n", command->name, word, option->value);
        return CLI_USAGE;
    }
    return store(command, option, argv[++*at], arguments);
}

/* Takes the option at argv[*at], and its value if that is the next word. */
static enum cli_result take_option(const struct cli_command *command, int argc, char **argv,
                                   int *at, void *arguments)
{
    const char *word = argv[*at] + 2, *value = strchr(word, '=');
    size_t len = value ? (size_t)(value - word) : strlen(word);
    const struct cli_option *option = find(command, word, len);

    if (!option)
        return unknown(command, argv[*at]);
    if (value)
        value++;
    if (option->kind == CLI_KIND_FLAG && value) {
        fprintf(stderr, "linnet %s: --%s takes no value\n", command->name, option->name);
        return CLI_USAGE;
    }
    if (option->kind != CLI_KIND_FLAG && !value) {
        /* "--offer --answer" is a forgotten value; a lone "-" and numbers may begin with a dash */
        if (*at + 1 >= argc || strncmp(argv[*at + 1], "--", 2) == 0) {
            fprintf(stderr, "linnet %s: --%s takes a value (%s)\n", command->name, option->name,
                    option->value ? option->value : option->choices);
            return CLI_USAGE;
        }
        value = argv[++*at];
    }
    return store(command, option, value, arguments);
}

static enum cli_result take_positional(const struct cli_command *command, char *word,
                                       struct cli_words *positional)
{
    if (positional->count == command->arguments_max) {
        fprintf(stderr, "linnet %s: \"%s\" is one argument too many; see linnet help %s\n",
                command->name, word, command->name);
        return CLI_USAGE;
    }
    positional->items[positional->count++] = word;
    return CLI_PARSED;
}

enum cli_result cli_parse(const struct cli_command *command, int argc, char **argv, void *arguments,
                          struct cli_words *positional)
{
    struct cli_words own;
    enum cli_result result = CLI_PARSED;
    bool options_end = false;

    if (!positional)
        positional = &own;
    *positional = (struct cli_words){ argv + 1, 0 };
    for (int at = 1; at < argc && result == CLI_PARSED; at++) {
        char *word = argv[at];

        if (options_end || word[0] != '-' || word[1] == '\0') {
            result = take_positional(command, word, positional);
        } else if (strcmp(word, "--") == 0) {
            options_end = true;
        } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            cli_write_help(command, stdout);
            return CLI_HELP;
        } else if (word[1] != '-') {
            result = take_letter(command, argc, argv, &at, arguments);
        } else {
            result = take_option(command, argc, argv, &at, arguments);
        }
    }
    if (result == CLI_PARSED && positional->count < command->arguments_min) {
        fprintf(stderr, "linnet %s: an argument is missing: linnet %s %s\n", command->name,
                command->name, command->synopsis);
        return CLI_USAGE;
    }
    return result;
}

void cli_write_help(const struct cli_command *command, FILE *out)
{
    fprintf(out, "linnet %s %s\n\n%s\n", command->name, command->synopsis, command->summary);
    if (command->options && command->options->kind != CLI_KIND_END)
        fprintf(out, "\nOptions\n");
    for (const struct cli_option *o = command->options; o && o->kind != CLI_KIND_END; o++) {
        const char *value = o->kind == CLI_KIND_CHOICE ? "" : o->value ? o->value : "";
        char left[128];

        snprintf(left, sizeof left, "--%s%s%.1s%s%s", o->name, o->letter ? ", -" : "",
                 o->letter ? &o->letter : "", *value ? " " : "", value);
        fprintf(out, "  %-26s %s%s", left,
                strlen(left) > 26 ? "\n                             " : "", o->help);
        if (o->kind == CLI_KIND_CHOICE)
            fprintf(out, " (one of: %s)", o->choices);
        fprintf(out, "\n");
    }
    if (command->details)
        fprintf(out, "\n%s\n", command->details);
}
