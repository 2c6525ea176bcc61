/* SPDX-License-Identifier: Apache-2.0
 * The configuration file: the sample in docs/ is all defaults, and mistakes are named with their
 * line. */
#include "cli/config.h"
#include "tests/support/test.h"

#include <stdlib.h>
#include <unistd.h>

static struct serve_config c;
static char errors[1024];

/* Reads a file of this text; what it says goes to `errors`, without the file's name. */
static int read_text(const char *text)
{
    char path[] = "/tmp/linnet-config-XXXXXX", *said;
    size_t said_len;
    FILE *file, *out;
    int fd = mkstemp(path), result;

    CHECK(fd >= 0);
    file = fdopen(fd, "w");
    fputs(text, file);
    fclose(file);
    out = open_memstream(&said, &said_len);
    serve_config_init(&c);
    result = serve_config_read(&c, path, out);
    fclose(out);
    snprintf(errors, sizeof errors, "%s",
             strncmp(said, path, strlen(path)) == 0 ? said + strlen(path) : said);
    free(said);
    unlink(path);
    return result;
}

LN_TEST(config, the_sample_in_docs_is_all_defaults)
{
    struct serve_config defaults;
    size_t len;
    char *text = (char *)test_file("docs/linnet.yaml", &len);
    char copy[16384];

    CHECK(len < sizeof copy);
    memcpy(copy, text, len);
    copy[len] = '\0';
    CHECK(read_text(copy) == 0);
    CHECK_TEXT(c.listen, "0.0.0.0:8080");
    serve_config_init(&defaults);
    defaults.listen = c.listen;
    defaults.texts = c.texts;
    defaults.turn.present = c.turn.present;
    CHECK_TEXT(c.turn.realm, defaults.turn.realm);
    defaults.turn.realm = c.turn.realm;
    CHECK_BYTES(&defaults, &c, sizeof c);
    serve_config_free(&c);
}

LN_TEST(config, values_of_all_kinds_are_read)
{
    struct ln_signal_service_config service;

    CHECK(
        read_text("listen: \"[::1]:1\"\nstun:\n  listen: none\nsignal:\n  rooms: 7\n"
                  "  grace_seconds: 5\n  token: t\n  room_tokens:\n    - room: a\n      token: b\n"
                  "    - { room: c, token: \"d e\" }\n  origins: [https://x, \"*\"]\n"
                  "  ice_servers:\n    - { url: \"turn:t\", username: u, credential: p }\n"
                  "http: { metrics: false, head_bytes: 4096 }\n") == 0);
    CHECK_TEXT(c.listen, "[::1]:1");
    CHECK_TEXT(c.stun_listen, "none");
    CHECK(c.room_token_count == 2 && c.origin_count == 2 && c.ice_server_count == 1);
    CHECK_TEXT(c.room_tokens[1].token, "d e");
    CHECK_TEXT(c.ice_servers[0].credential, "p");
    ln_signal_service_config_init(&service);
    serve_config_apply(&c, &service);
    CHECK(service.signal.rooms == 7 && service.signal.grace_time == LN_SECONDS(5));
    CHECK(!service.metrics && service.http.head_bytes == 4096);
    serve_config_free(&c);
    CHECK(read_text("") == 0 && read_text("# nothing\n") == 0 && read_text("signal:\n") == 0);
}

LN_TEST(config, a_mistake_is_named_with_its_line)
{
    static const struct {
        const char *text, *sentence;
    } cases[] = {
        { "lisen: x\n", ":1: there is no key lisen; did you mean listen?\n" },
        { "signal:\n  roms: 3\n", ":2: there is no key signal.roms; did you mean signal.rooms?\n" },
        { "zzzzzzzz: 1\n", ":1: there is no key zzzzzzzz; docs/linnet.yaml has all of them\n" },
        { "signal:\n  rooms: many\n",
          ":2: signal.rooms must be a number from 1 to 100000, not \"many\"\n" },
        { "signal:\n\n  rooms: 0\n",
          ":3: signal.rooms must be a number from 1 to 100000, not \"0\"\n" },
        { "http:\n  metrics: maybe\n", ":2: http.metrics must be true or false\n" },
        { "signal: 3\n", ":1: signal. must hold keys and values\n" },
        { "- a\n", ":1: the file must hold keys and values\n" },
        { "listen: [a]\n", ":1: listen must be a text\n" },
        { "signal:\n  origins: x\n", ":2: signal.origins must be a list\n" },
        { "signal:\n  room_tokens:\n    - { room: a }\n",
          ":3: each of room_tokens has a room and a token\n" },
        { "signal:\n  ice_servers:\n    - { url: \"http://x\" }\n",
          ":3: each of ice_servers has a url that begins with stun: or turn:\n" },
        { "signal:\n  ice_servers:\n    - { uri: \"stun:x\" }\n",
          ":3: there is no such key in ice_servers\n" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(read_text(cases[i].text) == -1);
        CHECK_TEXT(errors, cases[i].sentence);
        serve_config_free(&c);
    }
    CHECK(read_text("a: [1") == -1 && strstr(errors, "not YAML"));
    serve_config_init(&c);
    CHECK(serve_config_read(&c, "/nonexistent", stderr) == -1);
}
