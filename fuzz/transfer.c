/* SPDX-License-Identifier: Apache-2.0
 * The transfer of files: the first byte chooses what is fed.
 *
 *   0  messages, each after its length in 16 bits, to a receiver.
 *      Bit 7 makes chains of digests right, so that what lies behind them is reached;
 *      bit 6: everything is there in part; bit 5: as a whole.
 *   1  the same to a sender of three files.
 *   2  a code.
 *   3  a name, and its folding.
 *   4  messages to a proof of the code, by its sender; with bit 7 by its receiver. */
#include "base/alloc.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "transfer/auth.h"
#include "transfer/receiver.h"
#include "transfer/sender.h"

#include <stdlib.h>
#include <string.h>

#define WRITES_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool ok)
{
    if (!ok)
        abort();
}

struct feed {
    struct ln_reader reader;
    uint8_t digest[LN_SHA256_LEN];
    bool right;
    uint8_t message[LN_TRANSFER_MESSAGE_MAX + 100];
    size_t len;
};

/* Puts the digest in that an honest sender would. */
static void make_right(struct feed *feed)
{
    uint8_t *m = feed->message;

    if (feed->len >= 13 && m[0] == LN_TRANSFER_FILE && ln_load64(m + 5) == 0)
        memset(feed->digest, 0, sizeof feed->digest);
    if (feed->len > LN_TRANSFER_CHUNK_HEAD && m[0] == LN_TRANSFER_CHUNK_OF) {
        ln_transfer_chain(feed->digest, m + LN_TRANSFER_CHUNK_HEAD,
                          feed->len - LN_TRANSFER_CHUNK_HEAD);
        memcpy(m + 13, feed->digest, sizeof feed->digest);
    }
    if (feed->len == 45 && m[0] == LN_TRANSFER_END)
        memcpy(m + 13, feed->digest, sizeof feed->digest);
}

static bool next_message(struct feed *feed)
{
    struct ln_bytes message = ln_read_bytes(&feed->reader, ln_read16(&feed->reader));

    if (!feed->reader.ok)
        return false;
    if (message.len > 0)
        memcpy(feed->message, message.data, message.len);
    feed->len = message.len;
    if (feed->right)
        make_right(feed);
    return true;
}

/* --- the receiver, whose owner has it all, a part of it, or nothing */

static void owner(struct ln_receiver *r, const struct ln_receiver_action *a, uint8_t mode)
{
    const struct ln_manifest *manifest = ln_receiver_manifest(r);

    switch (a->kind) {
    case LN_RECEIVER_MANIFEST:
        for (size_t i = 0; i < manifest->count; i++)
            must(!ln_name_problem((const char *)manifest->entries[i].name.data,
                                  manifest->entries[i].name.len));
        ln_receiver_accept(r);
        break;
    case LN_RECEIVER_LOOK:
        ln_receiver_found(r,
                          mode & 0x40   ? LN_FOUND_PART
                          : mode & 0x20 ? LN_FOUND_WHOLE
                                        : LN_FOUND_NOTHING,
                          LN_TRANSFER_CHUNK);
        break;
    case LN_RECEIVER_READ:
        memset(a->data, 0, a->cap);
        ln_receiver_read(r, a->offset == 0 ? a->cap : 0);
        break;
    case LN_RECEIVER_WRITE:
        must(a->file < manifest->count && a->message.len > 0 &&
             a->message.len <= LN_TRANSFER_CHUNK);
        ln_receiver_written(r);
        break;
    case LN_RECEIVER_DIFFERS:
        ln_receiver_replace(r, mode & 1);
        break;
    default:
        must(a->kind == LN_RECEIVER_SEND || a->kind == LN_RECEIVER_CANCELLED ||
             a->kind == LN_RECEIVER_DONE || a->file < manifest->count);
    }
}

static void feed_receiver(struct feed *feed, uint8_t mode, struct ln_env *env)
{
    struct ln_receiver *r;
    struct ln_receiver_action a;

    if (ln_receiver_create(&r, LN_TRANSFER_WINDOW_MIN, env) != 0)
        return;
    while (next_message(feed)) {
        ln_receiver_receive(r, feed->message, feed->len);
        while (ln_receiver_poll(r, &a))
            owner(r, &a, mode);
    }
    ln_receiver_free(r);
}

/* --- the sender */

static void add(struct ln_manifest *manifest, const char *name, uint64_t size)
{
    struct ln_transfer_entry entry = {
        LN_KIND_FILE, 0644, 0, size, { (const uint8_t *)name, strlen(name) }
    };
    const char *problem;

    must(ln_manifest_add(manifest, &entry, &problem) == 0);
}

static void feed_sender(struct feed *feed, struct ln_env *env)
{
    struct ln_manifest manifest;
    struct ln_sender *s;
    struct ln_sender_action a;
    uint64_t reads = 0;

    ln_manifest_init(&manifest, env);
    add(&manifest, "empty", 0);
    add(&manifest, "stream", LN_TRANSFER_SIZE_UNKNOWN);
    add(&manifest, "two", 2 * LN_TRANSFER_CHUNK);
    must(ln_sender_create(&s, &manifest, env) == 0);
    do {
        while (ln_sender_poll(s, &a)) {
            if (a.kind == LN_SENDER_READ && ++reads > WRITES_MAX)
                ln_sender_missing(s, "enough");
            else if (a.kind == LN_SENDER_READ) {
                memset(a.data, 0, a.cap);
                ln_sender_read(s, a.offset >= 3 * LN_TRANSFER_CHUNK ? a.cap / 2 : a.cap);
            }
        }
        if (!next_message(feed))
            break;
        ln_sender_receive(s, feed->message, feed->len);
    } while (true);
    ln_sender_free(s);
    ln_manifest_deinit(&manifest);
}

/* --- the small ones */

static void feed_code(const uint8_t *data, size_t len)
{
    char text[300], again[LN_CODE_TEXT_MAX], word[LN_CODE_TEXT_MAX];
    struct ln_code code, same;

    len = len < sizeof text - 1 ? len : sizeof text - 1;
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    if (ln_code_parse(text, &code, word) != 0)
        return;
    must(ln_code_parse(ln_code_text(&code, again), &same, word) == 0);
    must(same.number == code.number && memcmp(same.words, code.words, sizeof same.words) == 0);
}

static void feed_name(const uint8_t *data, size_t len)
{
    char folded[LN_NAME_BYTES_MAX], twice[LN_NAME_BYTES_MAX];
    size_t folded_len;

    if (ln_name_problem((const char *)data, len))
        return;
    must(len > 0 && data[0] != '/' && !memchr(data, 0, len));
    folded_len = ln_name_fold((const char *)data, len, folded);
    must(folded_len <= len && ln_utf8_valid(folded, folded_len));
    must(ln_name_fold(folded, folded_len, twice) == folded_len &&
         memcmp(folded, twice, folded_len) == 0);
}

static void feed_auth(struct feed *feed, struct ln_env *env)
{
    enum ln_auth_role role = feed->right ? LN_AUTH_RECEIVER : LN_AUTH_SENDER;
    struct ln_code code = { 4711, { 1, 2, 3 } };
    struct ln_bytes der = { (const uint8_t *)"certificate", 11 }, out;
    struct ln_auth auth;

    must(ln_auth_init(&auth, role, &code, der, der, env) == 0);
    while (auth.state == LN_AUTH_WAITING && next_message(feed)) {
        must(ln_auth_receive(&auth, feed->message, feed->len) == 0);
        (void)!ln_auth_poll(&auth, &out);
    }
    must(auth.state != LN_AUTH_PROVEN); /* nobody guesses it */
    ln_auth_deinit(&auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct feed feed;
    struct ln_rng rng;
    struct ln_env env = { ln_allocator_libc(), NULL, &rng, NULL, NULL };

    if (len == 0)
        return 0;
    ln_rng_seed(&rng, 1);
    memset(&feed, 0, offsetof(struct feed, message));
    ln_reader_init(&feed.reader, data + 1, len - 1);
    feed.right = data[0] & 0x80;
    switch (data[0] & 0x0f) {
    case 1:
        feed_sender(&feed, &env);
        break;
    case 2:
        feed_code(data + 1, len - 1);
        break;
    case 3:
        feed_name(data + 1, len - 1);
        break;
    case 4:
        feed_auth(&feed, &env);
        break;
    default:
        feed_receiver(&feed, data[0], &env);
    }
    return 0;
}
