/* SPDX-License-Identifier: Apache-2.0
 * Messages: what is written reads the same, what is none is refused. */
#include "transfer/message.h"

#include "tests/support/test.h"

static const uint8_t bytes[LN_TRANSFER_MESSAGE_MAX + 1] = { 1, 2, 3, 4, 5 };

static const struct ln_transfer_message messages[] = {
    { .type = LN_TRANSFER_HELLO, .version = 1, .share = bytes },
    { .type = LN_TRANSFER_SHARE, .share = bytes },
    { .type = LN_TRANSFER_CONFIRM, .digest = bytes },
    { .type = LN_TRANSFER_MANIFEST, .count = 70000, .bytes = UINT64_C(5) << 40 },
    { .type = LN_TRANSFER_FILE, .file = 9, .chunk = UINT64_C(1) << 33 },
    { .type = LN_TRANSFER_CHUNK_OF, .file = 9, .chunk = 7, .digest = bytes, .data = { bytes, 99 } },
    { .type = LN_TRANSFER_END, .file = 9, .size = UINT64_C(1) << 35, .digest = bytes },
    { .type = LN_TRANSFER_MISSING, .file = 9, .sentence = { (const uint8_t *)"gone", 4 } },
    { .type = LN_TRANSFER_READY, .bytes = 1 << 26 },
    { .type = LN_TRANSFER_GET, .file = 3, .compare = true, .chunk = 12, .digest = bytes },
    { .type = LN_TRANSFER_TAKEN, .bytes = 12345678 },
    { .type = LN_TRANSFER_DONE, .count = 4 },
    { .type = LN_TRANSFER_CANCEL,
      .reason = LN_REASON_ASKED,
      .sentence = { (const uint8_t *)"dürfen wir?", 12 } },
};

LN_TEST(message, reads_what_it_writes)
{
    uint8_t out[400];

    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        const struct ln_transfer_message *m = &messages[i];
        struct ln_transfer_message got;
        int len = ln_transfer_write(m, out, sizeof out);

        CHECK(len > 0);
        CHECK_EQUAL(ln_transfer_read(out, (size_t)len, &got), 0);
        CHECK_EQUAL(got.type, m->type);
        CHECK_EQUAL(got.version, m->version);
        CHECK_EQUAL(got.count, m->count);
        CHECK_EQUAL(got.bytes, m->bytes);
        CHECK_EQUAL(got.file, m->file);
        CHECK_EQUAL(got.chunk, m->chunk);
        CHECK_EQUAL(got.compare, m->compare);
        CHECK_EQUAL(got.size, m->size);
        CHECK_EQUAL(got.reason, m->reason);
        CHECK_EQUAL(got.data.len, m->data.len);
        CHECK_EQUAL(got.sentence.len, m->sentence.len);
        CHECK((got.share != NULL) == (m->share != NULL));
        CHECK((got.digest != NULL) == (m->digest != NULL));
        if (got.digest)
            CHECK_BYTES(got.digest, m->digest, LN_SHA256_LEN);
        if (got.share)
            CHECK_BYTES(got.share, m->share, LN_SPAKE2_SHARE_LEN);
        CHECK_EQUAL(ln_transfer_write(m, out, (size_t)len - 1), LN_ERR_NO_SPACE);
    }
}

LN_TEST(message, every_cut_and_every_surplus_byte_is_refused)
{
    uint8_t out[400];

    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        const struct ln_transfer_message *m = &messages[i];
        bool open_end = m->data.len > 0 || m->sentence.len > 0;
        size_t head = (size_t)ln_transfer_write(m, out, sizeof out) - m->data.len - m->sentence.len;
        struct ln_transfer_message got = { .count = 77 };

        for (size_t len = 0; len < head; len++)
            CHECK_EQUAL(ln_transfer_read(out, len, &got), LN_ERR_MALFORMED);
        out[head] = 0;
        if (!open_end)
            CHECK_EQUAL(ln_transfer_read(out, head + 1, &got), LN_ERR_MALFORMED);
        CHECK_EQUAL(got.count, 77); /* untouched */
    }
}

static int cancel_with(const char *sentence, uint8_t reason)
{
    struct ln_transfer_message m = { .type = LN_TRANSFER_CANCEL,
                                     .reason = reason,
                                     .sentence = { (const uint8_t *)sentence, strlen(sentence) } };
    uint8_t out[600];
    int len = ln_transfer_write(&m, out, sizeof out);

    return ln_transfer_read(out, (size_t)len, &m);
}

LN_TEST(message, sentences_do_nothing_to_a_terminal)
{
    char longest[400];

    CHECK_EQUAL(cancel_with("", 0), 0);
    CHECK_EQUAL(cancel_with("red \x1b[31m", 0), LN_ERR_MALFORMED);
    CHECK_EQUAL(cancel_with("two\nlines", 0), LN_ERR_MALFORMED);
    CHECK_EQUAL(cancel_with("\xc2\x9b", 0), LN_ERR_MALFORMED);
    CHECK_EQUAL(cancel_with("\xff", 0), LN_ERR_MALFORMED);
    CHECK_EQUAL(cancel_with("no such reason", LN_REASON_COUNT), LN_ERR_MALFORMED);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    CHECK_EQUAL(cancel_with(longest, 0), 0); /* cut */
    for (size_t i = 0; i + 2 < sizeof longest; i += 2)
        memcpy(longest + i, "\xc3\xbc", 2);
    CHECK_EQUAL(cancel_with(longest, 0), 0); /* at a character's border */
}

LN_TEST(message, chunks_have_one_to_65536_bytes)
{
    static uint8_t out[LN_TRANSFER_MESSAGE_MAX + 1];
    struct ln_transfer_message got;

    ln_transfer_write_chunk_head(5, 6, bytes, out);
    CHECK_EQUAL(ln_transfer_read(out, LN_TRANSFER_CHUNK_HEAD, &got), LN_ERR_MALFORMED);
    CHECK_EQUAL(ln_transfer_read(out, LN_TRANSFER_MESSAGE_MAX, &got), 0);
    CHECK_EQUAL(got.file, 5);
    CHECK_EQUAL(got.chunk, 6);
    CHECK_EQUAL(got.data.len, LN_TRANSFER_CHUNK);
    CHECK_EQUAL(ln_transfer_read(out, LN_TRANSFER_MESSAGE_MAX + 1, &got), LN_ERR_MALFORMED);
}

LN_TEST(message, entries_come_back_in_order_and_wrong_ones_end_it)
{
    struct ln_transfer_entry file = { LN_KIND_FILE, 0640, -5, 1234, { (const uint8_t *)"a/b", 3 } };
    struct ln_transfer_entry folder = { LN_KIND_FOLDER, 0755, 1, 0, { (const uint8_t *)"c", 1 } };
    struct ln_transfer_entry got;
    uint8_t out[200];
    int first = ln_transfer_write_entry(&file, out, sizeof out);
    int second = ln_transfer_write_entry(&folder, out + first, sizeof out - (size_t)first);
    struct ln_bytes data = { out, (size_t)(first + second) };

    CHECK_EQUAL(first, LN_TRANSFER_ENTRY_HEAD + 3);
    CHECK_EQUAL(ln_transfer_next_entry(&data, &got), 1);
    CHECK_EQUAL(got.kind, LN_KIND_FILE);
    CHECK_EQUAL(got.mode, 0640);
    CHECK_EQUAL(got.mtime_ms, -5);
    CHECK_EQUAL(got.size, 1234);
    CHECK_BYTES(got.name.data, "a/b", 3);
    CHECK_EQUAL(ln_transfer_next_entry(&data, &got), 1);
    CHECK_EQUAL(got.kind, LN_KIND_FOLDER);
    CHECK_EQUAL(ln_transfer_next_entry(&data, &got), 0);
    for (size_t len = 1; len < (size_t)first; len++) {
        data = (struct ln_bytes){ out, len };
        CHECK_EQUAL(ln_transfer_next_entry(&data, &got), LN_ERR_MALFORMED);
    }
    file.mode = 04755; /* set user id */
    CHECK_EQUAL(ln_transfer_write_entry(&file, out, sizeof out), first);
    data = (struct ln_bytes){ out, (size_t)first };
    CHECK_EQUAL(ln_transfer_next_entry(&data, &got), LN_ERR_MALFORMED);
    folder.size = 1;
    second = ln_transfer_write_entry(&folder, out, sizeof out);
    data = (struct ln_bytes){ out, (size_t)second };
    CHECK_EQUAL(ln_transfer_next_entry(&data, &got), LN_ERR_MALFORMED);
}

/* web/test/transfer.test.mjs expects the same. */
LN_TEST(message, the_chain_stands_for_all_before)
{
    uint8_t digest[LN_SHA256_LEN] = { 0 }, expected[LN_SHA256_LEN];

    ln_transfer_chain(digest, "abc", 3);
    ln_transfer_chain(digest, "defg", 4);
    test_hex("9984cc5df844cc43a0173a1165ef7c5eeb859f65c04f632c052799285cf6c9ea", expected,
             sizeof expected);
    CHECK_BYTES(digest, expected, sizeof digest);
}
