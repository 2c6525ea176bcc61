/* SPDX-License-Identifier: Apache-2.0
 * Both ends together: all arrives, what was there is used, what is wrong ends it. */
#include "tests/unit/transfer/ends.h"

#include "tests/support/test.h"

#include <stdio.h>
#include <stdlib.h>

#define WINDOW (UINT64_C(1) << 20)

static void fill(struct store *store)
{
    store_add(store, "empty", 0, 1);
    store_add(store, "one", 1, 2);
    store_add(store, "chunk", LN_TRANSFER_CHUNK, 3);
    store_add(store, "chunk and one", LN_TRANSFER_CHUNK + 1, 4);
    store_add(store, "folder/many", 9 * LN_TRANSFER_CHUNK + 77, 5);
    store_add(store, "folder/two", 2 * LN_TRANSFER_CHUNK, 6);
}

LN_TEST(transfer, files_of_every_size_arrive)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };

    fill(&from);
    ends_list(&manifest, &from);
    ends_run(&e, WINDOW);
    CHECK(e.sender_done && e.receiver_done && !e.sender_cancelled && !e.receiver_cancelled);
    CHECK(store_same(&from, &to));
    CHECK_EQUAL(e.written, manifest.bytes);
    CHECK_EQUAL(e.kept, 0);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, nothing_is_sent_above_the_window)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest, .queue_max = 1000 };

    store_add(&from, "big", 60 * LN_TRANSFER_CHUNK, 1);
    ends_list(&manifest, &from);
    ends_run(&e, LN_TRANSFER_WINDOW_MIN);
    CHECK(e.receiver_done && store_same(&from, &to));
    CHECK(e.most_under_way <= LN_TRANSFER_WINDOW_MIN + 1000);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

/* A channel after another, each of which breaks, until all is there. */
LN_TEST(transfer, goes_on_where_it_broke_however_often)
{
    for (size_t life = 40; life < 100; life += 7) {
        struct store from = { .count = 0 }, to = { .count = 0 };
        struct ln_manifest manifest;
        struct ends e = { .from = &from, .to = &to, .manifest = &manifest, .queue_max = 4 };
        int tries = 0;

        fill(&from);
        ends_list(&manifest, &from);
        do {
            e.messages_left = life;
            ends_run(&e, WINDOW);
        } while (!e.receiver_done && ++tries < 100);
        CHECK(e.receiver_done);
        CHECK(store_same(&from, &to));
        /* of each break at most a chunk that was not full came in vain */
        CHECK(e.written <= manifest.bytes + (uint64_t)tries * LN_TRANSFER_CHUNK);
        ln_manifest_deinit(&manifest);
        store_free(&from);
        store_free(&to);
    }
}

LN_TEST(transfer, a_part_of_another_file_is_not_used)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };
    struct stored *part;

    store_add(&from, "a", 5 * LN_TRANSFER_CHUNK, 1);
    store_add(&from, "b", 5 * LN_TRANSFER_CHUNK, 2);
    store_add(&from, "c", 100, 3);
    store_put(&to, "a", store_find(&from, "a", false)->data, 4 * LN_TRANSFER_CHUNK + 9, true);
    store_put(&to, "b", store_find(&from, "b", false)->data, 4 * LN_TRANSFER_CHUNK, true);
    store_put(&to, "c", store_find(&from, "b", false)->data, 3 * LN_TRANSFER_CHUNK, true);
    part = store_find(&to, "b", true);
    part->data[7] ^= 1;
    ends_list(&manifest, &from);
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && store_same(&from, &to));
    CHECK_EQUAL(e.kept, 4 * LN_TRANSFER_CHUNK);
    CHECK_EQUAL(e.written, 6 * LN_TRANSFER_CHUNK + 100);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

static void check_whole(bool force, size_t written)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest, .force = force };

    fill(&from);
    fill(&to);
    store_add(&to, "one", 2, 9);
    store_find(&to, "folder/many", false)->data[9 * LN_TRANSFER_CHUNK + 76] ^= 1;
    ends_list(&manifest, &from);
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && e.sender_done);
    CHECK_EQUAL(e.differs, 2);
    CHECK_EQUAL(e.same, 4);
    CHECK_EQUAL(e.written, written);
    CHECK_EQUAL(store_same(&from, &to), force);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, what_is_there_whole_is_compared_and_replaced_only_if_asked)
{
    check_whole(false, 0);
    check_whole(true, 1 + 9 * LN_TRANSFER_CHUNK + 77);
}

LN_TEST(transfer, many_small_files_are_asked_for_ahead)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest, .force = true };
    char name[32];

    for (uint32_t i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "file %u", i);
        store_add(&from, name, i, i);
        if (i % 3 == 0)
            store_add(&to, name, i, i + 1); /* another content of the same length */
    }
    ends_list(&manifest, &from);
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && store_same(&from, &to));
    CHECK_EQUAL(e.differs, 19); /* an empty file is an empty file */
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, a_file_that_cannot_be_read_is_told_and_the_others_come)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };

    fill(&from);
    store_find(&from, "chunk", false)->unreadable = true;
    ends_list(&manifest, &from);
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && e.sender_done);
    CHECK_EQUAL(e.missing, 1);
    CHECK(store_find(&to, "folder/two", false) != NULL);
    CHECK(store_find(&to, "chunk", false) == NULL);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, a_file_that_shrinks_or_grows_after_it_was_listed_is_sent_as_far_as_listed)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };

    store_add(&from, "log", 3 * LN_TRANSFER_CHUNK, 1);
    store_add(&from, "cut", 3 * LN_TRANSFER_CHUNK, 2);
    ends_list(&manifest, &from);
    store_add(&from, "log", 5 * LN_TRANSFER_CHUNK, 1);
    store_add(&from, "cut", LN_TRANSFER_CHUNK + 5, 2);
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done);
    CHECK_EQUAL(store_find(&to, "log", false)->len, 3 * LN_TRANSFER_CHUNK);
    CHECK_EQUAL(store_find(&to, "cut", false)->len, LN_TRANSFER_CHUNK + 5);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, a_stream_of_unknown_length_arrives)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };

    store_add(&from, "stdin", 4 * LN_TRANSFER_CHUNK + 1, 1);
    ends_list(&manifest, &from);
    manifest.entries[0].size = LN_TRANSFER_SIZE_UNKNOWN;
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && store_same(&from, &to));
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

LN_TEST(transfer, a_stream_is_neither_compared_nor_gone_on_with)
{
    struct store from = { .count = 0 }, to = { .count = 0 };
    struct ln_manifest manifest;
    struct ends e = { .from = &from, .to = &to, .manifest = &manifest };

    store_add(&from, "stdin", 2 * LN_TRANSFER_CHUNK, 1);
    store_put(&to, "stdin", store_find(&from, "stdin", false)->data, LN_TRANSFER_CHUNK, true);
    ends_list(&manifest, &from);
    manifest.entries[0].size = LN_TRANSFER_SIZE_UNKNOWN;
    ends_run(&e, WINDOW);
    CHECK(e.receiver_done && store_same(&from, &to));
    CHECK_EQUAL(e.written, 2 * LN_TRANSFER_CHUNK);
    e.receiver_done = false;
    ends_run(&e, WINDOW); /* now it is there whole */
    CHECK(e.receiver_done);
    CHECK_EQUAL(e.differs, 1);
    CHECK_EQUAL(e.written, 2 * LN_TRANSFER_CHUNK);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    store_free(&to);
}

/* --- one end, and a hostile other one */

struct alone {
    struct ln_receiver *receiver;
    struct ln_sender *sender;
    struct ln_manifest manifest;
};

static size_t message(const struct ln_transfer_message *m, uint8_t *out)
{
    int len = ln_transfer_write(m, out, 1000);

    CHECK(len > 0);
    return (size_t)len;
}

/* Tells a receiver one entry; gives what it says then. */
static void offer(struct ln_receiver *r, const char *name, size_t name_len, char sentence[256],
                  enum ln_transfer_reason *ret_reason)
{
    struct ln_transfer_entry entry = {
        LN_KIND_FILE, 0644, 0, 1, { (const uint8_t *)name, name_len }
    };
    struct ln_receiver_action a;
    uint8_t out[5000] = { LN_TRANSFER_ENTRIES };
    bool told = false;
    size_t len = message(&(struct ln_transfer_message){ .type = LN_TRANSFER_MANIFEST, .count = 1 },
                         out);

    ln_receiver_receive(r, out, len);
    CHECK_EQUAL(ln_receiver_poll(r, &a), 0);
    out[0] = LN_TRANSFER_ENTRIES;
    len = 1 + (size_t)ln_transfer_write_entry(&entry, out + 1, sizeof out - 1);
    ln_receiver_receive(r, out, len);
    sentence[0] = '\0';
    while (ln_receiver_poll(r, &a)) {
        struct ln_transfer_message m;

        if (a.kind == LN_RECEIVER_SEND) {
            CHECK_EQUAL(ln_transfer_read(a.message.data, a.message.len, &m), 0);
            CHECK_EQUAL(m.type, LN_TRANSFER_CANCEL); /* the other side is told */
            told = true;
        } else if (a.kind == LN_RECEIVER_CANCELLED) {
            CHECK(told);
            snprintf(sentence, 256, "%s", a.sentence);
            *ret_reason = a.reason;
        } else {
            CHECK_EQUAL(a.kind, LN_RECEIVER_MANIFEST);
            return;
        }
    }
}

LN_TEST(transfer, a_hostile_name_ends_it_with_a_sentence_at_both_ends)
{
    static const struct {
        const char *name, *sentence;
    } cases[] = {
        { "../../etc/cron.d/x", "the name \"../../etc/cron.d/x\" has a part that is . or .." },
        { "/etc/passwd", "the name \"/etc/passwd\" is absolute" },
        { "a\x1b[31m", "the name \"a?[31m\" has a control character" },
        { "COM1", "the name \"COM1\" is the name of a device" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum ln_transfer_reason reason = LN_REASON_ASKED;
        struct ln_receiver *r;
        char sentence[256];

        CHECK_EQUAL(ln_receiver_create(&r, WINDOW, test_env()), 0);
        offer(r, cases[i].name, strlen(cases[i].name), sentence, &reason);
        CHECK_TEXT(sentence, cases[i].sentence);
        CHECK_EQUAL(reason, LN_REASON_NAMES);
        ln_receiver_free(r);
    }
}

/* A receiver that has accepted one file "f" of 200000 bytes and asked for it. */
static struct ln_receiver *asking(void)
{
    struct ln_receiver *r;
    struct ln_receiver_action a;
    struct ln_transfer_entry entry = { LN_KIND_FILE, 0644, 0, 200000, { (const uint8_t *)"f", 1 } };
    uint8_t out[1000];
    size_t len = message(&(struct ln_transfer_message){ .type = LN_TRANSFER_MANIFEST, .count = 1 },
                         out);

    CHECK_EQUAL(ln_receiver_create(&r, WINDOW, test_env()), 0);
    ln_receiver_receive(r, out, len);
    out[0] = LN_TRANSFER_ENTRIES;
    len = 1 + (size_t)ln_transfer_write_entry(&entry, out + 1, sizeof out - 1);
    ln_receiver_receive(r, out, len);
    while (ln_receiver_poll(r, &a)) {
        if (a.kind == LN_RECEIVER_MANIFEST)
            ln_receiver_accept(r);
        else if (a.kind == LN_RECEIVER_LOOK)
            ln_receiver_found(r, LN_FOUND_NOTHING, 0);
    }
    return r;
}

/* Whether the receiver ends with CANCEL for this reason; nothing else may be done. */
static bool refuses(struct ln_receiver *r, const uint8_t *data, size_t len)
{
    struct ln_receiver_action a;
    bool refused = false;

    ln_receiver_receive(r, data, len);
    while (ln_receiver_poll(r, &a)) {
        if (a.kind == LN_RECEIVER_CANCELLED)
            refused = a.reason == LN_REASON_PROTOCOL;
        else
            CHECK_EQUAL(a.kind, LN_RECEIVER_SEND);
    }
    return refused;
}

LN_TEST(transfer, a_damaged_chunk_is_never_written)
{
    static uint8_t out[LN_TRANSFER_MESSAGE_MAX];
    uint8_t digest[LN_SHA256_LEN] = { 0 };
    struct ln_receiver *r = asking();
    size_t len = message(&(struct ln_transfer_message){ .type = LN_TRANSFER_FILE }, out);
    struct ln_receiver_action a;

    ln_receiver_receive(r, out, len);
    CHECK_EQUAL(ln_receiver_poll(r, &a), 0);
    memset(out, 'x', sizeof out);
    ln_transfer_chain(digest, out + LN_TRANSFER_CHUNK_HEAD, LN_TRANSFER_CHUNK);
    ln_transfer_write_chunk_head(0, 0, digest, out);
    out[LN_TRANSFER_CHUNK_HEAD + 5] = 'y';
    CHECK(refuses(r, out, sizeof out));
    ln_receiver_free(r);
}

LN_TEST(transfer, more_than_was_listed_is_not_written)
{
    static uint8_t out[LN_TRANSFER_MESSAGE_MAX];
    uint8_t digest[LN_SHA256_LEN] = { 0 };
    struct ln_receiver *r = asking();
    size_t len = message(&(struct ln_transfer_message){ .type = LN_TRANSFER_FILE }, out);
    struct ln_receiver_action a;

    ln_receiver_receive(r, out, len);
    for (uint64_t chunk = 0; chunk < 4; chunk++) {
        memset(out, 'x', sizeof out);
        ln_transfer_chain(digest, out + LN_TRANSFER_CHUNK_HEAD, LN_TRANSFER_CHUNK);
        ln_transfer_write_chunk_head(0, chunk, digest, out);
        if (chunk == 3)
            break;
        ln_receiver_receive(r, out, sizeof out);
        CHECK_EQUAL(ln_receiver_poll(r, &a), 1);
        CHECK_EQUAL(a.kind, LN_RECEIVER_WRITE);
        CHECK_EQUAL(a.offset, chunk * LN_TRANSFER_CHUNK);
        ln_receiver_written(r);
        while (ln_receiver_poll(r, &a))
            CHECK_EQUAL(a.kind, LN_RECEIVER_SEND);
    }
    CHECK(refuses(r, out, sizeof out)); /* 4 * 65536 > 200000 */
    ln_receiver_free(r);
}

LN_TEST(transfer, answers_to_no_question_end_it)
{
    const struct ln_transfer_message wrong[] = {
        { .type = LN_TRANSFER_FILE, .file = 1 },
        { .type = LN_TRANSFER_FILE, .chunk = 5 },
        { .type = LN_TRANSFER_FILE, .chunk = LN_TRANSFER_DIFFERS },
        { .type = LN_TRANSFER_END, .digest = (const uint8_t[LN_SHA256_LEN]){ 0 } },
        { .type = LN_TRANSFER_MANIFEST, .count = 1 },
        { .type = LN_TRANSFER_READY, .bytes = 1 << 20 },
        { .type = LN_TRANSFER_DONE },
    };
    uint8_t out[1000];

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct ln_receiver *r = asking();

        CHECK(refuses(r, out, message(&wrong[i], out)));
        ln_receiver_free(r);
    }
}

/* Whether a sender that told its manifest, and heard READY if `ready`, cancels because of this. */
static bool sender_refuses(const struct ln_transfer_message *m, bool ready, int times)
{
    struct store from = { .count = 0 };
    struct ln_manifest manifest;
    struct ln_sender_action a;
    struct ln_sender *s;
    uint8_t out[1000];
    bool refused = false;

    store_add(&from, "f", 10, 1);
    ends_list(&manifest, &from);
    CHECK_EQUAL(ln_sender_create(&s, &manifest, test_env()), 0);
    while (ln_sender_poll(s, &a))
        CHECK_EQUAL(a.kind, LN_SENDER_SEND);
    if (ready)
        ln_sender_receive(
            s, out,
            message(&(struct ln_transfer_message){ .type = LN_TRANSFER_READY, .bytes = WINDOW },
                    out));
    for (int i = 0; i < times; i++)
        ln_sender_receive(s, out, message(m, out));
    while (ln_sender_poll(s, &a)) {
        refused = refused || a.kind == LN_SENDER_CANCELLED;
        if (a.kind == LN_SENDER_READ)
            ln_sender_read(s, a.cap);
    }
    ln_sender_free(s);
    ln_manifest_deinit(&manifest);
    store_free(&from);
    return refused;
}

LN_TEST(transfer, a_sender_answers_sensible_questions_only)
{
    static const uint8_t digest[LN_SHA256_LEN];
    const struct ln_transfer_message get = { .type = LN_TRANSFER_GET, .digest = digest };
    const struct ln_transfer_message other = { .type = LN_TRANSFER_GET,
                                               .file = 1,
                                               .digest = digest };
    const struct ln_transfer_message far = { .type = LN_TRANSFER_GET,
                                             .chunk = UINT64_MAX,
                                             .digest = digest };
    const struct ln_transfer_message ready = { .type = LN_TRANSFER_READY, .bytes = WINDOW };
    const struct ln_transfer_message narrow = { .type = LN_TRANSFER_READY, .bytes = 1 };
    const struct ln_transfer_message taken = { .type = LN_TRANSFER_TAKEN, .bytes = 1 };
    const struct ln_transfer_message hello = { .type = LN_TRANSFER_CONFIRM, .digest = digest };

    CHECK(!sender_refuses(&get, true, 1));
    CHECK(sender_refuses(&get, false, 1));
    CHECK(!sender_refuses(&get, true, LN_TRANSFER_GETS_MAX));
    CHECK(sender_refuses(&get, true, LN_TRANSFER_GETS_MAX + 1));
    CHECK(sender_refuses(&other, true, 1));
    CHECK(sender_refuses(&far, true, 1));
    CHECK(sender_refuses(&ready, true, 1));
    CHECK(sender_refuses(&narrow, false, 1));
    CHECK(sender_refuses(&taken, true, 1));
    CHECK(sender_refuses(&hello, true, 1));
}

LN_TEST(transfer, a_cancel_is_said_to_the_other_end)
{
    struct ln_receiver *r = asking();
    struct ln_receiver_action a;
    struct ln_transfer_message m;
    uint8_t out[1000];

    ln_receiver_cancel(r, LN_REASON_ASKED, "enough");
    CHECK_EQUAL(ln_receiver_poll(r, &a), 1);
    CHECK_EQUAL(a.kind, LN_RECEIVER_SEND);
    CHECK_EQUAL(ln_transfer_read(a.message.data, a.message.len, &m), 0);
    CHECK_EQUAL(m.type, LN_TRANSFER_CANCEL);
    CHECK_BYTES(m.sentence.data, "enough", 6);
    CHECK_EQUAL(ln_receiver_poll(r, &a), 0); /* we know of it */
    ln_receiver_free(r);

    r = asking();
    ln_receiver_receive(
        r, out,
        message(&(struct ln_transfer_message){ .type = LN_TRANSFER_CANCEL,
                                               .sentence = { (const uint8_t *)"stop", 4 } },
                out));
    CHECK_EQUAL(ln_receiver_poll(r, &a), 1);
    CHECK_EQUAL(a.kind, LN_RECEIVER_CANCELLED);
    CHECK_TEXT(a.sentence, "stop");
    CHECK_EQUAL(ln_receiver_poll(r, &a), 0);
    ln_receiver_free(r);
}
