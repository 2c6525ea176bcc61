/* SPDX-License-Identifier: Apache-2.0
 * The sending end. What it does next follows from its phase: tell the manifest, wait for a
 * question, walk over what the receiver has (reading, to compare the chain), send chunks.
 *
 * Invariant: at most one READ is out; `out` holds the chunk that was read, with room for its head.
 */
#include "transfer/sender.h"

#include "base/alloc.h"

#include <linnet/error.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum phase {
    PHASE_MANIFEST,  /* its head, then its entries are to be sent */
    PHASE_IDLE,      /* nobody asks */
    PHASE_COMPARING, /* reading what the receiver has */
    PHASE_SENDING,
    PHASE_ENDED
};

struct get {
    uint32_t file;
    bool compare;
    uint64_t chunks;
    uint8_t digest[LN_SHA256_LEN];
};

struct ln_sender {
    struct ln_allocator *allocator;
    const struct ln_manifest *manifest;
    enum phase phase;
    size_t told; /* entries; one more than there are: the head is told too */
    struct ln_ring gets;
    struct get get; /* the one that is answered */
    uint64_t chunk; /* the next one to be read */
    uint8_t digest[LN_SHA256_LEN];
    bool reading, at_end; /* a READ is out; the last one met the end */
    bool ready, ready_told, done_told;
    uint64_t window, sent, taken, skipped, size;
    uint32_t served;
    bool cancel_due, cancelled_due, done; /* to be told to the other, to our owner */
    enum ln_transfer_reason reason;
    char sentence[LN_TRANSFER_SENTENCE_MAX + 1];
    size_t out_len; /* a message in out that waits to be sent; 0: none */
    uint8_t out[LN_TRANSFER_MESSAGE_MAX];
};

int ln_sender_create(struct ln_sender **ret_sender, const struct ln_manifest *manifest,
                     struct ln_env *env)
{
    struct ln_sender *s = ln_alloc(env->allocator, sizeof *s);

    if (!s)
        return LN_ERR_NOMEM;
    memset(s, 0, offsetof(struct ln_sender, out));
    s->allocator = env->allocator;
    s->manifest = manifest;
    ln_ring_init(&s->gets, env->allocator, sizeof(struct get), LN_TRANSFER_GETS_MAX);
    *ret_sender = s;
    return 0;
}

void ln_sender_free(struct ln_sender *s)
{
    if (!s)
        return;
    ln_ring_deinit(&s->gets);
    ln_free(s->allocator, s);
}

void ln_sender_cancel(struct ln_sender *s, enum ln_transfer_reason reason, const char *sentence)
{
    if (s->phase == PHASE_ENDED)
        return;
    s->phase = PHASE_ENDED;
    s->reason = reason;
    snprintf(s->sentence, sizeof s->sentence, "%s", sentence);
    s->cancel_due = true;
    s->reading = false;
    s->out_len = 0;
}

/* --- in */

/* We cancel because of what came, and our owner hears of it too. */
static void protest(struct ln_sender *s, const char *sentence)
{
    ln_sender_cancel(s, LN_REASON_PROTOCOL, sentence);
    s->cancelled_due = true;
}

static void take_get(struct ln_sender *s, const struct ln_transfer_message *m)
{
    struct get get = { .file = m->file, .compare = m->compare, .chunks = m->chunk };

    memcpy(get.digest, m->digest, sizeof get.digest);
    if (!s->ready || m->file >= s->manifest->count ||
        s->manifest->entries[m->file].kind != LN_KIND_FILE ||
        m->chunk > LN_TRANSFER_SIZE_MAX / LN_TRANSFER_CHUNK)
        protest(s, "the other side asks for a file that is none");
    else if (ln_ring_push(&s->gets, &get) != 0)
        protest(s, "the other side asks for too much at once");
}

static void take_cancel(struct ln_sender *s, const struct ln_transfer_message *m)
{
    s->phase = PHASE_ENDED;
    s->reason = (enum ln_transfer_reason)m->reason;
    snprintf(s->sentence, sizeof s->sentence, "%.*s", (int)m->sentence.len,
             m->sentence.data ? (const char *)m->sentence.data : "");
    s->cancelled_due = true;
    s->out_len = 0;
}

void ln_sender_receive(struct ln_sender *s, const uint8_t *data, size_t len)
{
    struct ln_transfer_message m;

    if (s->phase == PHASE_ENDED)
        return;
    if (ln_transfer_read(data, len, &m) != 0) {
        protest(s, "a message made no sense");
        return;
    }
    switch (m.type) {
    case LN_TRANSFER_READY:
        if (s->ready || s->phase == PHASE_MANIFEST || m.bytes < LN_TRANSFER_WINDOW_MIN) {
            protest(s, "the other side was ready at the wrong time");
            break;
        }
        s->ready = true;
        s->window = m.bytes;
        break;
    case LN_TRANSFER_GET:
        take_get(s, &m);
        break;
    case LN_TRANSFER_TAKEN:
        if (m.bytes < s->taken || m.bytes > s->sent)
            protest(s, "the other side took what was not sent");
        else
            s->taken = m.bytes;
        break;
    case LN_TRANSFER_DONE:
        s->phase = PHASE_ENDED;
        s->done = true;
        s->taken = s->sent;
        break;
    case LN_TRANSFER_CANCEL:
        take_cancel(s, &m);
        break;
    default:
        protest(s, "a message has no place here");
    }
}

/* --- out */

static void queue(struct ln_sender *s, const struct ln_transfer_message *m)
{
    s->out_len = (size_t)ln_transfer_write(m, s->out, sizeof s->out);
}

static int send_out(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    ret_action->kind = LN_SENDER_SEND;
    ret_action->message = (struct ln_bytes){ s->out, s->out_len };
    s->out_len = 0;
    return 1;
}

/* The head, then as many entries as a message carries. */
static int tell_manifest(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    const struct ln_manifest *manifest = s->manifest;
    size_t at = 1;

    if (s->told == 0) {
        s->told = 1;
        queue(s, &(struct ln_transfer_message){ .type = LN_TRANSFER_MANIFEST,
                                                .count = (uint32_t)manifest->count,
                                                .bytes = manifest->bytes });
    } else {
        s->out[0] = LN_TRANSFER_ENTRIES;
        while (s->told <= manifest->count) {
            int len = ln_transfer_write_entry(&manifest->entries[s->told - 1], s->out + at,
                                              LN_TRANSFER_ENTRIES_BYTES - at);

            if (len < 0)
                break;
            at += (size_t)len;
            s->told++;
        }
        s->out_len = at;
    }
    if (s->told > manifest->count)
        s->phase = PHASE_IDLE;
    return send_out(s, ret_action);
}

/* Bytes of the next chunk: a file that grows is sent as it was when it was listed. */
static size_t next_len(const struct ln_sender *s)
{
    uint64_t size = s->manifest->entries[s->get.file].size, at = s->chunk * LN_TRANSFER_CHUNK;

    if (size == LN_TRANSFER_SIZE_UNKNOWN || size > at + LN_TRANSFER_CHUNK)
        return LN_TRANSFER_CHUNK;
    return size > at ? (size_t)(size - at) : 0;
}

static int ask_for_chunk(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    ret_action->kind = LN_SENDER_READ;
    ret_action->file = s->get.file;
    ret_action->offset = s->chunk * LN_TRANSFER_CHUNK;
    ret_action->data = s->out + LN_TRANSFER_CHUNK_HEAD;
    ret_action->cap = next_len(s);
    s->reading = true;
    return 1;
}

static void end_file(struct ln_sender *s)
{
    s->phase = PHASE_IDLE;
    s->served++;
}

static void queue_end(struct ln_sender *s)
{
    queue(s,
          &(struct ln_transfer_message){
              .type = LN_TRANSFER_END, .file = s->get.file, .size = s->size, .digest = s->digest });
    end_file(s);
}

static void restart(struct ln_sender *s)
{
    memset(s->digest, 0, sizeof s->digest);
    s->chunk = s->size = 0;
    s->at_end = false;
}

/* What the receiver has was read (`same`: and it is ours): where to begin. */
static void compared(struct ln_sender *s, bool same)
{
    if (!same && !s->get.compare)
        restart(s);
    if (same)
        s->skipped += s->size;
    queue(s, &(struct ln_transfer_message){ .type = LN_TRANSFER_FILE,
                                            .file = s->get.file,
                                            .chunk = same             ? s->chunk
                                                     : s->get.compare ? LN_TRANSFER_DIFFERS
                                                                      : 0 });
    if (s->get.compare && !same)
        end_file(s); /* the receiver decides what to do about it */
    else
        s->phase = PHASE_SENDING;
}

/* Whether all that the receiver has is read; a whole file must also end there. */
static void look_whether_compared(struct ln_sender *s)
{
    if (s->at_end || s->chunk >= s->get.chunks + s->get.compare)
        compared(s, s->chunk == s->get.chunks && (s->at_end || !s->get.compare) &&
                        memcmp(s->digest, s->get.digest, sizeof s->digest) == 0);
}

static void next_get(struct ln_sender *s)
{
    if (!ln_ring_pop(&s->gets, &s->get))
        return;
    restart(s);
    s->phase = PHASE_COMPARING;
    look_whether_compared(s);
}

static int work(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    if (s->phase == PHASE_IDLE)
        next_get(s);
    if (s->phase == PHASE_COMPARING && next_len(s) == 0 && !s->at_end) {
        s->at_end = true;
        look_whether_compared(s);
    }
    if (s->out_len > 0)
        return send_out(s, ret_action);
    if (s->phase == PHASE_COMPARING)
        return ask_for_chunk(s, ret_action);
    if (s->phase != PHASE_SENDING)
        return 0;
    if (s->at_end || next_len(s) == 0) {
        queue_end(s);
        return send_out(s, ret_action);
    }
    if (s->sent - s->taken + LN_TRANSFER_CHUNK > s->window)
        return 0;
    return ask_for_chunk(s, ret_action);
}

static int tell_end(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    ret_action->reason = s->reason;
    ret_action->sentence = s->sentence;
    if (s->cancel_due) {
        s->cancel_due = false;
        queue(s, &(struct ln_transfer_message){
                     .type = LN_TRANSFER_CANCEL,
                     .reason = (uint8_t)s->reason,
                     .sentence = { (const uint8_t *)s->sentence, strlen(s->sentence) } });
        return send_out(s, ret_action);
    }
    if (s->cancelled_due) {
        s->cancelled_due = false;
        ret_action->kind = LN_SENDER_CANCELLED;
        return 1;
    }
    if (s->done && !s->done_told) {
        s->done_told = true;
        ret_action->kind = LN_SENDER_DONE;
        return 1;
    }
    return 0;
}

int ln_sender_poll(struct ln_sender *s, struct ln_sender_action *ret_action)
{
    memset(ret_action, 0, sizeof *ret_action);
    assert(!s->reading);
    if (s->phase == PHASE_ENDED)
        return tell_end(s, ret_action);
    if (s->phase == PHASE_MANIFEST)
        return tell_manifest(s, ret_action);
    if (s->ready && !s->ready_told) {
        s->ready_told = true;
        ret_action->kind = LN_SENDER_READY;
        return 1;
    }
    return work(s, ret_action);
}

/* --- answers to READ */

void ln_sender_read(struct ln_sender *s, size_t len)
{
    if (!s->reading)
        return; /* cancelled meanwhile */
    assert(len <= next_len(s));
    s->reading = false;
    s->at_end = len < LN_TRANSFER_CHUNK;
    if (len > 0) {
        ln_transfer_chain(s->digest, s->out + LN_TRANSFER_CHUNK_HEAD, len);
        if (s->phase == PHASE_SENDING) {
            ln_transfer_write_chunk_head(s->get.file, s->chunk, s->digest, s->out);
            s->out_len = LN_TRANSFER_CHUNK_HEAD + len;
            s->sent += len;
        }
        s->chunk++;
        s->size += len;
    }
    if (s->phase == PHASE_COMPARING)
        look_whether_compared(s);
}

void ln_sender_missing(struct ln_sender *s, const char *sentence)
{
    if (!s->reading)
        return;
    s->reading = false;
    queue(s, &(struct ln_transfer_message){
                 .type = LN_TRANSFER_MISSING,
                 .file = s->get.file,
                 .sentence = { (const uint8_t *)sentence, strlen(sentence) } });
    end_file(s);
}

void ln_sender_get_figures(const struct ln_sender *s, struct ln_sender_figures *ret_figures)
{
    *ret_figures = (struct ln_sender_figures){ .bytes_taken = s->taken,
                                               .bytes_skipped = s->skipped,
                                               .file = s->get.file,
                                               .files_served = s->served,
                                               .ended = s->phase == PHASE_ENDED };
}
