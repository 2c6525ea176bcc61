/* SPDX-License-Identifier: Apache-2.0
 * Where what is received goes: below its folder, whatever stands there already. */
#include "cli/source.h"
#include "cli/target.h"
#include "cli/url.h"

#include "tests/support/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char place[64];

/* A folder of its own for each test, and the working directory. */
static void enter(void)
{
    snprintf(place, sizeof place, "/tmp/linnet-target-XXXXXX");
    CHECK(mkdtemp(place) != NULL && chdir(place) == 0);
    CHECK(mkdir("in", 0755) == 0 && mkdir("outside", 0755) == 0);
}

static void leave(void)
{
    char command[128];

    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -rf %s", place);
    CHECK(system(command) == 0);
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static bool holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");

    if (!file)
        return false;
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    return strcmp(found, text) == 0;
}

static void add(struct ln_manifest *m, const char *name, bool folder)
{
    struct ln_transfer_entry entry = { folder ? LN_KIND_FOLDER : LN_KIND_FILE,
                                       folder ? 0755 : 0640,
                                       INT64_C(1500000000250),
                                       folder ? 0 : 5,
                                       { (const uint8_t *)name, strlen(name) } };
    const char *problem;

    CHECK_EQUAL(ln_manifest_add(m, &entry, &problem), 0);
}

struct fixture {
    struct ln_manifest manifest;
    struct target target;
};

static void open_target(struct fixture *f, bool force, const char *const *names)
{
    ln_manifest_init(&f->manifest, test_env());
    for (; *names; names++)
        add(&f->manifest, *names, false);
    CHECK_EQUAL(target_open(&f->target, "in", force), 0);
    target_set_manifest(&f->target, &f->manifest);
}

static void close_target(struct fixture *f)
{
    target_close(&f->target);
    ln_manifest_deinit(&f->manifest);
    leave();
}

static int receive(struct fixture *f, uint32_t file)
{
    uint64_t bytes;

    if (target_look(&f->target, file, &bytes) == LN_FOUND_REFUSED)
        return -1;
    if (target_write(&f->target, file, 0, (const uint8_t *)"hello", 5) != 0)
        return -1;
    return target_finish(&f->target, file, 5);
}

LN_TEST(target, a_file_gets_its_name_mode_and_time_when_it_is_whole)
{
    struct fixture f;
    struct stat status;
    uint64_t bytes;

    enter();
    open_target(&f, false, (const char *const[]){ "a/b/c.txt", NULL });
    CHECK_EQUAL(target_look(&f.target, 0, &bytes), LN_FOUND_NOTHING);
    CHECK_EQUAL(target_write(&f.target, 0, 0, (const uint8_t *)"hello", 5), 0);
    CHECK(stat("in/a/b/c.txt", &status) != 0);
    CHECK(stat("in/a/b/c.txt.linnet.part", &status) == 0 && (status.st_mode & 0777) == 0600);
    CHECK_EQUAL(target_finish(&f.target, 0, 5), 0);
    CHECK(holds("in/a/b/c.txt", "hello"));
    CHECK(stat("in/a/b/c.txt.linnet.part", &status) != 0);
    CHECK(stat("in/a/b/c.txt", &status) == 0 && (status.st_mode & 0777) == 0640);
    CHECK_EQUAL(status.st_mtim.tv_sec, 1500000000);
    CHECK_EQUAL(status.st_mtim.tv_nsec, 250000000);
    close_target(&f);
}

LN_TEST(target, an_unfinished_file_is_found_and_gone_on_with)
{
    struct fixture f;
    uint64_t bytes;
    uint8_t data[8];

    enter();
    put("in/x.linnet.part", "hel");
    open_target(&f, false, (const char *const[]){ "x", NULL });
    CHECK_EQUAL(target_look(&f.target, 0, &bytes), LN_FOUND_PART);
    CHECK_EQUAL(bytes, 3);
    CHECK_EQUAL(target_read(&f.target, 0, 0, data, sizeof data), 3);
    CHECK_EQUAL(target_write(&f.target, 0, 3, (const uint8_t *)"lo", 2), 0);
    CHECK_EQUAL(target_finish(&f.target, 0, 5), 0);
    CHECK(holds("in/x", "hello"));
    close_target(&f);
}

LN_TEST(target, links_lead_nowhere)
{
    struct fixture f;

    enter();
    put("outside/victim", "mine");
    CHECK(symlink("../outside", "in/folder") == 0);
    CHECK(symlink("../outside/victim", "in/file") == 0);
    CHECK(symlink("../outside/victim", "in/third.linnet.part") == 0);
    CHECK(symlink("../outside/new", "in/fourth") == 0); /* to nothing yet */
    for (int force = 0; force < 2; force++) {
        if (force)
            CHECK(chdir(place) == 0);
        open_target(&f, force,
                    (const char *const[]){ "folder/victim", "file", "third", "fourth", NULL });
        CHECK_EQUAL(receive(&f, 0), -1);
        CHECK_EQUAL(receive(&f, 2), -1);
        if (!force) {
            CHECK_EQUAL(receive(&f, 1), -1);
            CHECK_EQUAL(receive(&f, 3), -1);
        } else { /* the links themselves are replaced */
            CHECK_EQUAL(receive(&f, 1), 0);
            CHECK_EQUAL(receive(&f, 3), 0);
        }
        CHECK(holds("outside/victim", "mine"));
        CHECK(access("outside/new", F_OK) != 0);
        target_close(&f.target);
        ln_manifest_deinit(&f.manifest);
    }
    CHECK(holds("in/file", "hello"));
    leave();
}

LN_TEST(target, an_unfinished_file_with_a_second_name_is_not_written)
{
    struct fixture f;

    enter();
    put("outside/victim", "mine");
    CHECK(link("outside/victim", "in/x.linnet.part") == 0);
    open_target(&f, true, (const char *const[]){ "x", NULL });
    CHECK_EQUAL(receive(&f, 0), -1);
    CHECK(holds("outside/victim", "mine"));
    close_target(&f);
}

LN_TEST(target, folders_pipes_and_files_in_the_way_are_refused)
{
    struct fixture f;
    uint64_t bytes;

    enter();
    CHECK(mkdir("in/folder", 0755) == 0 && mkfifo("in/pipe", 0600) == 0 &&
          mkfifo("in/part.linnet.part", 0600) == 0);
    put("in/file", "text");
    open_target(&f, true, (const char *const[]){ "folder", "pipe", "part", "file/below", NULL });
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQUAL(target_look(&f.target, i, &bytes), LN_FOUND_REFUSED);
        CHECK(f.target.sentence[0] != '\0');
    }
    CHECK(holds("in/file", "text"));
    close_target(&f);
}

LN_TEST(target, what_appears_meanwhile_is_not_overwritten_without_force)
{
    struct fixture f;
    uint64_t bytes;

    enter();
    open_target(&f, false, (const char *const[]){ "x", NULL });
    CHECK_EQUAL(target_look(&f.target, 0, &bytes), LN_FOUND_NOTHING);
    CHECK_EQUAL(target_write(&f.target, 0, 0, (const uint8_t *)"hello", 5), 0);
    put("in/x", "other");
    CHECK_EQUAL(target_finish(&f.target, 0, 5), -1);
    CHECK(holds("in/x", "other"));
    CHECK(holds("in/x.linnet.part", "hello"));
    close_target(&f);
}

LN_TEST(target, two_programs_do_not_write_one_file)
{
    struct fixture a, b;
    uint64_t bytes;

    enter();
    open_target(&a, false, (const char *const[]){ "x", NULL });
    open_target(&b, false, (const char *const[]){ "x", NULL });
    CHECK_EQUAL(target_look(&a.target, 0, &bytes), LN_FOUND_NOTHING);
    CHECK_EQUAL(target_write(&a.target, 0, 0, (const uint8_t *)"hello", 5), 0);
    CHECK_EQUAL(target_write(&b.target, 0, 0, (const uint8_t *)"HELLO", 5), -1);
    CHECK(strstr(b.target.sentence, "another program") != NULL);
    CHECK_EQUAL(target_finish(&a.target, 0, 5), 0);
    CHECK(holds("in/x", "hello"));
    target_close(&b.target);
    ln_manifest_deinit(&b.manifest);
    close_target(&a);
}

/* --- the other end */

LN_TEST(source, a_folder_is_walked_in_order_without_links_and_devices)
{
    static const char *const expected[] = { "in", "in/a", "in/b", "in/b/c", "in/d" };
    struct source source;
    struct source_reader reader;
    uint8_t data[8];
    FILE *null = fopen("/dev/null", "w");

    CHECK(null != NULL);
    enter();
    CHECK(mkdir("in/b", 0755) == 0 && symlink("a", "in/link") == 0 && mkfifo("in/pipe", 0600) == 0);
    put("in/a", "first");
    put("in/b/c", "second");
    put("in/d", "");
    source_init(&source, test_env());
    CHECK_EQUAL(source_add(&source, "in/", "stdin", null), 0);
    CHECK_EQUAL(source_add(&source, "-", "stdin", null), 0);
    CHECK_EQUAL(source_add(&source, "-", "stdin", null), -1);
    CHECK_EQUAL(source_add(&source, "nothing", "stdin", null), -1);
    CHECK_EQUAL(source_add(&source, "/dev/null", "stdin", null), -1);
    CHECK_EQUAL(source.manifest.count, 6);
    CHECK_EQUAL(source.standard_input, 5);
    CHECK_EQUAL(source.left_out, 0);
    for (size_t i = 0; i < 5; i++)
        CHECK_TEXT((const char *)source.manifest.entries[i].name.data, expected[i]);
    source_reader_init(&reader, &source);
    CHECK_EQUAL(source_read(&reader, 3, 2, data, sizeof data), 4);
    CHECK_BYTES(data, "cond", 4);
    CHECK_EQUAL(source_read(&reader, 1, 0, data, 3), 3);
    CHECK(unlink("in/d") == 0 && symlink("/dev/zero", "in/d") == 0);
    CHECK_EQUAL(source_read(&reader, 4, 0, data, 3), -1); /* no file any more */
    source_reader_deinit(&reader);
    source_deinit(&source);
    fclose(null);
    leave();
}

LN_TEST(url, page_and_socket_are_found_from_each_other)
{
    static const struct {
        const char *given, *socket, *page;
    } cases[] = {
        { "http://host:8080", "ws://host:8080/ws", "http://host:8080/receive" },
        { "http://host:8080/", "ws://host:8080/ws", "http://host:8080/receive" },
        { "https://host/#room", "wss://host/ws", "https://host/receive" },
        { "host", "ws://host/ws", "http://host/receive" },
        { "wss://[::1]:1/way", "wss://[::1]:1/way", "https://[::1]:1/receive" },
    };
    char socket[CLI_URL_MAX], page[CLI_URL_MAX], longest[CLI_URL_MAX + 1];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQUAL(cli_socket_url(cases[i].given, socket), 0);
        CHECK_TEXT(socket, cases[i].socket);
        CHECK_EQUAL(cli_page_url(socket, "/receive", page), 0);
        CHECK_TEXT(page, cases[i].page);
    }
    CHECK(cli_url_is_loopback("ws://127.0.0.1:8080/ws") && cli_url_is_loopback("wss://[::1]/ws") &&
          cli_url_is_loopback("ws://localhost/ws") && !cli_url_is_loopback("ws://192.168.1.27/ws"));
    memset(longest, 'x', CLI_URL_MAX);
    longest[CLI_URL_MAX] = '\0';
    CHECK_EQUAL(cli_socket_url(longest, socket), LN_ERR_SYNTAX);
}
