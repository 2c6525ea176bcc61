/* SPDX-License-Identifier: Apache-2.0
 * What the progress line says. */
#include "cli/progress.h"

#include "tests/support/test.h"

LN_TEST(progress, bytes_have_two_or_three_digits)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = { { 0, "0 bytes" },         { 1, "1 byte" },
                  { 999, "999 bytes" },     { 1000, "1.0 kB" },
                  { 9949, "9.9 kB" },       { 9960, "10 kB" },
                  { 999499, "999 kB" },     { 999500, "1.0 MB" },
                  { 4294967296, "4.3 GB" }, { UINT64_MAX - 1, "18447 PB" } };
    char text[16];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_TEXT(progress_bytes(cases[i].bytes, text), cases[i].text);
}

static const char *line(uint64_t before, uint64_t done, uint64_t total, size_t width,
                        char text[PROGRESS_TEXT])
{
    struct progress_state state = { "film.mp4", before, total, "host" };
    struct progress p;
    FILE *null = fopen("/dev/null", "w");

    CHECK(null != NULL);
    progress_init(&p, null, false);
    progress_show(&p, LN_SECONDS(100), &state);
    state.done = done;
    progress_line(&p, LN_SECONDS(102), &state, width, text);
    fclose(null);
    return text;
}

LN_TEST(progress, tells_bar_rate_time_left_and_path)
{
    char text[PROGRESS_TEXT];

    CHECK_TEXT(
        line(0, 200000000, 1000000000, PROGRESS_TEXT, text),
        "film.mp4  [####................]  20 %  200 MB of 1.0 GB  100 MB/s  0:08 left  host");
    CHECK_TEXT(line(0, 0, 1000000000, PROGRESS_TEXT, text),
               "film.mp4  [....................]   0 %  0 bytes of 1.0 GB  host");
    CHECK_TEXT(line(0, 2000, 2000000000, PROGRESS_TEXT, text),
               "film.mp4  [....................]   0 %  2.0 kB of 2.0 GB  1.0 kB/s  host");
    CHECK_TEXT(line(0, 2000000, UINT64_MAX, PROGRESS_TEXT, text),
               "film.mp4  2.0 MB  1.0 MB/s  host"); /* standard input */
    CHECK_TEXT(line(0, 0, 0, 20, text), "film.mp4  [#########");
}

LN_TEST(progress, a_long_name_loses_its_beginning)
{
    struct progress_state state = { "a/very/long/path/to/größe größe größe.tar.gz", 0, 10, "" };
    struct progress p;
    char text[PROGRESS_TEXT];

    progress_init(&p, stderr, false);
    progress_line(&p, 0, &state, PROGRESS_TEXT, text);
    CHECK(strncmp(text, "..", 2) == 0 && strstr(text, "größe.tar.gz  [") != NULL);
}

LN_TEST(progress, what_others_say_does_nothing_to_the_terminal)
{
    char text[200] = "";
    struct progress p;
    FILE *file = tmpfile();

    CHECK(file != NULL);
    progress_init(&p, file, false);
    progress_say(&p, "probe", "the server said: %s",
                 "red \x1b[31m,\n\xc2\x9b"
                 "2J größe \x7f.");
    rewind(file);
    CHECK(fgets(text, sizeof text, file) != NULL);
    CHECK_TEXT(text, "probe: the server said: red [31m,2J größe .\n");
    CHECK(fgets(text, sizeof text, file) == NULL);
    fclose(file);
}
